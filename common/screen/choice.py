"""Which screen a training has."""

from __future__ import annotations

from baselines_ppo.common.screen.above import write_above
from baselines_ppo.common.screen.bar import WIDTH, Bar, blank, in_notebook
from baselines_ppo.common.screen.contract import Screen
from baselines_ppo.common.screen.in_place import InPlace
from baselines_ppo.common.screen.lines import Lines, Nothing
from baselines_ppo.common.screen.terminal import find_terminal

PROGRESS = AUTO, BAR, LINE, TABLE, NONE = ("auto", "bar", "line", "table", "none")


def screen_of(progress: str, num_timesteps: int, interval: float, first: bool) -> Screen:
    """Return the screen for one of `PROGRESS`; by "auto" a live table on a terminal, a bar in a notebook, else lines.

    Args:
      interval: seconds between two lines or tables.
      first: whether this is rank 0, which shows it; what other ranks write goes above its table.
    """
    terminal = find_terminal() if progress in (AUTO, BAR) else None
    if progress == BAR or (progress == AUTO and in_notebook()):
        streams = ("stdout",) if in_notebook() else ("stdout", "stderr")  # a notebook keeps the two apart
        width = WIDTH if terminal is None else min(WIDTH, terminal.size().columns - 1)
        return InPlace(Bar(width), streams, num_timesteps) if first else Nothing(write_above(streams, blank(width)))
    if not first:
        return Nothing() if terminal is None else Nothing(write_above(terminal.streams))
    if progress == NONE:
        return Nothing()
    if terminal is None:
        return Lines(interval, whole=progress == TABLE)
    from baselines_ppo.common.screen.live import Table  # and with it rich, which nobody else needs

    return InPlace(Table(terminal), terminal.streams, num_timesteps)
