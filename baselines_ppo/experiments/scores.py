"""What a run comes to: its final score, and how long it took to a threshold."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from baselines_ppo.experiments.curves import SECONDS
from baselines_ppo.experiments.runs import STEPS, Run

AVERAGED, FULL = "episodes_averaged", 100  # the column that says over how many episodes a mean is, and all of them
TRAINING_RETURN = "episode_return"


class Passing(NamedTuple):
    """When a run passed a threshold; infinite where it did not."""

    steps: float
    hours: float


def final_score(run: Run, column: str = TRAINING_RETURN) -> float:
    """Return the last value of a column that is known, NaN where there is none.

    Of `episode_return` this is the mean return of the last 100 episodes of the training.
    """
    values = run.columns.get(column, np.zeros(0))
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) else math.nan


def passing(run: Run, threshold: float, column: str = TRAINING_RETURN) -> Passing:
    """Return when a column first was at a threshold or above.

    The mean return of training episodes counts once it is that of 100 episodes.
    """
    passed = run.columns.get(column, np.zeros(0)) >= threshold
    if column == TRAINING_RETURN and AVERAGED in run.columns:
        passed &= run.columns[AVERAGED] >= FULL
    if not passed.any():
        return Passing(math.inf, math.inf)
    row = int(np.argmax(passed))
    steps, seconds = (run.columns.get(name, np.full(row + 1, math.nan))[row] for name in (STEPS, SECONDS))
    return Passing(float(steps), float(seconds) / 3600)
