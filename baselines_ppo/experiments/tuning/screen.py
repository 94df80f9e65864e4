"""What one sees of a search: a table that lives on a terminal, plain lines in a file or pipe."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from baselines_ppo.common.ending import say
from baselines_ppo.common.screen.numbers import duration
from baselines_ppo.experiments.live_table import LiveTable
from baselines_ppo.experiments.tuning.report import ranked
from baselines_ppo.experiments.tuning.study import Trials
from baselines_ppo.experiments.tuning.trial_run import Outcome, TrialRun
from baselines_ppo.settings.config import TrainConfig

if TYPE_CHECKING:
    from rich.table import Table


class Screen:
    """Says what happens, one line for each trial that ends."""

    def __init__(self, trials: Trials, config: TrainConfig, seeds: int) -> None:
        """Say what is done; nothing is begun yet."""
        self._trials, self._config, self._seeds = trials, config, seeds
        self._begun_at, self._made_before = time.monotonic(), len(trials.made())
        self._waited_for: set[str] = set()
        self._live = LiveTable(transient=True)

    def begun(self, run: TrialRun) -> None:
        """Say that a trial begins, or goes on."""
        if not self._live.is_shown:
            say(f"trial {run.number}: {'goes on' if run.folder.exists() else 'begins'}")

    def ended(self, run: TrialRun, outcome: Outcome) -> None:
        """Say what has come of a trial."""
        made = self._trials.made()
        best = ranked(made)
        score = "" if outcome.score is None or not math.isfinite(outcome.score) else f" with {outcome.score:,.1f}"
        reason = f": {outcome.reason}" if outcome.reason else ""
        record = f"; best {best[0].value:,.1f} of trial {best[0].number}" if best else ""
        say(f"trial {run.number}: {outcome.kind}{score}{reason}; {len(made)} of {self._trials.wanted} made{record}")

    def waits(self, hosts: Collection[str]) -> None:
        """Say that only other hosts have trials under way."""
        if {*hosts} != self._waited_for:
            self._waited_for = {*hosts}
            say(f"waiting for the last trials, on {', '.join(sorted(hosts))}")

    def show(self, active: Sequence[TrialRun]) -> None:
        """Show the trials under way."""
        self._live.draw(lambda height: self._table(active))

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._live.close()

    def _table(self, active: Sequence[TrialRun]) -> Table:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        made = self._trials.made()
        best = ranked(made)
        record = f", best {best[0].value:,.1f} (trial {best[0].number})" if best else ""
        title = f"{len(made)} of {self._trials.wanted} trials{record}{self._left(len(made))}"
        table = Table(title=title, title_justify="left", box=None)
        for name, justify in (("trial", "right"), ("", "left"), ("steps", "right"), ("return", "right")):
            table.add_column(name, justify=justify)  # type: ignore[arg-type]
        total = self._seeds * self._config.num_timesteps
        for run in active:
            value = run.return_now
            bar = ProgressBar(total=total, completed=min(run.steps, total), width=30)
            table.add_row(str(run.number), bar, f"{run.steps:,}", "-" if value is None else f"{value:,.1f}")
        return table

    def _left(self, made: int) -> str:
        """Return in words how long the other trials will take, at the speed since the start; '' before one is made."""
        new, left = made - self._made_before, self._trials.wanted - made
        seconds = time.monotonic() - self._begun_at
        return f", about {duration(seconds / new * left)} left" if new and left > 0 else ""
