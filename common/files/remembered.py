"""Modules of a user's own that every command may import, because the user has named them once.

What a file says is never enough to import a module: that would run whatever code the file wants. What its user has
typed is: `--env my_env:Walk-v0`. It is noted in the user's own configuration, with the file that the module is in.
A module of the same name in another place is not meant.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from baselines_ppo.common.failures import WriteError
from baselines_ppo.common.files.checkpoint import read_json
from baselines_ppo.common.files.whole import write_whole
from baselines_ppo.common.policy.named import is_module

FILE = Path("baselines_ppo", "environments.json")
LARGEST = 1 << 20  # bytes
OURS = ("gymnasium", "baselines_ppo", "ale_py", "__main__")  # which need no note, or of which none can be made


class Notes(NamedTuple):
    """What is remembered."""

    modules: dict[str, list[str]]  # by name, the files that a module's outermost package is in
    ids: dict[str, str]  # of environments, by which module each is registered


def notes_file() -> Path:
    """Return where a user's notes are: in `~/.config`, or `$XDG_CONFIG_HOME`."""
    chosen = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (chosen if chosen.is_absolute() else Path("~/.config").expanduser()) / FILE


def remember(env_id: str, named: Iterable[str] = ()) -> str:
    """Note an environment that its user has named, and other things such as wrappers; returns what is new, in words.

    Args:
      env_id: that can be made here; with or without its module.
      named: as `module:attribute`.
    """
    registered, name = _registered_by(env_id), env_id.rpartition(":")[2]
    modules = {text.partition(":")[0] for text in named if ":" in text} | ({registered} if registered else set())
    notes, new = _read(), []
    for module in sorted(modules):
        place = None if module.split(".")[0] in OURS else _place(module)
        if place is not None and place not in notes.modules.get(module, []):
            notes.modules.setdefault(module, []).append(place)
            new.append(module)
    if registered in notes.modules and ":" not in env_id and notes.ids.get(name) != registered:
        notes.ids[name] = str(registered)
        new.append(name)
    return f"{', '.join(new)} will be known to every command: noted in {notes_file()}" if new and _write(notes) else ""


def is_remembered(module: str) -> bool:
    """Return whether a user has named this module before, and it is where it was; it can be imported then."""
    places = _read().modules.get(module, [])
    here = _place(module) if places and is_module(module) else None
    if here is None:  # it is not to be found from this folder
        found = next((place for place in places if Path(place).is_file()), None)
        if found is not None:
            file = Path(found)
            sys.path.append(str(file.parent.parent if file.name == "__init__.py" else file.parent))
            here = _place(module)
    return here is not None and here in places


def module_of(env_id: str) -> str | None:
    """Return the remembered module that registers an environment whose id names none."""
    module = _read().ids.get(env_id)
    return module if module is not None and is_remembered(module) else None


def _registered_by(env_id: str) -> str | None:
    """Return the module that registers an environment: named in its id, or that which makes it."""
    import gymnasium  # which whoever acts without an environment does not need

    module, _, name = env_id.rpartition(":")
    spec = gymnasium.registry.get(name)
    entry_point = spec.entry_point if spec is not None else None
    made_by = (
        entry_point.partition(":")[0] if isinstance(entry_point, str) else getattr(entry_point, "__module__", None)
    )
    return module or made_by


def _place(module: str) -> str | None:
    """Return the file of a module's outermost package, without importing anything."""
    with suppress(ImportError, ValueError, AttributeError):
        spec = importlib.util.find_spec(module.split(".")[0])
        if spec is not None and spec.has_location and spec.origin is not None:
            return str(Path(spec.origin).resolve())
    return None


def _read() -> Notes:
    """Return the notes, as far as they are any."""
    try:
        found = read_json(notes_file(), LARGEST)
        modules = {str(name): [str(place) for place in places] for name, places in found["modules"].items()}
        return Notes(modules, {str(name): str(module) for name, module in found["ids"].items()})
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, RuntimeError):
        return Notes({}, {})


def _write(notes: Notes) -> bool:
    """Write the notes; returns whether that was possible."""
    try:
        path = notes_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(notes._asdict(), indent=1) + "\n")
    except (OSError, WriteError, RuntimeError):  # no home, or not to be written; then it is named again
        return False
    return True
