"""A study's folder: one study's alone, and of the processes on a host one's alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from baselines_ppo.common.failures import LoadError, UsageError, short
from baselines_ppo.common.files.lock import LOCK, InUse, hold
from baselines_ppo.common.files.whole import open_text, write_whole, writing

NAME = "study.json"


@contextmanager
def study_folder(folder: Path, host: str, study: Mapping[str, str]) -> Iterator[None]:
    """Keep a folder for a study and for this process, and make it if it is not there.

    Args:
      study: what the study is called, and where its trials are counted.

    Raises:
      UsageError: another study is in it, or something else, or another process of this host uses it.
      LoadError: nobody knows which study is in it.
      WriteError: it cannot be written.
    """
    _check_whose(folder, study)
    try:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock = hold(folder, f"{LOCK}-{host}")
    except InUse as user:
        raise UsageError(f"study {folder} is in use by {user}; wait for it, or give it more --jobs") from None
    with lock:
        if not (folder / NAME).exists():
            write_whole(folder / NAME, json.dumps(dict(study)) + "\n")
        yield


def _check_whose(folder: Path, study: Mapping[str, str]) -> None:
    if (folder / NAME).exists():
        try:
            with open_text(folder / NAME, "r") as file:
                found = dict(json.load(file))
        except (OSError, ValueError, TypeError) as error:
            raise LoadError(f"{folder / NAME} cannot be read: {short(error)}; give another --logdir") from None
        if found != study:
            words = f"{found.get('study', '-')} in {found.get('storage', '-')}"
            raise UsageError(f"{folder} is the folder of study {short(words)}; give another --logdir")
    elif folder.is_dir():
        names = sorted(path.name for path in folder.iterdir())
        if others := [name for name in names if not name.startswith((".", f"{LOCK}-"))]:
            raise UsageError(
                f"folder {folder} is not empty and holds no study ({short(', '.join(others))}); give another --logdir"
            )
