"""Figures of the benchmark: learning curves of all rows, made of the records alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from baselines_ppo.experiments.figures import GREY, paper_style, write_figure, written_number
from baselines_ppo.experiments.plot import plot
from baselines_ppo.experiments.runs import Run, fields_of
from benchmarks.bars import Bar, bars_of, read_bars
from benchmarks.earlier import steps
from benchmarks.rows import ROOT, TEXTBOOK, Row

FOLDER = ROOT / "docs" / "figures"
# The environments of each figure, by how their ids begin and end; the first that fits counts.
GROUPS = {
    "atari": (("ALE/",), ""),
    "box2d": (("LunarLander", "BipedalWalker"), ""),
    "classic-control": (("CartPole", "Acrobot", "MountainCar", "Pendulum"), ""),
    "mujoco-v4": (("",), "-v4"),
    "mujoco-v5": (("",), "-v5"),
}
LINES = {"mean": "--", "run": ":"}  # how a public figure is drawn


def group_of(env: str) -> str:
    """Return the name of the figure that an environment is shown in."""
    fits = (name for name, (begins, end) in GROUPS.items() if env.startswith(begins) and env.endswith(end))
    return next(fits, "others")


def grouped(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows of each figure, by its name."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(group_of(row.env), []).append(row)
    return dict(sorted(groups.items()))


def named(rows: Sequence[Row]) -> str:
    """Return the figures as Markdown shows them."""
    lines = []
    for name, own in grouped(rows).items():
        shown = ", ".join(dict.fromkeys(row.env for row in own))
        lines.append(f"![Learning curves of {shown}](figures/{file_of(name)})\n")
    return "\n".join(lines)


def file_of(name: str) -> str:
    """Return the file of a figure."""
    return f"benchmark-{name}.svg"


def draw(rows: Sequence[Row], folder: Path = FOLDER, kind: str = ".svg") -> None:
    """Draw a figure for each group of environments into a folder."""
    for name, own in grouped(rows).items():
        draw_group(own, (folder / file_of(name)).with_suffix(kind))


def draw_group(rows: Sequence[Row], path: Path) -> None:
    """Draw the curves of some rows: a panel for each environment and length, a curve for each algorithm."""
    entries = read_bars()
    bars: dict[str, dict[tuple[str, Bar], None]] = {}  # each once, by the title of its panel
    for row in rows:
        found = zip(LINES, bars_of(row, entries), strict=True)
        bars.setdefault(title_of(row), {}).update({(what, bar): None for what, bar in found if bar is not None})
    figure = plot([run for row in rows for run in runs_of(row)], by="alg", threshold=None)
    with paper_style():
        for panel in figure.axes:
            for what, bar in bars.get(panel.get_title(), {}):
                panel.axhline(bar.value, color=GREY, linewidth=0.8, linestyle=LINES[what], zorder=1)
                panel.annotate(
                    f"{what} {bar.who} {written_number(bar.value)}",
                    (0.01 if what == "mean" else 0.99, bar.value), xycoords=("axes fraction", "data"),
                    xytext=(0, 1.5), textcoords="offset points", ha="left" if what == "mean" else "right",
                    va="bottom", fontsize=6, color=GREY,
                )  # fmt: skip
    write_figure(figure, path)


def title_of(row: Row) -> str:
    """Return what is written above a panel."""
    return f"{row.env}, {steps(row.num_timesteps)}{f', {TEXTBOOK}' if row.textbook else ''}"


def runs_of(row: Row) -> list[Run]:
    """Return the seeds of a row as runs whose logs are the points of the records."""
    return [
        Run(
            Path(row.name) / f"seed-{record['seed']}",
            record["settings"],
            {**fields_of(record["settings"]), "env": title_of(row)},
            {
                "total_steps": np.array(record["curve"]["steps"], dtype=float),
                "episode_return": np.array(record["curve"]["returns"]),
            },
        )
        for record in row.records
    ]
