"""Statistics of few runs: against scipy, against values by hand, and against what they promise."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines_ppo.experiments.statistics import (
    band,
    interquartile_mean,
    interval,
    mean,
    median,
    probability_of_improvement,
    tail_of,
)

stats: Any = pytest.importorskip("scipy.stats")
SCORES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12).map(np.array)


@given(SCORES)
def test_the_interquartile_mean_is_the_mean_that_scipy_trims(scores: np.ndarray) -> None:
    np.testing.assert_allclose(interquartile_mean([scores]), stats.trim_mean(scores, 0.25), rtol=1e-9, atol=1e-6)


def test_measures_of_small_cases_by_hand() -> None:
    eight = [np.array([100.0, 2, 3, 4, 5, 6, 7, -100])]
    assert interquartile_mean(eight) == (3 + 4 + 5 + 6) / 4
    assert interquartile_mean([np.array([1.0, 2, 3, 4, 50])]) == 3
    assert interquartile_mean([np.array([1.0, 2, 6])]) == 3  # a quarter of three is no run
    assert mean(eight) == 27 / 8
    assert median(eight) == 4.5
    two_tasks = [np.array([0.0, 1.0]), np.array([10.0, 20.0, 30.0, 40.0])]
    assert mean(two_tasks) == 101 / 6
    assert median(two_tasks) == 15


def test_the_probability_of_improvement_by_hand() -> None:
    ours, theirs = np.array([1.0, 2, 3]), np.array([2.0, 2])
    assert probability_of_improvement([ours, theirs]) == (0 + 0 + 0.5 + 0.5 + 1 + 1) / 6
    sure = [np.array([5.0, 6.0]), np.array([1.0])]
    assert probability_of_improvement(sure) == 1
    tasks = [ours, sure[0], theirs, sure[1]]  # the first group's two tasks, then the other's
    assert probability_of_improvement(tasks) == (0.5 + 1) / 2


@given(SCORES, SCORES)
def test_the_probability_of_improvement_is_that_of_mann_and_whitney(ours: np.ndarray, theirs: np.ndarray) -> None:
    pairs = len(ours) * len(theirs)
    expected = stats.mannwhitneyu(ours, theirs, method="asymptotic").statistic / pairs
    found = probability_of_improvement([ours, theirs])
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(found + probability_of_improvement([theirs, ours]), 1)


@pytest.mark.parametrize("statistic", [mean, median, interquartile_mean])
@pytest.mark.parametrize("sizes", [(30,), (20, 30)])
def test_intervals_are_the_percentiles_that_scipy_finds(statistic: Any, sizes: tuple[int, ...]) -> None:
    """Strata are resampled each for itself, as scipy does with several samples."""
    random = np.random.default_rng(1)
    strata = [random.normal(size=size) * (k + 1) for k, size in enumerate(sizes)]
    tail = tail_of(sum(sizes), len(sizes), 0.95)
    expected = stats.bootstrap(
        strata, lambda *parts, axis: statistic(parts), confidence_level=1 - 2 * tail, method="percentile",
        n_resamples=20_000, vectorized=True, rng=np.random.default_rng(2),
    ).confidence_interval  # fmt: skip
    found = interval(strata, statistic)
    width = expected.high - expected.low
    np.testing.assert_allclose(found, expected, atol=0.05 * width)


def test_the_tail_is_that_of_hesterberg_and_nears_the_plain_one() -> None:
    """For 20 runs: Student's 2.093 of 19 degrees of freedom, times the root of 20/19, is 2.147 of the normal law."""
    assert tail_of(20, 1, 0.95) == pytest.approx(stats.norm.sf(2.093 * math.sqrt(20 / 19)), rel=1e-3)
    assert tail_of(100_000, 1, 0.95) == pytest.approx(0.025, rel=1e-3)
    assert tail_of(5, 1, 0.95) < tail_of(10, 1, 0.95) < 0.025


def test_the_interval_of_four_runs_is_that_of_all_256_resamples() -> None:
    scores = np.array([1.0, 2.0, 4.0, 8.0])
    means = np.sort([np.mean(resample) for resample in itertools.product(scores, repeat=4)])
    tail = tail_of(4, 1, 0.8)
    expected = np.quantile(means, [tail, 1 - tail], method="inverted_cdf")
    np.testing.assert_allclose(interval([scores], confidence=0.8), expected, atol=0.26)  # one step of the means


def test_one_run_has_no_interval_and_equal_runs_have_none_to_speak_of() -> None:
    assert all(map(math.isnan, interval([np.array([3.0])])))
    assert all(map(math.isnan, interval([np.array([3.0, 4.0]), np.array([3.0])])))
    assert interval([np.array([3.0, 3.0, 3.0])]) == (3, 3)


def test_a_band_covers_the_mean_at_its_rate() -> None:
    """Of ten seeds, 95 % of the points of many curves have the true mean in the band; plain percentiles: 90 %."""
    random = np.random.default_rng(0)
    truth = np.linspace(-3, 5, 50)
    covered = []
    for _ in range(40):
        low, high = band(truth + random.normal(size=(10, len(truth))))
        covered.append((low <= truth) & (truth <= high))
    assert 0.935 < np.mean(covered) < 0.965


def test_a_band_is_the_interval_at_each_point() -> None:
    curves = np.random.default_rng(3).exponential(size=(30, 230)).cumsum(axis=1)
    low, high = band(curves)
    for point in (0, 99, 100, 229):
        expected = interval([curves[:, point]])
        np.testing.assert_allclose((low[point], high[point]), expected, atol=0.05 * (expected[1] - expected[0]))
