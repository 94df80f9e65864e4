"""The outcome of `compare`: as Markdown, CSV, LaTeX and a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from baselines_ppo.common.files.whole import checked_file
from baselines_ppo.experiments.figures import (
    GREY,
    KINDS,
    look_of,
    note,
    panels,
    paper_style,
    write_figure,
    written_number,
)
from baselines_ppo.experiments.tables import csv_table, latex_table, markdown_table

WIDEST = 26  # letters below a panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Estimate(NamedTuple):
    """A figure with its 95 % bootstrap interval, which is NaN where there is one run."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return it as a table has it."""
        inside = "" if math.isnan(self.low) else f" [{written_number(self.low)}, {written_number(self.high)}]"
        return f"{written_number(self.value)}{inside}"


class Passed(NamedTuple):
    """How many runs of a group passed a threshold, and when."""

    threshold: float
    reached: int  # runs that passed it
    steps: float  # until then, the median over runs; infinite where half did not; like the next
    hours: float  # NaN where the logs do not say


class Row(NamedTuple):
    """The scores of one group of runs of one environment."""

    env: str
    group: str
    runs: int
    mean: Estimate
    median: Estimate
    iqm: Estimate  # interquartile mean
    improvement: Estimate | None  # the probability that a run of it scores higher than one of the reference group
    passed: Passed | None  # None: there is no threshold


class Comparison(NamedTuple):
    """Final scores of groups of runs."""

    rows: tuple[Row, ...]
    over: str  # the group that the others are to be better than
    score: str  # the column whose last value is a run's score

    def markdown(self) -> str:
        """Return a table of Markdown, with a line that says what is in it."""
        return f"{markdown_table(*self.words())}\n{self.legend()}\n"

    def _repr_markdown_(self) -> str:
        """Return the table as a notebook shows it; the name is IPython's."""
        return self.markdown()

    def latex(self) -> str:
        """Return a tabular of LaTeX, which needs the package booktabs; a comment says what is in it."""
        return f"% {self.legend()}\n{latex_table(*self.words())}"

    def csv(self) -> str:
        """Return all figures as comma-separated values; a cell is empty where there is no figure."""
        estimates = ("mean", "median", "iqm", "improvement")
        parts = [name + end for name in estimates for end in ("", "_low", "_high")]
        header = ["env", "group", "runs", *parts, "over", "threshold", "reached", "steps", "hours"]
        rows = []
        for row in self.rows:
            figures = [figure for name in estimates for figure in getattr(row, name) or (math.nan,) * 3]
            cells = [row.env, row.group, row.runs, *figures, self.over, *(row.passed or (math.nan,) * 4)]
            rows.append(["" if isinstance(x, float) and math.isnan(x) else str(x) for x in cells])
        return csv_table(header, rows)

    def figure(self, out: str | Path | None = None) -> Figure:
        """Return a figure with a row for each environment and a panel for each measure; writes it where `out` says.

        Args:
          out: a file that ends with .png, .svg or .pdf.

        Raises:
          UsageError: no such file can be written.
          WriteError: it was not written.
        """
        path = None if out is None else checked_file(out, KINDS, "--figure")
        environments = list(dict.fromkeys(row.env for row in self.rows))
        labels = list(dict.fromkeys(row.group for row in self.rows))
        measures = {"mean": "mean", "median": "median", "iqm": "interquartile mean"}
        if len(labels) > 1:
            measures["improvement"] = "\n".join(wrap(f"P(better than {self.over})", WIDEST))
        with paper_style():
            height = 0.9 + 0.25 * len(labels)
            figure, axes = panels(len(environments) * len(measures), 2.2, height, columns=len(measures))
            for env, row in zip(environments, _in_rows(axes, len(measures)), strict=True):
                own = [found for found in self.rows if found.env == env]
                row[0].set_title(env, loc="left")
                for axis, measure in zip(row, measures, strict=True):
                    _draw(axis, own, measure, labels)
                    axis.set_xlabel(measures[measure])
                row[0].set_yticks(range(len(own)), [found.group for found in own])
            note(figure, f"{self._score()} Bars are 95 % bootstrap intervals over runs.")
        if path is not None:
            write_figure(figure, path)
        return figure

    def legend(self) -> str:
        """Return what is in the table."""
        return f"{self._score()} In brackets are 95 % bootstrap intervals over runs."

    def _score(self) -> str:
        what = (
            "the mean return of its last 100 episodes" if self.score == "episode_return" else f"its last {self.score}"
        )
        return f"The score of a run is {what}."

    def words(self) -> tuple[list[str], list[list[str]]]:
        """Return header and rows as people read them."""
        header = ["environment", "group", "runs", "mean", "median", "IQM"]
        compared, timed = any(row.improvement for row in self.rows), any(row.passed for row in self.rows)
        header += [f"P(better than {self.over})"] * compared
        header += ["threshold", "passed by", "steps to it", "hours to it"] * timed
        rows = []
        for row in self.rows:
            cells = [row.env, row.group, str(row.runs), str(row.mean), str(row.median), str(row.iqm)]
            cells += [str(row.improvement or "")] * compared
            rows.append(cells + _times(row) * timed)
        return header, rows


def _times(row: Row) -> list[str]:
    """Return a threshold, by how many it was passed, and when."""
    if row.passed is None:
        return ["", "", "", ""]
    threshold, reached, *times = row.passed
    never = "half did not pass" if reached else "not passed"
    words = [never if math.isinf(row.passed.steps) else "" if math.isnan(x) else written_number(x) for x in times]
    return [written_number(threshold), f"{reached} of {row.runs}", *words]


def _in_rows(axes: Sequence[Axes], columns: int) -> list[Sequence[Axes]]:
    """Return panels row by row."""
    return [axes[begin : begin + columns] for begin in range(0, len(axes), columns)]


def _draw(axis: Axes, rows: Sequence[Row], measure: str, labels: Sequence[str]) -> None:
    """Draw each group's interval as a bar, and its figure as a line across it."""
    axis.use_sticky_edges = False
    for place, row in enumerate(rows):
        found: Estimate | None = getattr(row, measure)
        if found is None:
            continue
        colour = look_of(labels.index(row.group))["color"]
        if not math.isnan(found.low):
            axis.barh(place, found.high - found.low, left=found.low, height=0.6, color=colour, alpha=0.35, linewidth=0)
        axis.vlines(found.value, place - 0.3, place + 0.3, color=colour, linewidth=2)
    if measure == "improvement":
        axis.set_xlim(-0.02, 1.02)
        axis.axvline(0.5, color=GREY, linewidth=0.8, linestyle="--", zorder=1)
        axis.set_visible(any(row.improvement for row in rows))
    axis.set_ylim(len(labels) - 0.4, -0.6)  # the first on top
    axis.set_yticks([])
    axis.grid(visible=False, axis="y")
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
