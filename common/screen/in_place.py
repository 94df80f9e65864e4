"""A screen of which one part is drawn anew in its place, and everything else is written above it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from time import monotonic
from typing import Protocol

from baselines_ppo.common.screen.above import write_above
from baselines_ppo.common.screen.contract import Figures

PATIENCE = 1.0  # s, after which it says how far an iteration is
PAUSE = 0.5  # s at least between two drawings


class Drawing(Protocol):
    """What the part looks like."""

    erase: str  # what takes it away

    def drawn(self, figures: Figures, news: str, encoding: str) -> str:
        """Return what draws it and leaves the cursor where `erase` begins.

        Args:
          news: of the iteration under way; "" without.
        """

    def left(self, figures: Figures, encoding: str) -> str:
        """Return what draws it for the last time, whole lines."""


class InPlace:
    """The part; it stands between the process and its output until it is closed."""

    patience = PATIENCE

    def __init__(self, drawing: Drawing, streams: Iterable[str], num_timesteps: int) -> None:
        """Take what leads to the same place, "stdout" and "stderr", and the number of steps that are to be made."""
        self._drawing, self._drawn_at = drawing, -PAUSE
        self._figures, self._news = Figures({"total_steps": 0}, num_timesteps, None, None), ""
        self._out = sys.stdout
        self._end = write_above(streams, drawing.erase)

    def say(self, text: str) -> None:
        """Write it above."""
        print(text, flush=True)

    def news(self, line: str) -> None:
        """Show it until the iteration is over."""
        self._news = line
        self._draw()

    def show(self, figures: Figures, last: bool) -> None:
        """Show the figures from now on."""
        self._figures, self._news = figures, ""
        if not last:  # else `close` does
            self._draw()

    def close(self) -> None:
        """Leave what was drawn last where it is, and write below it from now on."""
        self._end()
        known = len(self._figures.row) > 1
        self._write(self._drawing.left(self._figures, self._out.encoding) if known else "")

    def _draw(self) -> None:
        if monotonic() - self._drawn_at >= PAUSE:
            self._drawn_at = monotonic()
            self._write(self._drawing.drawn(self._figures, self._news, self._out.encoding))

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # whoever looked has gone; the training goes on
            self._out.write(self._drawing.erase + text)
            self._out.flush()
