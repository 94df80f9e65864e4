"""What a search has found: a table, the best setting as flags and as a preset, and pictures."""

from __future__ import annotations

import json
import math
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from baselines_ppo.common.files.whole import write_whole
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.experiments.tables import csv_table
from baselines_ppo.experiments.tuning.candidates import in_json, settings_of
from baselines_ppo.experiments.tuning.study import KIND, REASON, RETURNS, SETTING
from baselines_ppo.settings.config import TrainConfig, all_fields, with_fields
from baselines_ppo.settings.fields import flags_of, written
from baselines_ppo.settings.presets import preset_of

BEST = 5  # trials in the table
WIDTH = 120  # letters in a line of Python
SUMMARY, TABLE = "results.md", "trials.csv"


def ranked(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials that were trained to their end, the best first."""
    scored = [trial for trial in trials if trial.state == TrialState.COMPLETE and math.isfinite(score_of(trial))]
    return sorted(scored, key=lambda trial: (-score_of(trial), trial.number))


def score_of(trial: FrozenTrial) -> float:
    """Return a trial's score; NaN where it has none."""
    return math.nan if trial.value is None else trial.value


def config_of(trial: FrozenTrial, config: TrainConfig) -> TrainConfig:
    """Return the configuration that a trial was trained with, but for its seed."""
    setting = trial.user_attrs[SETTING]
    return with_fields(config, **{name: tuple(x) if isinstance(x, list) else x for name, x in setting.items()})


def beginning(first: FrozenTrial, config: TrainConfig) -> str:
    """Return in words which setting the first trial has: the one to begin with, unless the space is without it."""
    own, setting = in_json(settings_of(config)), first.user_attrs[SETTING]
    same = all(own[name] == value for name, value in setting.items())
    return "the setting to begin with" if same else "a setting of the space, which is without the one to begin with"


def summary(trials: Sequence[FrozenTrial], config: TrainConfig, folder: Path) -> str:
    """Return in Markdown what has come of the trials: how many, the best of them, the best setting in two forms."""
    best = ranked(trials)
    kinds = Counter(str(trial.user_attrs.get(KIND)) for trial in trials)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    lines = [
        f"# {config.alg} on {config.env}",
        "",
        f"{counted(len(trials), 'trial')} of {config.num_timesteps:,} steps: {counts}.",
        "The score of a trial is the mean over its seeds of the mean return of the last 100 episodes of training.",
    ]
    if not best:
        return "\n".join([*lines, "No trial was trained to its end."]) + "\n"
    chosen = config_of(best[0], config)
    lines += ["", *_table(best[:BEST], config), ""]
    lines += [f"Trial 0 has {beginning(t, config)}: {t.value:.1f}." for t in best if t.number == 0]
    lines += ["", "The best setting:", "", "```", command(chosen), "```"]
    tried = counted(len(trials), "trial")
    source = f"The best of {tried} of tune: return {best[0].value:.1f} at {config.num_timesteps:,} steps."
    lines += ["", "As a preset:", "", "```python", preset(chosen, source), "```", ""]
    if len(best) > 1:
        lines += [
            "The best of many trials was lucky, too: with other seeds its return may be lower. Measure it with seeds",
            f"that it was not chosen by, such as --seed {config.seed + len(best[0].user_attrs[RETURNS])}.",
        ]
    return "\n".join(lines) + "\n"


def _table(best: Sequence[FrozenTrial], config: TrainConfig) -> list[str]:
    """Return the lines of a table of trials with what they have tried, and with the setting that all began with."""
    seeds = range(config.seed, config.seed + max(len(trial.user_attrs[RETURNS]) for trial in best))
    names = list(best[0].user_attrs[SETTING])
    rows = [["trial", *(str(trial.number) for trial in best)], ["score", *(f"{trial.value:.1f}" for trial in best)]]
    for k, seed in enumerate(seeds):
        rows.append([f"seed {seed}", *(f"{trial.user_attrs[RETURNS][k]:.1f}" for trial in best)])
    for name in names:
        rows.append([name, *(_written(trial.user_attrs[SETTING].get(name)) for trial in best)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |" for row in rows]
    return [lines[0], f"|{'|'.join('-' * (width + 2) for width in widths)}|", *lines[1:]]


def _written(value: Any) -> str:
    return written(tuple(value) if isinstance(value, list) else value).replace(",", "-")


def command(config: TrainConfig) -> str:
    """Return what to type to train with a configuration: its environment, and what its preset has otherwise."""
    own = {item.name: value for _, item, value in all_fields(preset_of(config.env, config.alg))}
    named = {"env": config.env, **({} if config.alg == "ppo2" else {"alg": config.alg})}
    kept = ("env", "alg", "seed")
    changed = {item.name: x for _, item, x in all_fields(config) if item.name not in kept and own[item.name] != x}
    return shlex.join(["python", "-m", "baselines_ppo.run", *flags_of({**named, **changed})])


def preset(config: TrainConfig, source: str) -> str:
    """Return a configuration as Python, as the presets are written: what is as everywhere is left out."""
    return f"TUNED = Preset(\n    {_python(config, 1)},\n    {json.dumps(source)},\n)"


def _python(value: Any, depth: int) -> str:
    """Return a value as Python; a dataclass by those of its fields that are not as everywhere."""
    if not is_dataclass(value):
        if isinstance(value, str):
            return json.dumps(value)
        return f"{value:_}" if isinstance(value, int) and not isinstance(value, bool) else repr(value)
    left_out = ("env", "seed") if isinstance(value, TrainConfig) else ()
    given = {item.name: getattr(value, item.name) for item in fields(value) if item.name not in left_out}
    usual = {item.name: item.default for item in fields(value)}
    inner = [f"{name}={_python(x, depth + 1)}" for name, x in given.items() if x != usual[name]]
    line = f"{type(value).__name__}({', '.join(inner)})"
    if len(line) + 4 * depth + len("algorithm=,") <= WIDTH and "\n" not in line and depth:
        return line
    indent = "    " * (depth + 1)
    return f"{type(value).__name__}(\n{''.join(f'{indent}{part},{chr(10)}' for part in inner)}{'    ' * depth})"


def write_report(trials: Sequence[FrozenTrial], config: TrainConfig, folder: Path) -> str:
    """Write the summary and the table of all trials into a study's folder; returns the summary.

    Raises:
      WriteError: they cannot be written.
    """
    text = summary(trials, config, folder)
    write_whole(folder / SUMMARY, text)
    rows = [_row(trial, config.seed) for trial in trials]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    write_whole(folder / TABLE, csv_table(columns, [[row.get(name, "") for name in columns] for row in rows]))
    return text


def _row(trial: FrozenTrial, first_seed: int) -> Mapping[str, Any]:
    """Return a trial by columns."""
    steps = max(trial.intermediate_values, default=None) if trial.state == TrialState.PRUNED else None
    facts = trial.user_attrs
    score = trial.value if trial.state == TrialState.COMPLETE else None
    row: dict[str, Any] = {"trial": trial.number, "outcome": facts.get(KIND), "score": score}
    row |= {f"return_seed_{seed}": value for seed, value in enumerate(facts.get(RETURNS, []), first_seed)}
    row |= {"pruned_at": steps, "reason": facts.get(REASON, "")}
    return row | {name: _written(value) for name, value in facts.get(SETTING, {}).items()}
