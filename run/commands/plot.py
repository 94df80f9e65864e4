"""`plot`: learning curves of runs, the mean over their seeds with a band."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baselines_ppo.run.options import add_runs, add_threshold
from baselines_ppo.run.parser import Parser, converter

HELP = "learning curves of runs, the mean over seeds with a 95 % bootstrap band"
USAGE = "RUN..."


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add this command's flags."""
    add_runs(result)
    add = result.add_argument
    add("--out", metavar="FILE", default="curves.png", help="png, svg or pdf; default curves.png")
    add("--x", default="steps", help="steps, minutes, hours, episodes, or a column of progress.csv; default steps")
    add("--y", metavar="COLUMN", default="episode_return", help="column of progress.csv; default episode_return")
    add("--smooth", type=converter(int), default=1, help="values that each point is the mean of; default 1: none")
    add("--random", action="store_true", help="measure a random agent over 100 episodes, and draw its mean return")
    add_threshold(result, "return that is drawn as a line, or none")


def run(options: dict[str, Any]) -> int:
    """Write a figure; returns the exit code."""
    from baselines_ppo.experiments.plot import plot

    plot(**options)
    print(f"wrote {options['out']}")
    return 0
