"""What is known of runs, as tables: each run, the settings of their groups, and the versions that made them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from baselines_ppo.common.failures import readable
from baselines_ppo.common.files.whole import shown
from baselines_ppo.experiments.curves import SECONDS
from baselines_ppo.experiments.figures import written_number
from baselines_ppo.experiments.runs import Run, group_fields, grouped, written
from baselines_ppo.experiments.scores import final_score

Table = tuple[list[str], list[list[str]]]  # header and rows
FIRST = ("env", "alg")


def table_of_runs(runs: Sequence[Run], by: Sequence[str] | None = None) -> Table:
    """Return a row for each run: what tells it apart, how long it is, and what it has come to."""
    fields = [*FIRST, *(name for name in group_fields(runs, by) if name not in FIRST), "seed", "ranks"]
    header = ["run", *fields, "steps", "hours", "return", "state"]
    rows = []
    for run in runs:
        seconds = run.columns[SECONDS][-1] if len(run.columns.get(SECONDS, ())) else 0.0
        state = "finished" if run.finished else f"{run.total_steps / int(run.fields['num_timesteps']):.0%}"
        score = final_score(run)
        figures = [
            f"{run.total_steps:,}",
            written_number(seconds / 3600),
            written_number(score) if score == score else "",
        ]
        rows.append([str(shown(run.path)), *(written(run.fields.get(name)) for name in fields), *figures, state])
    return header, rows


def settings_tables(runs: Sequence[Run], by: Sequence[str] | None = None) -> tuple[Table, Table]:
    """Return the settings in which groups differ, a column for each, and those that all runs share."""
    groups = {f"{env}, {label}": own for env, of_env in grouped(runs, by).items() for label, own in of_env.items()}
    names = list(dict.fromkeys(name for run in runs for name in run.fields if name not in ("seed", "ranks")))
    differing, shared = [], []
    for name in names:
        cells = [
            ", ".join(dict.fromkeys(written(run.fields[name]) for run in own if name in run.fields))
            for own in groups.values()
        ]
        if len(set(cells)) == 1:
            shared.append([name, cells[0]])
        elif name not in FIRST:
            differing.append([name, *cells])
    return (["setting", *groups], differing), (["setting", "value"], shared)


def table_of_versions(runs: Sequence[Run]) -> Table:
    """Return the versions, the processor and the code that the runs were made with."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        platform = run.config.get("platform") or {}
        for name, value in {**platform, "code": run.config.get("code")}.items():
            if value is not None:
                found.setdefault(str(name), {})[readable(str(value))] = None
    return ["", "version"], [[name, ", ".join(values)] for name, values in found.items()]


def commands_of(runs: Sequence[Run]) -> list[str]:
    """Return the commands that started the runs, each once."""
    lines = dict[str, None]()
    for run in runs:
        words = run.config.get("command")
        if isinstance(words, list) and words:
            program, *rest = map(str, words)
            begin = "python -m baselines_ppo.run" if program.endswith("__main__.py") else shlex.quote(program)
            lines[readable(" ".join([begin, *map(shlex.quote, rest)]))] = None
    return list(lines)
