"""Runs on disk: found where a user says, with their settings and their logs, and put into groups."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from baselines_ppo.common.failures import LoadError, UsageError, nearest, printable, short
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.run_folder import CHECKPOINTS, CONFIG, PROGRESS, read_config
from baselines_ppo.common.files.whole import place, shown
from baselines_ppo.experiments.columns import STEPS, read_columns
from baselines_ppo.experiments.tuning.folder import NAME as STUDY
from baselines_ppo.settings import fields
from baselines_ppo.settings.changes import HARMLESS
from baselines_ppo.settings.config import TEXTBOOK, all_fields, renamed

# Fields in which runs of one group may differ: they change no curve, or are what is averaged over.
SAME = ("seed", "num_timesteps", "ranks", "env_restarts", *(field for field in HARMLESS if field != "name"))
SAME_LENGTH = 0.99  # of the longest run: one that is longer than that is as long as this one


@dataclass(frozen=True, eq=False)
class Run:
    """One training run as it is on disk."""

    path: Path
    config: Mapping[str, Any]  # what config.json holds
    fields: Mapping[str, Any]  # every setting by its name, and `ranks`
    columns: Mapping[str, np.ndarray]  # of progress.csv, each [iterations], NaN where a cell is empty

    @property
    def env(self) -> str:
        """Id of its environment."""
        return str(self.fields["env"])

    @property
    def seed(self) -> int:
        """Seed of everything random in it."""
        return int(self.fields["seed"])

    @property
    def total_steps(self) -> int:
        """Environment steps so far, over all ranks."""
        steps = self.columns.get(STEPS, np.zeros(0))
        return int(steps[-1]) if len(steps) else 0

    @property
    def finished(self) -> bool:
        """Whether all steps are made."""
        return self.total_steps >= int(self.fields["num_timesteps"])


Place = str | Path | Run  # a run folder, something in it, a folder that contains runs, or a pattern such as runs/*/*-0


def find_runs(places: Place | Iterable[Place]) -> list[Run]:
    """Return the runs at some places, each once, in the order of the places and there in that of their names.

    A run that has only begun is among them, with no columns.

    Raises:
      LoadError: there is none at one of the places, or its log or settings are damaged.
      UsageError: a place is no path.
    """
    found = dict[Path, Path | Run]()  # by the folder itself, whatever link leads there
    for given in [places] if isinstance(places, str | Path | Run) else places:
        for run in [given] if isinstance(given, Run) else _folders(given):
            path = run.path if isinstance(run, Run) else run
            found.setdefault(path.resolve(), run)
    if not found:
        raise LoadError("no run is named; give a run folder, or a folder that contains runs")
    return [run if isinstance(run, Run) else read_run(run) for run in found.values()]


def read_run(path: Path) -> Run:
    """Return the run in a folder.

    Raises:
      LoadError: its log or its settings are missing or damaged.
    """
    config = read_config(path)
    if not config:
        config = checkpoint.find(path)[0].manifest.get("config", {})
    for name, kind in (("env", str), ("alg", str), ("seed", int), ("num_timesteps", int)):
        if type(config.get(name)) is not kind:
            raise LoadError(f"{shown(path / CONFIG)} names no {name}, so it is not that of a run; leave it out")
    return Run(path, config, fields_of(config), read_columns(path))


def fields_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return every setting in a config.json by its name of today; what another version did not have is as it was."""
    given = {name: value for name, value in config.items() if not isinstance(value, dict)}
    for section in ("rollout", "policy", "algorithm"):
        given |= config[section] if isinstance(config.get(section), dict) else {}
    textbook = TEXTBOOK.get(str(config["alg"]))
    today = {} if textbook is None else renamed(textbook)
    defaults = {} if textbook is None else {item.name: value for _, item, value in all_fields(textbook)}
    given = {today.get(name, name): value for name, value in given.items() if name not in ("command", "code")}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in (defaults | given).items()}


def _folders(typed: str | Path) -> list[Path]:
    """Return the folders of the runs at one place.

    Raises:
      LoadError: there is none.
      UsageError: it is no path.
    """
    path = place(typed)
    try:
        matches = [path] if path.exists() else [*Path(path.anchor).glob(str(path.relative_to(path.anchor)))]
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{short(typed)}: {short(error)}; give a run folder, or a pattern such as 'runs/*/*'"
        ) from None
    found = [folder for match in sorted(matches, key=_natural) for folder in _below(match) or _above(match)]
    if not found:
        what = "no run in" if matches else "there is no"
        raise LoadError(f"{what} {shown(path)}; give a run folder, or a folder that contains runs")
    return found


def _above(path: Path) -> list[Path]:
    """Return the run that a file or a checkpoint is of."""
    return [folder for folder in path.parents[:2] if _is_run(folder)][:1]


def _below(path: Path) -> list[Path]:
    """Return the run in a folder, or those in folders below it, but for the trials of a study there."""
    found = []
    for name, folders, files in os.walk(path):
        folders.sort(key=lambda folder: _natural(Path(folder)))
        if STUDY in files and Path(name) != path:
            folders.clear()
        elif _is_run(Path(name)):
            folders.clear()  # what is in a run is its own
            found.append(Path(name))
    return found


def _is_run(path: Path) -> bool:
    """Return whether a folder is that of a run, if only begun; other programs have a config.json, too."""
    return (path / PROGRESS).is_file() or (path / CHECKPOINTS).is_dir() or "env" in read_config(path)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Return a key that puts seed-10 behind seed-9."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def known_runs(runs: Sequence[Run], column: str, is_known: Callable[[Run], bool]) -> list[Run]:
    """Return the runs that have a value of a column; says on stderr which have none.

    Args:
      is_known: whether a run has one.

    Raises:
      UsageError: no run has one.
    """
    known = [run for run in runs if is_known(run)]
    for run in runs:
        if run not in known:
            yet = "" if run.finished else " yet"
            sys.stderr.write(f"{shown(run.path)} is left out: its log has no {short(column)}{yet}\n")
    if not known:
        raise UsageError(
            f"no log of these runs has a value of {short(column)} yet; a return is known once an episode has ended"
        )
    return known


def grouped(runs: Sequence[Run], by: Sequence[str] | str | None) -> dict[str, dict[str, list[Run]]]:
    """Return runs by environment, and there by the label of their group.

    Args:
      by: see `group_fields`.

    Raises:
      UsageError: there is no such field.
    """
    fields = group_fields(runs, by)
    return {env: group_runs(own, fields) for env, own in group_runs(runs, ["env"]).items()}


def say_repeated(group: str, runs: Sequence[Run]) -> None:
    """Say on stderr which seeds a group has more than once: their runs may be the same."""
    times = Counter(run.seed for run in runs)
    for seed in sorted(seed for seed, number in times.items() if number > 1):
        sys.stderr.write(f"{group}: seed {seed} is there {times[seed]} times, so the interval is too narrow\n")


def group_runs(runs: Sequence[Run], by: Sequence[str] | None = None) -> dict[str, list[Run]]:
    """Return runs in groups, by a label that says what is the same in each.

    Args:
      by: names of fields; None: those in which the runs differ, see `differing`.

    Raises:
      UsageError: there is no such field.
    """
    by = differing(runs) if by is None else by
    check_fields(runs, by)
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(label_of(run, by), []).append(run)
    return groups


def check_fields(runs: Sequence[Run], by: Sequence[str]) -> None:
    """Check that runs can be grouped by some fields.

    Raises:
      UsageError: no run has one of them.
    """
    known = {name for run in runs for name in run.fields}
    for name in by:
        if name not in known:
            raise UsageError(f"--by is {short(name)}, which is no field of these runs{nearest(name, known)}")


def differing(runs: Sequence[Run]) -> list[str]:
    """Return the fields that tell the groups apart: env, alg, name, and each that splits runs which are alike so far.

    Seeds and lengths do not. Without any difference the algorithm names the one group.
    """
    names = dict.fromkeys(("env", "alg", "name", *(name for run in runs for name in run.fields)))
    chosen: list[str] = []
    parts = 1
    for name in names:
        if name in SAME:
            continue
        split = len({tuple(written(run.fields.get(field)) for field in (*chosen, name)) for run in runs})
        if split > parts:
            chosen, parts = [*chosen, name], split
    return chosen or ["alg"]


def group_fields(runs: Sequence[Run], by: Sequence[str] | str | None) -> list[str]:
    """Return the fields that make the groups within an environment; environments are kept apart anyway.

    Args:
      by: None: those in which the runs differ, or else the algorithm.
    """
    if by is None:
        return [name for name in differing(runs) if name != "env"] or ["alg"]
    return [name for name in ([by] if isinstance(by, str) else by) if name != "env"]


def label_of(run: Run, by: Sequence[str]) -> str:
    """Return what a run's group is called: environment and algorithm by their names alone, other fields with theirs."""
    words = []
    for name in by:
        value = written(run.fields.get(name))
        words.append(value if name in ("env", "alg") else f"{name} {value}")
    return ", ".join(words) or "all runs"


def written(value: Any) -> str:
    """Return a setting as one would type it: the same text for equal values, 10 and 10.0 too, and for no others."""
    if isinstance(value, float):
        plain = f"{value:.15g}"
        return plain if float(plain) == value else repr(value)
    return printable(fields.written(value))
