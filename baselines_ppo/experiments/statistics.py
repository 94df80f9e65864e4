"""What a few runs say about all runs: means, medians, interquartile means, and intervals around them.

The measures are those of Agarwal et al. 2021, arXiv:2108.13264. Their package, rliable, is not used: it needs arch,
pandas and seaborn, for what is a page of numpy.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence

import numpy as np

from baselines_ppo.common.failures import UsageError

CONFIDENCE, RESAMPLES = 0.95, 10_000
PACKAGES = ("matplotlib", "scipy")  # that intervals and figures are made with; not every machine has them
BATCH = 500  # resamples at once

Statistic = Callable[[Sequence[np.ndarray]], np.ndarray]  # of strata, each [..., runs of the stratum], to [...]


def mean(strata: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean of all scores, [...]."""
    return np.concatenate(strata, axis=-1).mean(axis=-1)


def median(strata: Sequence[np.ndarray]) -> np.ndarray:
    """Return the median of all scores, [...]."""
    return np.median(np.concatenate(strata, axis=-1), axis=-1)


def interquartile_mean(strata: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean of the middle half of all scores, [...]; per side a quarter, rounded down, is left out."""
    scores = np.sort(np.concatenate(strata, axis=-1), axis=-1)
    cut = scores.shape[-1] // 4
    return scores[..., cut : scores.shape[-1] - cut].mean(axis=-1)


def probability_of_improvement(strata: Sequence[np.ndarray]) -> np.ndarray:
    """Return how often a run of one group scores higher than one of another, [...]; a tie counts half.

    Args:
      strata: the scores of the first group by tasks, then those of the other by the same tasks; all tasks count alike.

    Source: Agarwal et al. 2021, section 4.3: the Mann-Whitney U statistic, divided by the number of pairs.
    """
    tasks = len(strata) // 2
    wins = []
    for ours, theirs in zip(strata[:tasks], strata[tasks:], strict=True):
        difference = ours[..., :, None] - theirs[..., None, :]
        wins.append(((difference > 0) + 0.5 * (difference == 0)).mean(axis=(-2, -1)))
    return np.mean(wins, axis=0)


def interval(
    strata: Sequence[np.ndarray], statistic: Statistic = mean, confidence: float = CONFIDENCE, seed: int = 0
) -> tuple[float, float]:
    """Return the bootstrap interval of a statistic, by resampling runs within each stratum; NaN where it has one run.

    Args:
      strata: scores, each [runs], of one task; or see `probability_of_improvement`.
    """
    if min(map(len, strata)) < 2:
        return math.nan, math.nan
    random = np.random.default_rng(seed)
    found = [
        statistic([scores[random.integers(0, len(scores), (BATCH, len(scores)))] for scores in strata])
        for _ in range(RESAMPLES // BATCH)
    ]
    tail = tail_of(sum(map(len, strata)), len(strata), confidence)
    low, high = np.quantile(np.concatenate(found), [tail, 1 - tail])
    return float(low), float(high)


def band(curves: np.ndarray, confidence: float = CONFIDENCE, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return below and above what the mean over runs is likely to be at each point, [points] each.

    Args:
      curves: [runs, points], two runs at least.
    """
    runs = len(curves)
    shares = np.random.default_rng(seed).multinomial(runs, np.full(runs, 1 / runs), RESAMPLES) / runs
    tail = tail_of(runs, 1, confidence)
    parts = np.array_split(curves, max(1, curves.shape[1] // 100), axis=1)  # 8 MB each
    found = [np.quantile(shares @ part, [tail, 1 - tail], axis=0) for part in parts]
    low, high = np.concatenate(found, axis=1)
    return low, high


def tail_of(runs: int, strata: int, confidence: float) -> float:
    """Return which share of the resamples is beyond each end of an interval.

    Of few runs the plain quantiles are too narrow: resamples vary by the standard deviation with n in its denominator,
    and the normal law stands for Student's. Both are made up for: Hesterberg 2015, arXiv:1411.5279, the expanded
    percentile interval.
    """
    check_installed()
    from scipy.special import ndtr, stdtrit  # not for `--help`

    freedom = runs - strata
    quantile = stdtrit(freedom, (1 + confidence) / 2)
    return float(ndtr(-quantile * math.sqrt(runs / freedom)))


def check_installed() -> None:
    """Check that they are here, before anything is begun whose end needs them.

    Raises:
      UsageError: one of them is not.
    """
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise UsageError(f"{package} is not installed; pip install 'matplotlib>=3.7' 'scipy>=1.11'")
