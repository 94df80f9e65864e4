"""Plain text, as in files and pipes: a line or a table every few seconds, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from baselines_ppo.common.job.heartbeat import PATIENCE
from baselines_ppo.common.screen.contract import Figures
from baselines_ppo.common.screen.numbers import duration, number, rounded

COMPILING = "compiling"  # in place of a speed, in the first iteration
COLUMNS = {  # of a line, where the row has them
    "return": "episode_return",
    "length": "episode_length",
    "success": "success_rate",
    "evaluation": "eval_return",
}


class Lines:
    """Prints a line, or a table of all figures, every few seconds."""

    patience = PATIENCE

    def __init__(self, interval: float, whole: bool = False) -> None:
        """Take the seconds between two, and whether all figures are shown."""
        self._interval, self._text = interval, table if whole else line
        self._shown_at = monotonic()

    def say(self, text: str) -> None:
        """Print it."""
        print(text, flush=True)

    news = say

    def show(self, figures: Figures, last: bool) -> None:
        """Print the figures if it is time to."""
        if last or monotonic() - self._shown_at >= self._interval:
            self.say(self._text(figures))
            self._shown_at = monotonic()

    def close(self) -> None:
        """Nothing is left to do."""


class Nothing:
    """Shows nothing: errors and warnings have a way of their own."""

    patience = float("inf")

    def __init__(self, end: Callable[[], None] | None = None) -> None:
        """Take what is to be called at the end."""
        self._end = end

    def say(self, text: str) -> None:
        """Say nothing."""

    news = say

    def show(self, figures: Figures, last: bool) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._end is not None:
            self._end()


def line(figures: Figures) -> str:
    """Return what most people want to know, in a line."""
    row, steps = figures.row, number(figures.row["total_steps"])
    known = [f"{row['iteration']:>6}", f"{steps:>{len(number(figures.num_timesteps))}} steps"]
    for name, column in COLUMNS.items():
        if column in row:
            known.append(f"{name} {rounded(row[column]):>6}")
    known.append(COMPILING if figures.rate is None else f"{number(figures.rate)} steps/s")
    if figures.left is not None:
        known.append(f"{duration(figures.left)} left")
    return "  ".join(known)


def table(figures: Figures) -> str:
    """Return all figures in a table of two columns, names and values."""
    rate = COMPILING if figures.rate is None else figures.rate
    left = COMPILING if figures.left is None else duration(figures.left)
    row = {**figures.row, "steps_per_second": rate, "time_left": left}
    cells = [(name, number(value)) for name, value in row.items()]
    widest, longest = max(len(name) for name, _ in cells), max(len(value) for _, value in cells)
    rule = f"+{'-' * (widest + 2)}+{'-' * (longest + 2)}+"
    return "\n".join([rule, *(f"| {name:<{widest}} | {value:>{longest}} |" for name, value in cells), rule])
