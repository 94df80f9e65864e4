"""The search: trials are dealt out to the cores of this machine, followed, judged and counted."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from baselines_ppo.common.ending import inside_job, say
from baselines_ppo.common.failures import FINISHED, Failure, UsageError
from baselines_ppo.common.files.run_folder import runs_of
from baselines_ppo.common.files.whole import place, shown
from baselines_ppo.common.job.cores import usable_cores
from baselines_ppo.common.job.signals import StopSignals
from baselines_ppo.experiments.tuning.candidates import (
    Spaces,
    candidate,
    check_trainable,
    in_json,
    settings_of,
    spaces_of,
)
from baselines_ppo.experiments.tuning.figures import write_figures
from baselines_ppo.experiments.tuning.folder import study_folder
from baselines_ppo.experiments.tuning.report import SUMMARY, TABLE, config_of, ranked, write_report
from baselines_ppo.experiments.tuning.screen import Screen
from baselines_ppo.experiments.tuning.settings import Search, Tuned
from baselines_ppo.experiments.tuning.study import (
    KIND,
    REASON,
    RETURNS,
    SETTING,
    WORST,
    Trials,
    explained,
    open_study,
    rungs,
    seed_of,
    shown_url,
)
from baselines_ppo.experiments.tuning.trial_run import CRASHED, PRUNED, REFUSED, TOO_SHORT, Outcome, TrialRun
from baselines_ppo.settings.changes import HARMLESS
from baselines_ppo.settings.config import TrainConfig
from baselines_ppo.settings.search_spaces import Dimension, search_space

DATABASE, TRIALS = "study.db", "trials"
LOOK = 0.3  # s, between two looks at the trainings
GO_ON = "the same command goes on"
WAIT = 5.0  # s, between two looks at what other hosts do


def run_search(
    config: TrainConfig, given: Sequence[Dimension], fixed: Sequence[str], logdir: str | Path | None, how: Search
) -> Tuned:
    """Search as `tune` says.

    Raises:
      Failure: see `tune`.
    """
    spaces = spaces_of(config)
    check_trainable(config, spaces)
    space = search_space(config, given, fixed, spaces.continuous)
    name = how.study or f"tune-{config.alg}"
    folder = place(logdir or runs_of(config.env) / name)
    host = os.uname().nodename
    url = how.storage or f"sqlite:///{folder / DATABASE}"
    whose = {"study": name, "storage": shown_url(url) if how.storage else DATABASE}
    with study_folder(folder, host, whose), StopSignals(inside_job()) as signals:
        seed = [config.seed, seed_of(host) if how.storage else 0]
        study = open_study(url, name, how.sampler, how.pruner, config.num_timesteps, seed)
        with explained(url):
            trials = Trials(study, how.trials, f"{host}:{folder}")
            trials.begin(identity_of(config, space, how.seeds), codes_of(config, space))
            exit_code = Searcher(config, space, spaces, folder, trials, how).run(signals)
            made = trials.made()
        text = write_report(made, config, folder)
        say(text if exit_code == FINISHED else f"stopped; {len(made)} of {how.trials} trials are made; {GO_ON}")
        pictures = write_figures(made, f"{config.alg} on {config.env}", folder)
        say(f"see {', '.join(str(shown(path)) for path in (folder / SUMMARY, folder / TABLE, *pictures))}")
        best = ranked(made)
        if not best:
            return Tuned(folder, config, None, len(made), exit_code)
        return Tuned(folder, config_of(best[0], config), best[0].value, len(made), exit_code)


def identity_of(config: TrainConfig, space: Sequence[Dimension], seeds: int) -> dict[str, Any]:
    """Return what all trials of a study have in common, in JSON: what is not tried, the space and the seeds."""
    tried = {dimension.field: f"in {dimension.words()}" for dimension in space}
    fields = {name: value for name, value in settings_of(config).items() if name not in HARMLESS}
    return in_json({**fields, **tried, "seeds": seeds})


def codes_of(config: TrainConfig, space: Sequence[Dimension]) -> dict[str, Any]:
    """Return what a trial draws that has a configuration's own setting, or the nearest one that is in the space."""
    values = settings_of(config)
    codes = {dimension.field: dimension.code(values[dimension.field]) for dimension in space}
    return {name: code for name, code in codes.items() if code is not None}


class Searcher:
    """What this machine does for a study."""

    def __init__(
        self, config: TrainConfig, space: Sequence[Dimension], spaces: Spaces, folder: Path, trials: Trials, how: Search
    ) -> None:
        """Nothing is begun yet."""
        self.config, self.space, self.spaces, self.folder, self.trials = config, space, spaces, folder, trials
        self.slots = how.jobs or usable_cores()
        self.seeds = range(config.seed, config.seed + how.seeds)
        self.steps = rungs(config.num_timesteps)
        self.active: list[TrialRun] = []
        self.leaving: list[TrialRun] = []  # whose trainings are asked to end
        self.screen = Screen(trials, config, how.seeds)

    def run(self, signals: StopSignals) -> int:
        """Make all trials, or stop when a signal says so; returns the exit code.

        Raises:
          Failure: the first trial cannot be trained, which has the configuration's own setting, or one near it; or see
            `tune`.
        """
        try:
            while True:
                if (asked := signals.asked()) is not None:
                    return asked.exit_code
                self._look()
                begun = self._fill()
                if not begun and not self.active and not self.leaving:
                    if not self.trials.elsewhere:
                        return FINISHED
                    self.screen.waits(self.trials.elsewhere)
                    time.sleep(WAIT)
                self.screen.show(self.active)
                time.sleep(LOOK)
        finally:
            for trial in self.active:
                trial.stop()
            self.screen.close()
            while any(trial.running for trial in (*self.active, *self.leaving)):
                time.sleep(LOOK)

    def _fill(self) -> bool:
        """Give each free core a training: a further seed of a trial under way, or the first of a new one."""
        self.leaving = [trial for trial in self.leaving if trial.running]
        free = self.slots - sum(trial.running for trial in (*self.active, *self.leaving))
        begun = False
        while free > 0:
            trial = next((trial for trial in self.active if trial.waiting), None) or self._new()
            if trial is None:
                break
            if trial.waiting:
                if not trial.begin_next():
                    break
                free -= 1
            begun = True
        return begun

    def _new(self) -> TrialRun | None:
        """Return a further trial, under way now; None if there is none to begin."""
        while (found := self.trials.next(self.space)) is not None:
            trial, drawn = found
            chosen = candidate(self.config, drawn, self.spaces)
            run = TrialRun(trial, chosen, self.folder / TRIALS / f"{trial.number:04d}", self.seeds, self.steps)
            values = drawn if chosen.refused else settings_of(chosen.config)
            self.trials.note(trial, **{SETTING: in_json({name: values[name] for name in drawn})})
            self.active.append(run)
            if chosen.refused:
                self._end(run, Outcome(REFUSED, WORST, chosen.refused))
                continue
            self.screen.begun(run)
            return run
        return None

    def _look(self) -> None:
        """See what has come of the trials under way."""
        for run in [*self.active]:
            self.trials.sign(run.trial)
            outcome = run.look()
            if outcome is None and self.trials.pruned(run.trial, run.new_returns()):
                outcome = Outcome(PRUNED)
            if outcome is not None:
                self._end(run, outcome)

    def _end(self, run: TrialRun, outcome: Outcome) -> None:
        """Count a trial, with what has come of it.

        Raises:
          Failure: it is the first, and cannot be trained.
        """
        if self.trials.is_first(run.trial) and outcome.kind in (REFUSED, TOO_SHORT, CRASHED):
            kind = Failure if outcome.kind == CRASHED else UsageError
            raise kind(f"the first trial cannot be trained: {outcome.reason}; see {run.folder}")
        run.stop()
        self.active.remove(run)
        self.leaving.append(run)
        self.trials.note(run.trial, **{KIND: outcome.kind, REASON: outcome.reason, RETURNS: list(outcome.returns)})
        self.trials.end(run.trial, outcome.score)
        self.screen.ended(run, outcome)
