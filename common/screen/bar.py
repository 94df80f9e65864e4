"""One line with a progress bar that is written over, as in notebooks, where there is no terminal to draw a table on."""

from __future__ import annotations

import sys

from baselines_ppo.common.screen.contract import Figures
from baselines_ppo.common.screen.numbers import duration, number, rounded

WIDTH = 112  # characters of a line, as many as a cell of a notebook shows
LENGTH = 16  # characters of the bar
BLOCKS, PLAIN = "\N{FULL BLOCK}\N{LIGHT SHADE}", "#-"


class Bar:
    """The line, of at most so many characters."""

    def __init__(self, width: int = WIDTH) -> None:
        self._width, self.erase = width, blank(width)

    def drawn(self, figures: Figures, news: str, encoding: str) -> str:
        """Return the line with news behind the bar."""
        return progress_line(figures, news, blocks_for(encoding))[: self._width]

    def left(self, figures: Figures, encoding: str) -> str:
        """Return the last line, below which others write."""
        return f"{self.drawn(figures, '', encoding)}\n"


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
