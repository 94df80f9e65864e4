"""`--config FILE`: settings from a run's own config.json, or from TOML that somebody has written."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field
from pathlib import Path
from typing import Any

from baselines_ppo.common.failures import UsageError, nearest, short
from baselines_ppo.common.files.strict_json import parsed
from baselines_ppo.common.files.toml_file import TomlFile
from baselines_ppo.common.files.whole import BOM, open_text, place
from baselines_ppo.common.trackers.configuration import FACTS
from baselines_ppo.run.parser import converter
from baselines_ppo.settings.config import TEXTBOOK, TrainConfig, all_fields, field_type, renamed
from baselines_ppo.settings.elsewhere import meant_field
from baselines_ppo.settings.fields import check, element_type, is_optional, plain_type

SECTIONS = ("rollout", "policy", "algorithm")
TABLES = ("env_kwargs",)  # settings that may be written as a table
ALSO = ("preset",)  # that is a flag, and no field
LARGEST = 1 << 20  # characters


def with_file(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a training with those of its file, if it has one; what was typed counts more.

    Raises:
      UsageError: the file cannot be read, or has a name or a value that no setting has.
    """
    path, typed = options["config"], {name: value for name, value in options.items() if name != "config"}
    if path is None:
        return typed
    typed = {name: value for name, value in typed.items() if name not in ALSO or value is not None}
    return {**dict.fromkeys(ALSO), **read(path, typed.get("alg")), **typed}


def algorithm_in(path: str) -> str | None:
    """Return the algorithm that a file names; None if it names none, or cannot be read, which is said later."""
    try:
        named = _parsed(path).get("alg")
    except UsageError:
        return None
    return named if isinstance(named, str) else None


def read(path: str, alg: str | None = None) -> dict[str, Any]:
    """Return the settings in a file by their names, whatever section they are in.

    Args:
      alg: the algorithm that was typed; None: the file's, or the default one.

    Raises:
      UsageError: the file cannot be read, or has a name or a value that no setting has.
    """
    data = _parsed(path)
    meant = str(alg or data.get("alg", "ppo2"))
    if (config := TEXTBOOK.get(meant)) is None:
        place_of_it = _where(path, "alg") if alg is None else ""
        raise UsageError(f"{place_of_it}unknown algorithm {short(meant)}; known: {', '.join(TEXTBOOK)}")
    kinds = {item.name: (item, field_type(config, section, item)) for section, item, _ in all_fields(config)}
    today, result = renamed(config), dict[str, Any]()
    for key, value in _flat(path, data):
        name, where = key[-1], functools.partial(_where, path, *key)
        known = today.get(name, name.replace("-", "_"))
        if known in ALSO:
            value = str(value)
        elif known in kinds:
            value = _checked(where, name, *kinds[known], value)
        elif alg is not None and name in _of_others(config):  # of the algorithm that the file is for
            continue
        else:
            raise UsageError(f"{where()}unknown setting {short(name)}{meant_field(name, [*kinds, *ALSO])}")
        if known in result:
            raise UsageError(f"{where()}{short(name)} is set twice; leave one of them out")
        result[known] = value
    return result


def _of_others(config: TrainConfig) -> set[str]:
    """Return the settings that only other algorithms have."""
    return {item.name for other in TEXTBOOK.values() for _, item, _ in all_fields(other)} - {
        item.name for _, item, _ in all_fields(config)
    }


def _flat(path: str, data: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each setting by its name, behind that of its section if it is in one."""
    for name, value in data.items():
        if name in FACTS:
            continue
        if name in TABLES or not isinstance(value, dict):
            yield (name,), value
        elif name in SECTIONS:
            yield from (((name, inner), x) for inner, x in value.items())
        else:
            raise UsageError(f"{_where(path, name)}unknown section {short(name)}{nearest(name, SECTIONS)}")


def _parsed(path: str) -> dict[str, Any]:
    if not _is_json(path):
        return TomlFile(path).data
    try:
        with open_text(place(path), "r") as file:
            data = parsed(file.read(LARGEST).removeprefix(BOM))
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else short(error)
        raise UsageError(f"--config {short(path)} cannot be read: {reason}") from None
    if not isinstance(data, dict):
        raise UsageError(f"--config {short(path)} holds no settings")
    return data


def _is_json(path: str) -> bool:
    return Path(path).suffix == ".json"


def _checked(where: Callable[[], str], name: str, item: Field[Any], kind: Any, value: Any) -> Any:
    """Return a value as the setting's type has it.

    Raises:
      UsageError: it is of another type, or out of range; the file and the line are named.
    """
    value = _value(where, name, kind, value)
    try:
        check(item, kind, value)
    except UsageError as error:
        raise UsageError(f"{where()}{error}") from None
    return value


def _value(where: Callable[[], str], name: str, kind: Any, value: Any) -> Any:
    """Return a value as the setting's type has it: 2.5e6 may be a whole number, and words may be as in a flag."""
    plain = plain_type(kind)
    if plain is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if plain is tuple and isinstance(value, list):
        whole = element_type(kind) is int
        return tuple(int(x) if whole and isinstance(x, float) and x.is_integer() else x for x in value)
    if plain is str and isinstance(value, dict):
        try:
            return json.dumps(value)
        except TypeError as error:  # TOML has dates
            raise UsageError(f"{where()}{name} holds what JSON does not: {error}") from None
    if isinstance(value, str) and (plain is not str or is_optional(kind)):
        try:
            return converter(kind)(value)
        except Exception:  # argparse's own, or that of a number
            raise UsageError(f"{where()}{name} is {short(value)}, expected {plain.__name__}") from None
    return value


def _where(path: str, *key: str) -> str:
    """Return the file, and the line of a name that is in it, behind that of its section, as "FILE, line 3: "."""
    if not _is_json(path):
        return TomlFile(path).where(*key)
    lines = place(path).read_text("utf-8").splitlines()
    begins = re.compile(rf"\s*{re.escape(json.dumps(key[-1]))}\s*:")
    numbers = [number for number, line in enumerate(lines, start=1) if begins.match(line)]
    return f"{short(path)}, line {numbers[0]}: " if numbers else f"{short(path)}: "
