"""The live table as lines of text: columns for what is collected, learned and spent, and a bar."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from baselines_ppo.common.files.columns import group_of
from baselines_ppo.common.screen.contract import Figures
from baselines_ppo.common.screen.numbers import duration, number

TITLES = {"rollout": "collected", "eval": "evaluated", "train": "learned", "time": "spent"}
LEAST_COLUMN = 34  # characters, of a name and its number
IN_THE_BAR = ("total_steps", "steps_per_second")
LONGEST_BAR = 40
MARGIN = "  "


def drawn(figures: Figures, news: str, width: int, height: int, encoding: str) -> list[str]:
    """Return the table's lines, with the terminal's codes for colours.

    Args:
      news: of the iteration under way, in a line; "" without.
      width, height: of the terminal, in characters; what is too long is cut, the bar stays.
      encoding: of the terminal, which may have no lines and bars to draw with.
    """
    room = max(width - len(MARGIN) - 1, 1)
    sink = _Sink(encoding)
    console = Console(file=sink, force_terminal=True, legacy_windows=False, width=room, highlight=False)

    def lines(*parts: RenderableType) -> list[str]:
        sink.truncate(sink.seek(0))
        console.print(Group(*parts))
        return [f"{MARGIN}{line}" for line in sink.getvalue().splitlines()]

    told = [Text(news, style="dim", no_wrap=True, overflow="ellipsis")] if news else []
    below = lines(_bar(figures, room), *told)
    return [*lines(*_columns(figures.row, room))[: max(height - len(below), 0)], *below]


class _Sink(io.StringIO):
    """Keeps what is written to it, as for a terminal of an encoding."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]  # StringIO has none
        """The terminal's."""
        return self._encoding


def _columns(row: Mapping[str, Any], width: int) -> list[Table]:
    """Return as many columns side by side as there is room for; nothing before the first iteration."""
    groups: dict[str, Table] = {}
    for name, value in row.items():
        if name not in IN_THE_BAR:
            group = groups.setdefault(group_of(name), _group())
            group.add_row(name, number(value))
    room = max(width // LEAST_COLUMN, 1)
    result = Table.grid(padding=(0, 3), pad_edge=False)
    shown = sorted(groups, key=lambda name: list(TITLES).index(name))
    named = [Group(Text(TITLES[name], style="bold"), groups[name]) for name in shown]
    for k in range(0, len(named), room):
        result.add_row(*named[k : k + room])
    return [result] if named else []


def _group() -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, overflow="ellipsis", style="dim")
    table.add_column(no_wrap=True, justify="right", min_width=9)
    return table


def _bar(figures: Figures, width: int) -> Table:
    """Return the progress in a bar and in numbers, of which the last ones are left out where there is no room."""
    steps = figures.row["total_steps"]
    share = min(steps / figures.num_timesteps, 1.0)
    words = [f"{share:.0%}", f"{number(steps)} of {number(figures.num_timesteps)} steps"]
    if figures.rate is not None:
        words.append(f"{number(figures.rate)} steps/s")
    if figures.left:
        words.append(f"{duration(figures.left)} left")
    result = Table.grid(padding=(0, 1))
    length = max(min(LONGEST_BAR, width - sum(len(word) + 2 for word in words) - 2), 4)
    result.add_row(
        ProgressBar(total=figures.num_timesteps, completed=min(steps, figures.num_timesteps), width=length),
        Text("  ".join(words), no_wrap=True, overflow="ellipsis"),
    )
    return result
