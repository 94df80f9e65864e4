"""A table that is drawn anew in place, below the lines that stay; only where there is a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from baselines_ppo.common.screen.terminal import find_terminal

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

REFRESH = 1.0  # s, between two drawings


class LiveTable:
    """The table of a sweep or a search. What this process prints meanwhile stands above it."""

    def __init__(self, transient: bool = False) -> None:
        """Begin.

        Args:
          transient: nothing of it is left at the end.
        """
        self._live: Live | None = None
        self._drawn_at = float("-inf")
        if find_terminal() is not None:
            from rich.live import Live  # which nobody else needs

            self._live = Live(auto_refresh=False, transient=transient)
            self._live.start()

    @property
    def is_shown(self) -> bool:
        """Whether there is a table; else lines have to say everything."""
        return self._live is not None

    def draw(self, table: Callable[[int], Table], at_once: bool = False) -> None:
        """Draw what a function makes for a terminal of so many lines, if it is time to."""
        if self._live is not None and (at_once or time.monotonic() - self._drawn_at >= REFRESH):
            self._drawn_at = time.monotonic()
            self._live.update(table(self._live.console.size.height), refresh=True)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            self._live.stop()
            self._live = None
