"""`plot`: learning curves of groups of runs, the mean over their seeds with a bootstrap band."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from baselines_ppo.common.failures import ModuleNotNamed, UsageError
from baselines_ppo.common.files.whole import checked_file, shown
from baselines_ppo.experiments.curves import (
    RETURNS,
    Curve,
    MeanCurve,
    axis_of,
    check_columns,
    curve_of,
    mean_curve,
    rest_of,
)
from baselines_ppo.experiments.figures import (
    GREY,
    KINDS,
    look_of,
    note,
    number_axis,
    panels,
    paper_style,
    write_figure,
    written_number,
)
from baselines_ppo.experiments.references import REGISTERED, random_return, threshold_for
from baselines_ppo.experiments.runs import SAME_LENGTH, Place, Run, find_runs, grouped, known_runs, say_repeated

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = {"episode_return": "return (mean of the last 100 episodes)", "eval_return": "return in evaluation"}


class Group(NamedTuple):
    """The runs of one environment that make one curve."""

    env: str
    label: str
    runs: Sequence[Run]  # those that have a value
    curves: Sequence[Curve]  # of these runs
    mean: MeanCurve


def plot(
    runs: Place | Iterable[Place],
    out: str | Path | None = None,
    by: Sequence[str] | str | None = None,
    x: str = "steps",
    y: str = "episode_return",
    smooth: int = 1,
    random: bool = False,
    threshold: float | str | None = REGISTERED,
) -> Figure:
    """Return a figure of learning curves: a panel for each environment, a curve with a band for each group of runs.

    A curve is the mean of its runs, and its band the 95 % bootstrap interval of that mean at each point. Both end where
    the shortest run ends; beyond, the longer runs are thin lines.

    Args:
      runs: run folders, folders that contain runs, patterns such as "runs/*/ppo2-*", or what `find_runs` returned.
      out: a file to write the figure into: .png, .svg or .pdf.
      by: fields that make the groups, such as "alg" or ("alg", "learning_rate"); None: those in which the runs differ.
      x: steps, minutes, hours or episodes, or a column of progress.csv.
      y: a column of progress.csv.
      smooth: each point is the mean of so many values of the column.
      random: draw the mean return of a random agent over 100 episodes, too.
      threshold: a return to draw as a line; "registered": the environment's own, if it has one; None: none.

    Raises:
      LoadError: there is no run, or one is damaged.
      UsageError: a field, a column or an ending is unknown, or no run has a value yet.
      WriteError: the file cannot be written.
    """
    path = None if out is None else checked_file(out, KINDS)
    if smooth < 1:
        raise UsageError(f"--smooth is {smooth}, expected at least 1")
    groups = groups_of(find_runs(runs), by, x, y, smooth)
    environments, labels = (
        list(dict.fromkeys(names)) for names in ([g.env for g in groups], [g.label for g in groups])
    )
    with paper_style():
        figure, axes = panels(len(environments), *((5.4, 3.6) if len(environments) == 1 else (3.2, 2.6)))
        for env, panel in zip(environments, axes, strict=True):
            own = [group for group in groups if group.env == env]
            for group in own:
                _draw_group(panel, group, labels.index(group.label))
            if y in RETURNS:
                _draw_references(panel, own[0].runs[0], random, threshold)
            panel.set(title=env, xlabel=axis_of(x).label)
            panel.margins(x=0.02, y=0.08)
            number_axis(panel.xaxis)
            number_axis(panel.yaxis)
        label = LABELS.get(y, y.replace("_", " "))
        axes[0].set_ylabel(label) if len(axes) == 1 else figure.supylabel(label, fontsize=9)
        _add_legend(figure, axes, groups, labels)
        note(figure, _caption(groups, smooth))
    if path is not None:
        write_figure(figure, path)
    return figure


def groups_of(runs: Sequence[Run], by: Sequence[str] | str | None, x: str, y: str, smooth: int) -> list[Group]:
    """Return the groups that become curves; says on stderr what a reader must know of them.

    Raises:
      UsageError: a field or a column is unknown, or no run has a value.
    """
    check_columns(runs, x, y)
    known = known_runs(runs, y, lambda run: len(curve_of(run, x, y).x) > 0)
    groups = []
    for env, of_env in grouped(known, by).items():
        for label, own in of_env.items():
            curves = [curve_of(run, x, y, smooth) for run in own]
            groups.append(Group(env, label, own, curves, mean_curve(curves)))
            _say_what_is_odd(groups[-1], x)
    return groups


def _say_what_is_odd(group: Group, x: str) -> None:
    """Say on stderr if a group has one run alone, a seed twice, or runs of different length."""
    axis = axis_of(x).label
    name = f"{group.env}, {group.label}"
    say_repeated(name, group.runs)
    if len(group.runs) == 1:
        sys.stderr.write(f"{name}: one run, so there is no band\n")
    ends = [float(curve.x[-1]) for curve in group.curves]
    if min(ends) < SAME_LENGTH * max(ends):
        shortest = group.runs[int(np.argmin(ends))]
        which = "the shortest run" if shortest.finished else "a run that is not finished"
        why = f"because of {shown(shortest.path)}, {which}"
        where = f"mean and band end at {written_number(min(ends))} {axis}"
        if not len(group.mean.x):
            last = group.runs[int(np.argmax([curve.x[0] for curve in group.curves]))]
            where, why = "there is no mean", f"because {shown(shortest.path)} ends before {shown(last.path)} begins"
        sys.stderr.write(f"{name}: {where}, {why}\n")


def _draw_group(panel: Axes, group: Group, place: int) -> None:
    look, mean = look_of(place), group.mean
    (line,) = panel.plot(mean.x, mean.mean, label=group.label, marker="o" if len(mean.x) == 1 else None, **look)
    if mean.low is not None and mean.high is not None:
        panel.fill_between(mean.x, mean.low, mean.high, color=line.get_color(), alpha=0.2, linewidth=0)
    for curve in group.curves:
        end = mean.x[-1] if len(mean.x) else -np.inf
        if curve.x[-1] > end:
            panel.plot(*rest_of(curve, end), color=line.get_color(), linewidth=0.5, alpha=0.6)


def _draw_references(panel: Axes, run: Run, random: bool, threshold: float | str | None) -> None:
    """Draw what a return is compared with as lines, each with its name on it."""
    value = threshold_for(run.env, threshold)
    if value is not None:
        what = "reward threshold" if threshold == REGISTERED else "threshold"
        _draw_line(panel, value, f"{what} {written_number(value)}", "--", left=True)
    if random:
        try:
            value = random_return(run)
            _draw_line(panel, value, f"random agent {written_number(value)}", ":", left=False)
        except ModuleNotNamed as error:
            sys.stderr.write(f"{run.env}: no random agent is drawn; {error}\n")


def _draw_line(panel: Axes, y: float, name: str, dashes: str, left: bool) -> None:
    panel.axhline(y, color=GREY, linewidth=0.8, linestyle=dashes, zorder=1)
    panel.annotate(
        name, (0.01 if left else 0.99, y), xycoords=("axes fraction", "data"), xytext=(0, 1.5),
        textcoords="offset points", ha="left" if left else "right", va="bottom", fontsize=7, color=GREY,
    )  # fmt: skip


def _add_legend(figure: Figure, axes: Sequence[Axes], groups: Sequence[Group], labels: Sequence[str]) -> None:
    """Add a legend with the number of seeds of each group, inside of a single panel, else above all."""
    lines = {line.get_label(): line for panel in axes for line in panel.get_lines()}
    names = []
    for label in labels:
        seeds = sorted({len(group.runs) for group in groups if group.label == label})
        names.append(f"{label} (n = {' to '.join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))})")
    handles = [lines[label] for label in labels]
    if len(axes) == 1 and len(labels) <= 6:
        axes[0].legend(handles, names, loc="best", frameon=True, framealpha=0.8, edgecolor="none")
    else:
        columns = int(figure.get_figwidth() / (0.6 + 0.075 * max(map(len, names))))  # inches, of a line and a letter
        figure.legend(handles, names, loc="outside upper center", ncols=min(len(labels), max(1, columns)))


def _caption(groups: Sequence[Group], smooth: int) -> str:
    """Return what the curves are."""
    smoothed = "no smoothing" if smooth == 1 else f"each point is the mean of {smooth} values"
    several = [group for group in groups if len(group.runs) > 1]
    if any(len(group.mean.x) for group in several):
        drawn = "mean over n seeds, 95 % bootstrap band"
    else:
        drawn = "each run by itself, no mean" if several else "one seed each, no band"
    return f"{drawn}; {smoothed}"
