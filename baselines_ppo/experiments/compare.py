"""`compare`: final scores of groups of runs, with intervals, and how likely one group is better than another."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence

import numpy as np

from baselines_ppo.common.failures import UsageError, nearest, short
from baselines_ppo.common.files.whole import shown
from baselines_ppo.experiments.comparison import Comparison, Estimate, Passed, Row
from baselines_ppo.experiments.curves import RETURNS
from baselines_ppo.experiments.references import REGISTERED, random_return, reward_threshold, threshold_for
from baselines_ppo.experiments.runs import SAME_LENGTH, Place, Run, find_runs, grouped, known_runs, say_repeated
from baselines_ppo.experiments.scores import TRAINING_RETURN, final_score, passing
from baselines_ppo.experiments.statistics import (
    Statistic,
    interquartile_mean,
    interval,
    mean,
    median,
    probability_of_improvement,
)

ALL = "all, normalised"

Groups = dict[str, dict[str, list[Run]]]  # by environment, then by label


def compare(
    runs: Place | Iterable[Place],
    by: Sequence[str] | str | None = None,
    score: str = TRAINING_RETURN,
    over: str | None = None,
    threshold: float | str | None = REGISTERED,
    across: bool = False,
) -> Comparison:
    """Return the final scores of groups of runs: means, medians and interquartile means with 95 % intervals.

    Environments are compared each for itself.

    Args:
      runs: run folders, folders that contain runs, patterns such as "runs/*/ppo2-*", or what `find_runs` returned.
      by: fields that make the groups, such as "alg" or ("alg", "learning_rate"); None: those in which the runs differ.
      score: the column whose last value is a run's score, such as "eval_return".
      over: the group that the others are to be better than; None: the first.
      threshold: whose passing is timed; "registered": the environment's own, if it has one; None: none.
      across: compare over all environments together, too. There a score of 0 is that of a random agent, and 1 is the
        registered threshold.

    Raises:
      LoadError: there is no run, or one is damaged.
      UsageError: a field, a column or a group is unknown, or no run has a score; or an environment has no threshold,
        and `across` needs one.

    Source: Agarwal et al. 2021, arXiv:2108.13264.
    """
    if across and score not in RETURNS:
        raise UsageError(
            f"--across normalises returns, and --score is {short(score)}; give one of {', '.join(RETURNS)}"
        )
    groups = scored_groups(find_runs(runs), by, score)
    labels = list(dict.fromkeys(label for of_env in groups.values() for label in of_env))
    over = labels[0] if over is None else over
    if over not in labels:
        raise UsageError(
            f"--over is {short(over)}, which is no group{nearest(over, labels)}; there are {', '.join(labels)}"
        )
    rows = []
    for env, of_env in groups.items():
        scores = {label: [np.array([final_score(run, score) for run in own])] for label, own in of_env.items()}
        # The registered one is a return, and says nothing of other columns.
        limit = None if threshold == REGISTERED and score not in RETURNS else threshold_for(env, threshold)
        for label, own in of_env.items():
            passed = None if limit is None else passed_by(own, limit, score)
            rows.append(row_of(env, label, scores[label], scores.get(over) if label != over else None, passed))
    if across:
        rows += rows_across(groups, labels, over, score)
    return Comparison(tuple(rows), over, score)


def scored_groups(runs: Sequence[Run], by: Sequence[str] | str | None, score: str) -> Groups:
    """Return the runs that have a score by environment and group; says on stderr which have none, or end early.

    Raises:
      UsageError: the column is unknown, or no run has a score.
    """
    columns = {name for run in runs for name in run.columns}
    if columns and score not in columns:
        raise UsageError(f"--score is {short(score)}, which is no column of these runs{nearest(score, columns)}")
    scored = known_runs(runs, score, lambda run: math.isfinite(final_score(run, score)))
    for run in scored:
        if not run.finished:
            sys.stderr.write(f"{shown(run.path)} is not finished: its score is that after {run.total_steps:,} steps\n")
    groups = grouped(scored, by)
    for env, of_env in groups.items():
        for label, own in of_env.items():
            say_repeated(f"{env}, {label}", own)
        steps = [run.total_steps for own in of_env.values() for run in own if run.finished]
        if steps and min(steps) < SAME_LENGTH * max(steps):
            sys.stderr.write(f"{env}: its runs were trained for {min(steps):,} to {max(steps):,} steps\n")
    return groups


def passed_by(runs: Sequence[Run], threshold: float, score: str) -> Passed:
    """Return how many runs of a group passed a threshold, and when."""
    times = [passing(run, threshold, score) for run in runs]
    steps, hours = np.median(times, axis=0)
    return Passed(threshold, int(sum(math.isfinite(time.steps) for time in times)), float(steps), float(hours))


def row_of(
    env: str,
    label: str,
    strata: Sequence[np.ndarray],
    over: Sequence[np.ndarray] | None,
    passed: Passed | None = None,
) -> Row:
    """Return the figures of one group, and how likely it is better than another's scores of the same strata."""
    better = None if over is None else estimate([*strata, *over], probability_of_improvement)
    return Row(
        env,
        label,
        runs=sum(map(len, strata)),
        mean=estimate(strata, mean),
        median=estimate(strata, median),
        iqm=estimate(strata, interquartile_mean),
        improvement=better,
        passed=passed,
    )


def estimate(strata: Sequence[np.ndarray], statistic: Statistic) -> Estimate:
    """Return a statistic with its 95 % interval."""
    return Estimate(float(statistic(strata)), *interval(strata, statistic))


def rows_across(groups: Groups, labels: Sequence[str], over: str, score: str) -> list[Row]:
    """Return the figures of each group over all environments, of normalised scores, resampled within environments.

    Raises:
      UsageError: an environment has no threshold, or has no run of some group.
    """
    normalised: dict[str, list[np.ndarray]] = {label: [] for label in labels}
    for env, of_env in groups.items():
        one = reward_threshold(env)
        if one is None:
            raise UsageError(
                f"{env} has no threshold that is known here, so its scores cannot be normalised; leave it out"
            )
        if missing := [label for label in labels if label not in of_env]:
            raise UsageError(f"there is no run of {missing[0]} on {env}; leave one of them out, or --across")
        zero = random_return(next(iter(of_env.values()))[0])
        for label, own in of_env.items():
            scores = np.array([final_score(run, score) for run in own])
            normalised[label].append((scores - zero) / (one - zero))
    return [row_of(ALL, label, normalised[label], normalised[over] if label != over else None) for label in labels]
