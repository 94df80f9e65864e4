"""`report`: one web page on some runs, to be sent to somebody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baselines_ppo.run.options import add_runs, on_one_rank
from baselines_ppo.run.parser import Parser, converter

HELP = "one web page on some runs that stands alone: curves, scores, film, settings"
USAGE = "RUN..."


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add this command's flags."""
    add_runs(result)
    add = result.add_argument
    add("--out", metavar="FILE", default="report.html", help="default report.html")
    add("--random", action="store_true", help="measure a random agent over 100 episodes, and draw its mean return")
    add("--episodes", type=converter(int), default=20, help="of the evaluation; default 20, 0: no evaluation")
    add("--seconds", type=converter(float), default=10.0, help="of the film at most; default 10, 0: no film")


def run(options: dict[str, Any]) -> int:
    """Write a page; returns the exit code."""

    def show() -> int:
        from baselines_ppo.run.agents.reporting import report

        path = report(**options)
        print(f"wrote {options['out']}: {path.stat().st_size / 1e6:.1f} MB")
        return 0

    return on_one_rank("report", show)
