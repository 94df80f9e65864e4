"""What one sees of a sweep: a table that lives on a terminal, plain lines in a file or pipe."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from baselines_ppo.common.ending import say
from baselines_ppo.common.screen.numbers import counted, duration
from baselines_ppo.experiments.live_table import LiveTable
from baselines_ppo.experiments.sweeping.swept_run import DONE, FAILED, RUNNING, STOPPED, WAITING, SweptRun

if TYPE_CHECKING:
    from rich.table import Table

REMINDER = 60.0  # s, between two plain lines that say how far all is
OTHER_LINES = 6  # of a terminal, that are not runs
ORDER = (RUNNING, FAILED, STOPPED, WAITING, DONE)  # where there are more runs than lines
COLOURS = {RUNNING: "cyan", FAILED: "red", STOPPED: "yellow", DONE: "green", WAITING: "bright_black"}


class Screen:
    """Says what happens to the runs of a sweep."""

    def __init__(self, runs: Sequence[SweptRun]) -> None:
        """Nothing is shown yet."""
        self._runs = runs
        self._said_at = self._began_at = time.monotonic()
        self._live = LiveTable()

    def begun(self, run: SweptRun) -> None:
        """Say that a run begins, or goes on."""
        if run.state == DONE:  # in the meantime
            self.ended(run)
        elif not self._live.is_shown:
            say(f"{named(run)} {f'goes on at {run.steps:,} steps' if run.steps else 'begins'}")

    def ended(self, run: SweptRun) -> None:
        """Say how a run has ended."""
        if not self._live.is_shown or run.state == FAILED:
            say(f"{named(run)} {how(run)}")

    def show(self) -> None:
        """Show how far all is, if it is time."""
        self._live.draw(self._table)
        if not self._live.is_shown and time.monotonic() - self._said_at >= REMINDER:
            self._said_at = time.monotonic()
            say(self.total())

    def close(self) -> None:
        """Leave the terminal as it is."""
        self._live.draw(self._table, at_once=True)
        self._live.close()

    def total(self) -> str:
        """Return in words how far all runs are."""
        counts = Counter(run.state for run in self._runs)
        states = ", ".join(f"{counts[state]} {state}" for state in (DONE, RUNNING, FAILED, STOPPED) if counts[state])
        steps, wanted = (sum(getattr(run, name) for run in self._runs) for name in ("steps", "num_timesteps"))
        seconds = self._seconds_left()
        left = f"; {duration(seconds)} left" if seconds else ""
        return f"{counted(len(self._runs), 'run')}: {states or 'all waiting'}; {steps / wanted:.0%} of all steps{left}"

    def _seconds_left(self) -> float | None:
        """Return the time until all runs are made, at the speed so far, starts of processes included."""
        begun = [run for run in self._runs if run.began_at]
        made = sum(run.steps - run.steps_before for run in begun)
        to_come = sum(run.num_timesteps - run.steps for run in self._runs if run.state in (RUNNING, WAITING))
        return (time.monotonic() - self._began_at) * to_come / made if made > 0 else None

    def _table(self, height: int) -> Table:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        lines = max(height - OTHER_LINES, 1)
        shown = sorted(sorted(self._runs, key=lambda run: ORDER.index(run.state))[:lines], key=lambda r: r.case.number)
        hidden = Counter(run.state for run in self._runs if run not in shown)
        more = "" if not hidden else f"and {', '.join(f'{hidden[state]} {state}' for state in ORDER if hidden[state])}"
        table = Table(caption=f"{more}\n{self.total()}".strip(), caption_justify="left", box=None, pad_edge=False)
        table.add_column("run", no_wrap=True)
        table.add_column("")
        table.add_column("", min_width=20)
        for name in ("steps", "return", "steps/s", "left"):
            table.add_column(name, justify="right")
        for run in shown:
            bar = ProgressBar(total=run.num_timesteps, completed=run.steps, width=20)
            state = f"[{COLOURS[run.state]}]{run.state}[/]"
            table.add_row(run.case.name, state, bar, f"{run.steps:,}", *_figures(run))
        return table


def named(run: SweptRun) -> str:
    """Return number and name of a run."""
    return f"run {run.case.number}, {run.case.name},"


def how(run: SweptRun) -> str:
    """Return in words how a run has ended."""
    if run.state == FAILED and run.end is not None:
        return f"failed with exit code {run.end.exit_code}: {run.end.error}; see {run.output}"
    value = run.standing.episode_return if run.standing else None
    mean_return = "" if value is None else f", return {value:,.1f}"
    return f"{run.state} at {run.steps:,} steps{mean_return}"


def _figures(run: SweptRun) -> tuple[str, str, str]:
    """Return a run's return, speed and time left as the table has them."""
    standing, left = run.standing, run.seconds_left
    mean_return = "-" if standing is None or standing.episode_return is None else f"{standing.episode_return:,.1f}"
    going = standing is not None and run.state == RUNNING
    return (
        mean_return,
        f"{standing.steps_per_second:,.0f}" if standing and going else "",
        duration(left) if left else "",
    )
