"""One line with a progress bar that is written over, as in notebooks, where there is no terminal to draw a table on."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from time import monotonic

from baselines_ppo.common.screen.above import write_above
from baselines_ppo.common.screen.contract import Figures
from baselines_ppo.common.screen.numbers import duration, number, rounded

PATIENCE = 1.0  # s, after which it says how far an iteration is
PAUSE = 0.5  # s at least between two drawings
WIDTH = 112  # characters of a line, as many as a cell of a notebook shows
LENGTH = 16  # characters of the bar
BLOCKS, PLAIN = "\N{FULL BLOCK}\N{LIGHT SHADE}", "#-"


class Bar:
    """The line; it stands between the process and its output until it is closed."""

    patience = PATIENCE

    def __init__(self, streams: Iterable[str], num_timesteps: int, width: int = WIDTH) -> None:
        """Take what leads to the same place, "stdout" and "stderr", the number of steps to be made, and characters."""
        self._figures, self._news = Figures({"total_steps": 0}, num_timesteps, None, None), ""
        self._width, self._drawn_at = width, -PAUSE
        self._out = sys.stdout
        self._end = write_above(streams, blank(width))

    def say(self, text: str) -> None:
        """Write it above the bar."""
        print(text, flush=True)

    def news(self, line: str) -> None:
        """Show it behind the bar until the iteration is over."""
        self._news = line
        self._draw()

    def show(self, figures: Figures, last: bool) -> None:
        """Show the figures from now on."""
        self._figures, self._news = figures, ""
        if not last:  # else `close` does
            self._draw()

    def close(self) -> None:
        """Leave the last line where it is, and write below it from now on."""
        self._end()
        self._news = ""
        known = len(self._figures.row) > 1
        self._write(blank(self._width) + (f"{self._line()}\n" if known else ""))

    def _draw(self) -> None:
        if monotonic() - self._drawn_at >= PAUSE:
            self._drawn_at = monotonic()
            self._write(blank(self._width) + self._line())

    def _line(self) -> str:
        return progress_line(self._figures, self._news, blocks_for(self._out.encoding))[: self._width]

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # whoever looked has gone; the training goes on
            self._out.write(text)
            self._out.flush()


def blank(width: int) -> str:
    """Return what takes a line away; a notebook knows no other way."""
    return f"\r{' ' * width}\r"


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def blocks_for(encoding: str | None) -> str:
    """Return the characters for what is done and what is not, which the encoding must have."""
    try:
        BLOCKS.encode(encoding or "ascii")
    except (UnicodeError, LookupError):
        return PLAIN
    return BLOCKS


def progress_line(figures: Figures, news: str, blocks: str) -> str:
    """Return the bar and what most people want to know.

    Args:
      news: of the iteration under way; it takes the place of the other figures. "" without.
      blocks: a character for what is done, and one for what is not.
    """
    steps, row = figures.row["total_steps"], figures.row
    share = min(steps / figures.num_timesteps, 1.0)
    done = int(LENGTH * share)
    known = [f"{share:>4.0%} {blocks[0] * done}{blocks[1] * (LENGTH - done)}"]
    known.append(f"{number(steps)} of {number(figures.num_timesteps)} steps")
    if news:
        known.append(news)
    else:
        if "episode_return" in row:
            known.append(f"return {rounded(row['episode_return'])}")
        if figures.rate is not None:
            known.append(f"{number(figures.rate)} steps/s")
        if figures.left:
            known.append(f"{duration(figures.left)} left")
    return "  ".join(known)
