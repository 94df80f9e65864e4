"""What every screen of a training does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol


class Figures(NamedTuple):
    """What is known after an iteration."""

    row: Mapping[str, Any]  # its figures by their names, `total_steps` among others
    num_timesteps: int  # environment steps of the whole run
    rate: float | None  # steps per second; None while TensorFlow compiles
    left: float | None  # s, until all steps are made; likewise


class Screen(Protocol):
    """Where a training says what it does; used by rank 0 alone."""

    patience: float  # s without an iteration, after which `news` is wanted

    def say(self, text: str) -> None:
        """Show lines that stay, such as the banner."""

    def news(self, line: str) -> None:
        """Show how far the iteration under way is; called by another thread."""

    def show(self, figures: Figures, last: bool) -> None:
        """Show an iteration's figures if it is time to, and always the last ones."""

    def close(self) -> None:
        """Leave the terminal as it was."""
