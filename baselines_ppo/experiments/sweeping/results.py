"""What a sweep ends with: a table and a figure of its runs, in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from baselines_ppo.common.files.whole import write_whole
from baselines_ppo.experiments.compare import compare
from baselines_ppo.experiments.plot import plot
from baselines_ppo.experiments.runs import read_run
from baselines_ppo.experiments.sweeping.swept_run import SweptRun

TABLE, VALUES, CURVES = "results.md", "results.csv", "curves.png"


def write_results(runs: Sequence[SweptRun], folder: Path) -> str:
    """Write the table and the figure of runs into a sweep's folder; returns the table, '' where no run has a return.

    Raises:
      UsageError: what draws is not installed.
      WriteError: a file cannot be written.
    """
    known = [run for run in runs if run.standing is not None and run.standing.episode_return is not None]
    if not known:
        return ""
    found = [read_run(run.folder) for run in known]
    compared = compare(found)
    for name, text in ((TABLE, compared.markdown()), (VALUES, compared.csv())):
        write_whole(folder / name, text)
    plot(found, out=folder / CURVES)
    return compared.markdown()
