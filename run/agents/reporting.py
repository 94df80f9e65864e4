"""`report`: one web page on some runs that stands alone, to be sent to somebody."""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from baselines_ppo.common.failures import Failure, UsageError
from baselines_ppo.common.files.whole import checked_file, shown, write_whole
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.experiments.compare import compare
from baselines_ppo.experiments.curves import RETURNS
from baselines_ppo.experiments.facts import commands_of, settings_tables, table_of_runs, table_of_versions
from baselines_ppo.experiments.page import Section, codes, folded, inner_page, page, paragraph, picture, table
from baselines_ppo.experiments.plot import plot
from baselines_ppo.experiments.runs import Place, Run, find_runs, group_runs
from baselines_ppo.experiments.scores import final_score
from baselines_ppo.run.agents.recording import record_one
from baselines_ppo.run.agents.scoring import COLUMNS, measure, row_of, score_of, trusted
from baselines_ppo.run.show.shutter import check_seconds

PAGE = ".html"


def report(
    runs: Place | Iterable[Place],
    out: str | Path = "report.html",
    by: Sequence[str] | str | None = None,
    random: bool = False,
    episodes: int = 20,
    seconds: float = 10.0,
) -> Path:
    """Write a web page on some runs that needs no network: curves, scores, evaluation, a film, settings, versions.

    Args:
      runs: run folders, folders that contain runs, patterns such as "runs/*/ppo2-*", or what `find_runs` returned.
      out: the page, a file that ends with .html.
      by: fields that make the groups, such as "alg"; None: those in which the runs differ.
      random: compare with a random agent, too.
      episodes: that the best agent of each environment is evaluated over; 0: it is not.
      seconds: of the film of that agent, at most; 0: there is none.

    Returns:
      Where the page is.

    Raises:
      LoadError: there is no run, or one is damaged.
      UsageError: a field or the ending is unknown, or no episode has ended in any run.
      WriteError: the page cannot be written.
    """
    path = checked_file(out, [PAGE])
    if episodes < 0:
        raise UsageError(f"--episodes is {episodes}, expected at least 0")
    if seconds != 0:
        check_seconds(seconds)
    found = find_runs(runs)
    fields = [by] if isinstance(by, str) else by
    best = [max(own, key=_score) for own in group_runs(found, ["env"]).values()]
    sections = [*_outcomes(found, fields, random), Section("Runs", table(*table_of_runs(found, fields)))]
    if episodes:
        sections.append(_evaluation(best, episodes))
    if seconds:
        sections += [_film(run, seconds) for run in best]
    sections += _origins(found, fields)
    title = f"{', '.join(dict.fromkeys(run.env for run in found))}: {counted(len(found), 'run')}"
    text = page(title, f"Made by baselines_ppo on {time.strftime('%-d %B %Y')}.", sections)
    write_whole(path, text)
    return path


def _score(run: Run) -> float:
    return float(np.nan_to_num(final_score(run), nan=-np.inf))


def _outcomes(runs: Sequence[Run], by: Sequence[str] | None, random: bool) -> list[Section]:
    """Return curves and scores; what both say of a run on stderr is said once."""
    measured = [y for y in RETURNS if any(np.isfinite(final_score(run, y)) for run in runs)] or [RETURNS[0]]
    with _each_line_once():
        plots = {y: plot(runs, by=by, y=y, random=random) for y in measured}
        compared = compare(runs, by=by)
    curves = "".join(picture(figure, f"{y} over environment steps") for y, figure in plots.items())
    scores = table(*compared.words()) + paragraph(compared.legend())
    if len({row.group for row in compared.rows}) > 1:
        scores += picture(compared.figure(), "final scores with 95 % intervals")
    return [Section("Learning curves", curves), Section("Final scores", scores)]


@contextlib.contextmanager
def _each_line_once() -> Iterator[None]:
    """Write what comes to stderr after the block, each line once."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            yield
    finally:
        sys.stderr.write("".join(dict.fromkeys(said.getvalue().splitlines(keepends=True))))


def _evaluation(runs: Sequence[Run], episodes: int) -> Section:
    """Return what agents score in episodes of their own."""
    rows, reasons = [], ""
    for run in runs:
        try:
            agent, spec = trusted(str(run.path), None, None, None)
            for mode, played in measure(agent, spec, episodes, seed=0).items():
                rows.append([str(shown(run.path)), *row_of(mode, score_of(played))])
        except Failure as error:
            reasons += _left_out(f"{shown(run.path)} is not evaluated", error)
    header = ["agent", *COLUMNS]
    note = paragraph(f"The best run of each environment, over {counted(episodes, 'episode')} of seed 0.")
    return Section("Evaluation", (note + table(header, rows) if rows else "") + reasons)


def _film(run: Run, seconds: float) -> Section:
    """Return a film of an agent, or a replay where MuJoCo simulates it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"film{PAGE}"
        try:
            caption = f"{shown(run.path)}: {record_one(str(run.path), path, seconds)}"
            body = inner_page(path.read_text(encoding="utf-8"), caption)
        except Failure as error:
            body = _left_out("there is no film", error)
    return Section(f"Film: {run.env}", body)


def _left_out(what: str, error: Failure) -> str:
    """Return in HTML, and say on stderr, what is not on the page and why."""
    line = f"{what}: {str(error).splitlines()[0]}"
    sys.stderr.write(f"{line}\n")
    return paragraph(line)


def _origins(runs: Sequence[Run], by: Sequence[str] | None) -> list[Section]:
    """Return how the runs were made."""
    differing, shared = settings_tables(runs, by)
    settings = (table(*differing) if differing[1] else "") + folded("Settings of all runs", table(*shared))
    commands = folded("Commands", codes(commands_of(runs)))
    return [Section("Settings", settings + commands), Section("Versions", table(*table_of_versions(runs)))]
