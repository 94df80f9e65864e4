"""One table that is updated in place on a terminal, with a progress bar below it.

After each drawing the cursor goes back to the empty line above the table. So whatever else is written to the terminal,
by this process or another, begins there, stays, and the table is drawn anew below it. Nothing is held back: a process
that dies has written all that it had to say.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from time import monotonic

from baselines_ppo.common.screen.above import ERASE, write_above
from baselines_ppo.common.screen.contract import Figures
from baselines_ppo.common.screen.drawing import drawn
from baselines_ppo.common.screen.terminal import Terminal

PATIENCE = 1.0  # s, after which it says how far an iteration is
PAUSE = 0.5  # s at least between two drawings


class Live:
    """The table; it stands between the process and its output until it is closed."""

    patience = PATIENCE

    def __init__(self, terminal: Terminal, num_timesteps: int) -> None:
        """Take the terminal, and the number of steps that are to be made."""
        self._terminal = terminal
        self._figures = Figures({"total_steps": 0}, num_timesteps, None, None)
        self._news = ""
        self._drawn_at = -PAUSE
        self._out = sys.stdout
        self._end = write_above(terminal.streams)

    def say(self, text: str) -> None:
        """Write it above the table."""
        print(text, flush=True)

    def news(self, line: str) -> None:
        """Show it below the bar until the iteration is over."""
        self._news = line
        self._draw()

    def show(self, figures: Figures, last: bool) -> None:
        """Show the figures from now on."""
        self._figures, self._news = figures, ""
        if not last:  # else `close` does
            self._draw()

    def close(self) -> None:
        """Leave the last table where it is, and write below it from now on."""
        self._end()
        if len(self._figures.row) > 1:
            self._news = ""
            self._write(ERASE + "\n".join(["", *self._lines(), ""]))
        else:
            self._write(ERASE)

    def _draw(self) -> None:
        """Draw the table and go back above it."""
        if monotonic() - self._drawn_at >= PAUSE:
            self._drawn_at = monotonic()
            lines = self._lines()
            self._write(f"{ERASE}\n" + "\n".join(lines) + f"\x1b[{len(lines)}A\r")

    def _lines(self) -> list[str]:
        size = self._terminal.size()
        return drawn(self._figures, self._news, size.columns, size.lines - 2, self._out.encoding)

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # the terminal has gone; the training goes on
            self._out.write(text)
            self._out.flush()
