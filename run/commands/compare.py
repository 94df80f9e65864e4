"""`compare`: a table and a figure of the final scores of groups of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from baselines_ppo.run.options import add_runs, add_threshold
from baselines_ppo.run.parser import Parser

HELP = "final scores of groups of runs, with 95 % intervals: a table, and a figure"
USAGE = "RUN..."
FORMATS = {".md": "markdown", ".csv": "csv", ".tex": "latex"}  # by the endings of files


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add this command's flags."""
    add_runs(result)
    add_threshold(result, "return whose passing is timed, or none")
    add = result.add_argument
    score = "column whose last value is a run's score, such as eval_return; default episode_return"
    add("--score", metavar="COLUMN", default="episode_return", help=score)
    add("--over", metavar="GROUP", help="group that the others are to be better than; default: the first")
    add("--across", action="store_true", help="over all environments together, too, by normalised scores")
    add("--format", choices=tuple(FORMATS.values()), help="default: by the ending of --out, or markdown")
    add("--out", metavar="FILE", help="file for the table: md, csv or tex; default: the screen")
    add("--figure", metavar="FILE", help="figure of the intervals: png, svg or pdf")


def run(options: dict[str, Any]) -> int:
    """Print or write a table, and draw a figure; returns the exit code."""
    from baselines_ppo.common.files.whole import checked_file, write_whole
    from baselines_ppo.experiments.compare import compare
    from baselines_ppo.experiments.figures import KINDS

    out, figure, form = (options.pop(name) for name in ("out", "figure", "format"))
    path = None if out is None else checked_file(out, FORMATS)
    picture = None if figure is None else checked_file(figure, KINDS, "--figure")
    compared = compare(**options)
    table = getattr(compared, form or (FORMATS[path.suffix] if path else "markdown"))()
    if path is None:
        print(table, end="")
    else:
        write_whole(path, table)
        print(f"wrote {Path(out)}")
    if picture is not None:
        compared.figure(picture)
        print(f"wrote {Path(figure)}")
    return 0
