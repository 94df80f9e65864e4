"""One trial under way: its setting is trained with each seed, and judged by the mean of their returns."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from optuna.trial import Trial

from baselines_ppo.common.failures import FINISHED, DataError, LoadError, UsageError, WriteError
from baselines_ppo.common.files.lock import user_of
from baselines_ppo.experiments.columns import read_columns
from baselines_ppo.experiments.jobs import MADE, End, Job, stage, wait_until_free
from baselines_ppo.experiments.runs import STEPS
from baselines_ppo.experiments.scores import TRAINING_RETURN
from baselines_ppo.experiments.tuning.candidates import Candidate, settings_of
from baselines_ppo.experiments.tuning.study import WORST

COMPLETE, PRUNED, DIVERGED, REFUSED, CRASHED = "complete", "pruned", "diverged", "refused", "crashed"
TOO_SHORT = "no episode ended"
ATTEMPTS = 2  # at a training that crashes
PATIENCE = 120.0  # s that a training of an earlier start may take to save and end
KINDS = {UsageError.exit_code: REFUSED, DataError.exit_code: DIVERGED}  # by exit code; any other is a crash


class Outcome(NamedTuple):
    """How a trial has ended."""

    kind: str
    score: float | None = None  # None where it was pruned
    reason: str = ""  # why it could not be trained to its end
    returns: Sequence[float | None] = ()  # of each seed


class TrialRun:
    """The trainings of one trial, one for each seed."""

    def __init__(self, trial: Trial, candidate: Candidate, folder: Path, seeds: Sequence[int], steps: Sequence[int]):
        """Nothing is begun yet.

        Args:
          folder: of the trial; each seed gets a run folder in it.
          steps: at which the return is looked at.
        """
        self.trial, self.candidate, self.number = trial, candidate, trial.number
        self.folder, self._steps, self._reported = folder, steps, 0
        settings = {**settings_of(candidate.config), "preset": "none"}
        self._jobs = [Job(folder / f"seed-{seed}", {**settings, "seed": seed}) for seed in seeds]
        self._patience = time.monotonic() + PATIENCE
        self._attempts = [0] * len(self._jobs)
        self._ends: list[End | None] = [None] * len(self._jobs)

    @property
    def waiting(self) -> bool:
        """Whether there is a seed that is not begun yet."""
        return 0 in self._attempts

    @property
    def running(self) -> int:
        """How many trainings are under way."""
        return sum(self._is_running(index) for index in range(len(self._jobs)))

    def _is_running(self, index: int) -> bool:
        """Return whether the training of a seed is under way; keeps how it has ended."""
        if self._attempts[index] and self._ends[index] is None:
            self._ends[index] = self._jobs[index].end()
            return self._ends[index] is None
        return False

    @property
    def steps(self) -> int:
        """Steps of all its trainings so far."""
        found = [job.standing() for job in self._jobs]
        return sum(standing.steps for standing in found if standing is not None)

    @property
    def return_now(self) -> float | None:
        """The mean of the returns of its trainings so far; None before an episode has ended."""
        found = [standing.episode_return for job in self._jobs if (standing := job.standing()) is not None]
        known = [value for value in found if value is not None]
        return float(np.mean(known)) if known else None

    def begin_next(self) -> bool:
        """Begin the training of one further seed, or go on with it; returns False where it still saves.

        Raises:
          UsageError: another process trains in its folder.
          WriteError: its output cannot be written.
        """
        index = self._attempts.index(0)
        if user_of(self._jobs[index].folder) and time.monotonic() < self._patience:
            return False
        self._begin(index)
        return True

    def _begin(self, index: int) -> None:
        job = self._jobs[index]
        wait_until_free(job.folder, PATIENCE)
        self._attempts[index] += 1
        if stage(job.folder, self.candidate.config.num_timesteps) == MADE:  # before an earlier start was killed
            self._ends[index] = End(FINISHED, "")
        else:
            self._ends[index] = None
            job.begin()

    def stop(self) -> None:
        """Let all its trainings save and end."""
        for index, job in enumerate(self._jobs):
            if self._is_running(index):
                job.stop()

    def look(self) -> Outcome | None:
        """Return how the trial has ended; None while it goes on. A training that has crashed is begun once more.

        Raises:
          WriteError: a training could not write its files.
        """
        for index in range(len(self._jobs)):
            end = None if self._is_running(index) else self._ends[index]
            if end is None or end.exit_code == FINISHED:
                continue
            if end.exit_code == WriteError.exit_code:
                raise WriteError(end.error)
            if end.exit_code in KINDS:
                return Outcome(KINDS[end.exit_code], WORST, end.error)
            if self._attempts[index] == ATTEMPTS:
                return Outcome(CRASHED, WORST, end.error or "somebody has stopped its training")
            self._begin(index)
        return None if None in self._ends else self._scored()

    def _scored(self) -> Outcome:
        """Return the mean over the seeds of the mean return of the last 100 episodes of training."""
        found = [job.standing() for job in self._jobs]
        returns = [None if standing is None else standing.episode_return for standing in found]
        known = [value for value in returns if value is not None]
        if len(known) < len(returns):
            reason = f"{self.candidate.config.num_timesteps:,} steps are too few for an episode to end"
            return Outcome(TOO_SHORT, WORST, reason, returns)
        return Outcome(COMPLETE, float(np.mean(known)), "", returns)

    def new_returns(self) -> dict[int, float]:
        """Return the mean over the seeds that have begun of their returns, at each step that all of these have made.

        Steps that were given before are left out.
        """
        begun = [job for attempts, job in zip(self._attempts, self._jobs, strict=True) if attempts]
        made = min((0 if (standing := job.standing()) is None else standing.steps for job in begun), default=0)
        steps = [step for step in self._steps if self._reported < step <= made]
        if not steps:
            return {}
        self._reported = steps[-1]
        curves = [returns_at(job.folder, steps) for job in begun]
        common = [step for step in steps if all(step in curve for curve in curves)]
        return {step: float(np.mean([curve[step] for curve in curves])) for step in common}


def returns_at(run: Path, steps: Sequence[int]) -> dict[int, float]:
    """Return a run's mean return of the last 100 episodes when it had made so many steps, where both are known."""
    try:
        columns = read_columns(run)
    except LoadError:  # something else has written there, too
        return {}
    made, returns = (columns.get(name, np.zeros(0)) for name in (STEPS, TRAINING_RETURN))
    rows = np.searchsorted(made, steps)  # the first with so many steps
    return {
        step: float(returns[row])
        for step, row in zip(steps, rows, strict=True)
        if row < len(returns) and np.isfinite(returns[row])
    }
