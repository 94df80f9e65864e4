"""What a sweep's folder remembers: its runs with every setting, so that no other sweep goes on in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from baselines_ppo.common.failures import LoadError, UsageError, short
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.whole import shown, write_whole, writing
from baselines_ppo.experiments.sweeping.cases import Case
from baselines_ppo.settings.changes import HARMLESS
from baselines_ppo.settings.config import all_fields, from_json, to_json

RECORD = "sweep.json"
FORMAT = 1
LONGEST = 3  # runs that are named, of those that differ


def recorded_ranks(folder: Path) -> int | None:
    """Return with how many ranks the runs in a sweep's folder were begun; None in a new one.

    Raises:
      LoadError: the record is damaged.
    """
    record = _read(folder)
    return None if record is None else int(record["ranks"])


def keep(folder: Path, cases: Sequence[Case], ranks: int) -> None:
    """Write down the runs of a sweep, or check them against what is written down; new ones may come to it.

    Raises:
      UsageError: a run is missing now or has other settings; or the folder holds something else.
      LoadError: the record is damaged.
      WriteError: it cannot be written.
    """
    record = _read(folder)
    if record is None and (others := _files_in(folder)):
        record = _read(folder)  # which another task of the same sweep may have written a moment ago
        if record is None:
            raise UsageError(
                f"{shown(folder)} is not empty and holds no sweep ({short(', '.join(others))}); give another --logdir"
            )
    before = {} if record is None else dict(record["runs"])
    now = {case.name: json.loads(json.dumps(to_json(case.config))) for case in cases}
    if gone := [name for name in before if name not in now]:
        raise UsageError(
            f"{shown(folder)} holds a sweep with other runs: {_listed(gone)} would not be in it any more; "
            "a sweep may only grow: name them too, or give another --logdir"
        )
    if changed := [f"{name}: {words}" for name in before if (words := _changes(before[name], now[name]))]:
        raise UsageError(
            f"{shown(folder)} holds a sweep with other settings: {_listed(changed, '; ')}; "
            "give the same again, or another --logdir"
        )
    if record != (new := {"format": FORMAT, "ranks": ranks, "runs": now}):
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / RECORD, json.dumps(new, indent=1) + "\n")


def _read(folder: Path) -> dict[str, Any] | None:
    try:
        record = checkpoint.read_json(folder / RECORD, checkpoint.LARGEST_MANIFEST)
        if record["format"] != FORMAT or not isinstance(record["runs"], dict) or not isinstance(record["ranks"], int):
            raise ValueError("it is of another version")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise LoadError(f"{shown(folder / RECORD)} cannot be read: {short(error)}; give another --logdir") from None
    return dict(record)


def _changes(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return in words which settings of a run differ, beside those that change no result; '' for none."""
    was, new = ({item.name: value for _, item, value in all_fields(from_json(data))} for data in (before, now))
    names = [name for name in new if name not in HARMLESS and was.get(name) != new[name]]
    return ", ".join(f"{name} {was.get(name)} -> {new[name]}" for name in names)


def _listed(words: Sequence[str], between: str = ", ") -> str:
    more = f" and {len(words) - LONGEST} more" if len(words) > LONGEST else ""
    return between.join(words[:LONGEST]) + more


def _files_in(folder: Path) -> list[str]:
    """Return the names of what is in a folder, but for hidden files."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return [name for name in names if not name.startswith(".")]
