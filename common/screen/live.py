"""One table that is updated in place on a terminal, with a progress bar below it.

After each drawing the cursor goes back to the empty line above the table. So whatever else is written to the terminal,
by this process or another, begins there, stays, and the table is drawn anew below it. Nothing is held back: a process
that dies has written all that it had to say.
"""

from __future__ import annotations

from baselines_ppo.common.screen.above import ERASE
from baselines_ppo.common.screen.contract import Figures
from baselines_ppo.common.screen.drawing import drawn
from baselines_ppo.common.screen.terminal import Terminal


class Table:
    """The table, as large as the terminal allows."""

    erase = ERASE

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def drawn(self, figures: Figures, news: str, encoding: str) -> str:
        """Return the table with news below the bar; the cursor goes back above it."""
        lines = self._lines(figures, news, encoding)
        return "\n" + "\n".join(lines) + f"\x1b[{len(lines)}A\r"

    def left(self, figures: Figures, encoding: str) -> str:
        """Return the last table, below which others write."""
        return "\n".join(["", *self._lines(figures, "", encoding), ""])

    def _lines(self, figures: Figures, news: str, encoding: str) -> list[str]:
        size = self._terminal.size()
        return drawn(figures, news, size.columns, size.lines - 2, encoding)
