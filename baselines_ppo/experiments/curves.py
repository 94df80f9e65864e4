"""Learning curves: of a run, and the mean of several on a grid that they have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from baselines_ppo.common.failures import LoadError, UsageError, nearest, short
from baselines_ppo.common.files.run_folder import PROGRESS
from baselines_ppo.common.files.whole import shown
from baselines_ppo.experiments.runs import STEPS, Run
from baselines_ppo.experiments.statistics import band

MOST_POINTS = 500  # of a mean; a figure shows no more
RETURNS = ("episode_return", "eval_return")  # columns that a threshold or a random agent's return is compared with
SECONDS = "seconds"


class Axis(NamedTuple):
    """What a curve is drawn over."""

    column: str
    unit: float  # of the axis, in units of the column
    label: str


AXES: Mapping[str, Axis] = MappingProxyType(
    {
        "steps": Axis(STEPS, 1.0, "environment steps"),
        "minutes": Axis(SECONDS, 60.0, "minutes of training"),
        "hours": Axis(SECONDS, 3600.0, "hours of training"),
        "episodes": Axis("episodes", 1.0, "episodes"),
    }
)


class Curve(NamedTuple):
    """A column of a run's log over another, both [points]; x increases, and nothing is NaN."""

    x: np.ndarray
    y: np.ndarray


class MeanCurve(NamedTuple):
    """The mean of several runs, [points] each; without a band where there is one run."""

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None


def axis_of(x: str) -> Axis:
    """Return an axis by its name; any other name is that of a column."""
    return AXES.get(x, Axis(x, 1.0, x.replace("_", " ")))


def check_columns(runs: Sequence[Run], x: str, y: str) -> None:
    """Check that there is something to draw over something.

    Raises:
      UsageError: no run has such a column.
    """
    columns = dict.fromkeys(name for run in runs for name in run.columns)
    for flag, name, known in (("--x", x, [*AXES, *columns]), ("--y", y, [*columns])):
        if columns and name not in known:
            hint = nearest(name, known) or f"; there are {', '.join(known)}"
            raise UsageError(f"{flag} is {short(name)}, which is no column of these runs{hint}")


def curve_of(run: Run, x: str = "steps", y: str = "episode_return", smooth: int = 1) -> Curve:
    """Return a run's curve; there is no point in it where nothing is known yet, or the run has no such column.

    Args:
      x: a name of `AXES`, or a column.
      y: a column.
      smooth: each point is the mean of so many values, its own and those before; 1: as it is.

    Raises:
      LoadError: x falls somewhere, so that this is no curve.
    """
    axis = axis_of(x)
    if axis.column not in run.columns or y not in run.columns:
        return Curve(np.zeros(0), np.zeros(0))
    xs, ys = run.columns[axis.column] / axis.unit, run.columns[y]
    known = np.isfinite(xs) & np.isfinite(ys)
    xs, ys = xs[known], ys[known]
    if (np.diff(xs) < 0).any():
        row = int(np.flatnonzero(known)[np.flatnonzero(np.diff(xs) < 0)[0] + 1]) + 1
        raise LoadError(f"{shown(run.path / PROGRESS)}: {axis.column} falls in row {row}, so there is no curve over it")
    ys = _smoothed(ys, smooth)
    last = np.append(np.diff(xs) > 0, True)[: len(xs)]  # of the rows in which x stays the same
    return Curve(xs[last], ys[last])


def _smoothed(ys: np.ndarray, width: int) -> np.ndarray:
    """Return the mean of each value and those before it, `width` in all; of the first ones, as many as there are."""
    if width == 1:
        return ys
    sums = np.cumsum(np.concatenate([[0.0], ys]))
    ends = np.arange(1, len(ys) + 1)
    begins = np.maximum(ends - width, 0)
    return (sums[ends] - sums[begins]) / (ends - begins)


def mean_curve(curves: Sequence[Curve]) -> MeanCurve:
    """Return the mean of curves where all of them are known, with its 95 % bootstrap band at each point.

    It begins where the last of them begins, and ends where the shortest ends. Its points are those of all curves;
    between its own points a curve is a straight line. There is no point in it where one run ends before another begins.
    """
    begin, end = max(curve.x[0] for curve in curves), min(curve.x[-1] for curve in curves)
    grid = np.unique(np.concatenate([curve.x for curve in curves]))
    grid = grid[(grid >= begin) & (grid <= end)]
    if len(grid) > MOST_POINTS:
        grid = grid[np.linspace(0, len(grid) - 1, MOST_POINTS).round().astype(int)]
    ys = np.stack([np.interp(grid, curve.x, curve.y) for curve in curves])
    low, high = band(ys) if len(ys) > 1 else (None, None)
    return MeanCurve(grid, ys.mean(axis=0), low, high)


def rest_of(curve: Curve, end: float) -> Curve:
    """Return what is known of a curve beyond an end, and the last point before it, if there is one."""
    first = max(int(np.searchsorted(curve.x, end, side="right")) - 1, 0)
    return Curve(curve.x[first:], curve.y[first:])
