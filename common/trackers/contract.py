"""What every tracker does; used by rank 0 alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class Tracker(Protocol):
    """Keeps a run's figures where they can be compared with those of others.

    Whatever one of its methods raises is warned of once, and the training goes on without it.
    """

    def begin(self, folder: Path, config: Mapping[str, Any]) -> None:
        """Begin with the run in a folder, or go on with it.

        Args:
          config: what the folder's config.json holds.
        """

    def row(self, row: Mapping[str, float], step: int) -> None:
        """Keep an iteration's figures, by the tags of their columns, at so many environment steps."""

    def film(self, path: Path, step: int) -> None:
        """Keep a film of the agent, such as an mp4, at so many environment steps."""

    def close(self) -> None:
        """Send what is left, and end."""
