"""What a sweep is made of: environments, algorithms, seeds, settings and varied fields, each checked for itself."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, dataclass
from typing import Any

from baselines_ppo.common.envs.keywords import one_spelling
from baselines_ppo.common.failures import UsageError, nearest, short
from baselines_ppo.settings.config import TEXTBOOK, TrainConfig, all_fields, field_type, imported_algorithm, renamed
from baselines_ppo.settings.elsewhere import meant_here
from baselines_ppo.settings.fields import check, is_optional, option, plain_type

PRESET = "preset"
APART = "for"  # holds settings of one environment or algorithm
OWN = ("env", "alg", "seeds", "vary", APART, "ranks", "logdir")  # what is no setting of a training
MOST_RUNS = 10_000  # of a sweep; more would be a slip
LONGEST_SEED = 40  # digits
OF_SWEEP = {"seed": "seeds"}  # what a field is called here

Where = Callable[..., str]  # says where a key is, from the names of its tables and its own, as "FILE, line 3: "


@dataclass(frozen=True)
class Description:
    """A sweep: every environment with every algorithm, every seed and every combination of the varied values."""

    env: tuple[str, ...]
    alg: tuple[str, ...]  # NAME or MODULE:NAME
    seeds: tuple[int, ...]
    settings: Mapping[str, Any]  # fields of the training, and `preset`, the same in all runs
    vary: Mapping[str, tuple[Any, ...]]  # values by field
    apart: Mapping[str, Mapping[str, Any]]  # of one environment or algorithm; they come before the common ones
    ranks: int | None  # of each run; None: chosen
    logdir: str | None


def described(data: Mapping[str, Any], where: Where = lambda *key: "") -> Description:
    """Return the sweep that keys and values say, as they are in a TOML file.

    Raises:
      UsageError: a key is unknown, or a value has the wrong type or is out of range.
    """
    env, alg = (_words(data, name, default, where) for name, default in (("env", ()), ("alg", ("ppo2",))))
    if not env:
        raise UsageError(f"{where('env')}which environments? give env, such as CartPole-v1")
    for name in alg:
        if imported_algorithm(name) not in TEXTBOOK:
            raise UsageError(f"{where('alg')}unknown algorithm {short(name)}{nearest(name, TEXTBOOK)}")
    read = functools.partial(_settings, kinds=kinds_of(alg), where=where)
    own = {name: functools.partial(read, kinds=kinds_of([name])) for name in alg}
    common = {name: value for name, value in data.items() if name not in OWN}
    vary = {
        name: tuple(read({name: value}, "vary")[name] for value in values)
        for name, values in _table(data, "vary", where).items()
        if _is_list(values, name, where)
    }
    apart = {
        name: own.get(name, read)(_table(_table(data, APART, where), name, where, APART), APART, name)
        for name in _table(data, APART, where)
        if _is_known(name, (*env, *alg), where)
    }
    return Description(
        env, alg, seeds_of(data, where), read(common), vary, apart, _ranks(data, where), _logdir(data, where)
    )


def overlaid(data: Mapping[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file says with keys instead of its own, and without settings for what these leave out."""
    both, apart = {**data, **keys}, data.get(APART)
    if APART in keys or not isinstance(apart, Mapping):
        return both
    try:
        of_file, left = ({*_words(x, "env", ()), *_words(x, "alg", ())} for x in (data, both))
    except UsageError:
        return both  # which is refused, with where it is wrong
    return {**both, APART: {name: value for name, value in apart.items() if name in left or name not in of_file}}


def textbook_of(alg: str) -> TrainConfig:
    """Return the textbook values of an algorithm, NAME or MODULE:NAME."""
    return TEXTBOOK[imported_algorithm(alg)]


def kinds_of(algorithms: Iterable[str]) -> dict[str, tuple[Field[Any], Any]]:
    """Return all settings of some algorithms by name, each with its field and its type."""
    kinds = {
        item.name: (item, field_type(config, section, item))
        for config in map(textbook_of, algorithms)
        for section, item, _ in all_fields(config)
    }
    preset: Any = option("", "environment whose settings to use, or none for the textbook's")
    preset.name = PRESET
    return {**{name: kind for name, kind in kinds.items() if name not in ("env", "alg", "seed")}, PRESET: (preset, str)}


def _settings(
    table: Mapping[str, Any], *path: str, kinds: Mapping[str, tuple[Field[Any], Any]], where: Where
) -> dict[str, Any]:
    """Return the settings in a table, checked each for itself.

    Raises:
      UsageError: see `described`.
    """
    found = {}
    today = {was: name for config in TEXTBOOK.values() for was, name in renamed(config).items()}
    for given, value in table.items():
        name = today.get(given, given)
        if name not in kinds:
            raise UsageError(f"{where(*path, given)}{_unknown(name, [*kinds], path)}")
        item, kind = kinds[name]
        try:
            found[name] = _checked(item, kind, value)
        except UsageError as error:
            words = str(error).replace(f"--{name.replace('_', '-')}", name)
            raise UsageError(f"{where(*path, given)}{words}") from None
    return found


def _unknown(name: str, known: list[str], path: tuple[str, ...]) -> str:
    """Return in words that a key is none, and which is meant."""
    if name in OF_SWEEP:
        return f"unknown key {name}; give {OF_SWEEP[name]}"
    if name in OWN:
        return f"unknown key {name} here; it belongs to the top of the file"
    if name in kinds_of(TEXTBOOK):
        return f"none of these algorithms has {name}{nearest(name, known)}"
    return f"unknown key {short(name)}{meant_here(name, [*known, *(() if path else OWN)])}"


def _checked(item: Field[Any], kind: Any, value: Any) -> Any:
    """Return a value of a file as the field's type.

    Raises:
      UsageError: it is none.
    """
    value = tuple(value) if isinstance(value, list) else value
    if is_optional(kind) and value == "none":
        value = None
    if plain_type(kind) is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    value = one_spelling(item.name, value)
    check(item, kind, value)
    return value


def _words(
    data: Mapping[str, Any], name: str, default: tuple[str, ...], where: Where = lambda *key: ""
) -> tuple[str, ...]:
    value = data.get(name, default)
    words = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else ()
    if not all(isinstance(word, str) and word.strip() for word in words) or (name in data and not words):
        raise UsageError(f"{where(name)}{name} is {short(repr(value))}, expected names")
    return tuple(dict.fromkeys(words))


def seeds_of(data: Mapping[str, Any], where: Where = lambda *key: "") -> tuple[int, ...]:
    """Return the seeds of 5, [1, 2] or "0-4,7".

    Raises:
      UsageError: they are no seeds, or too many.
    """
    value = data.get("seeds", 0)
    wrong = UsageError(f"{where('seeds')}seeds is {short(repr(value))}, expected whole numbers such as 0-4 or 0,1,7")
    found: list[int] = []
    parts = value.split(",") if isinstance(value, str) else [value] if isinstance(value, int) else value
    if not isinstance(parts, list | tuple | range):
        raise wrong
    for part in parts:
        first, dash, last = str(part).strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)) or isinstance(part, bool):
            raise wrong
        if max(len(first), len(last)) > LONGEST_SEED:
            raise wrong
        more = range(int(first), int(last or first) + 1)
        if len(found) + len(more[: MOST_RUNS + 1]) > MOST_RUNS:
            raise UsageError(f"{where('seeds')}seeds is {short(repr(value))}, expected at most {MOST_RUNS:,} seeds")
        found += more
    if not found:
        raise wrong
    return tuple(dict.fromkeys(found))


def _ranks(data: Mapping[str, Any], where: Where) -> int | None:
    value = data.get("ranks")
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise UsageError(f"{where('ranks')}ranks is {short(repr(value))}, expected a whole number of at least 1")
    return value


def _logdir(data: Mapping[str, Any], where: Where) -> str | None:
    value = data.get("logdir")
    if value is not None and not (isinstance(value, str) and value.strip()):
        raise UsageError(f"{where('logdir')}logdir is {short(repr(value))}, expected a folder")
    return value


def _table(data: Mapping[str, Any], name: str, where: Where, *path: str) -> Mapping[str, Any]:
    value = data.get(name, {})
    if not isinstance(value, Mapping):
        raise UsageError(f"{where(*path, name)}{name} is {short(repr(value))}, expected a table of settings")
    return value


def _is_list(values: Any, name: str, where: Where) -> bool:
    """Return True.

    Raises:
      UsageError: these are no values of a varied field.
    """
    if not isinstance(values, list | tuple) or not values:
        raise UsageError(f"{where('vary', name)}vary {name} is {short(repr(values))}, expected a list of values")
    return True


def _is_known(name: str, known: tuple[str, ...], where: Where) -> bool:
    """Return True.

    Raises:
      UsageError: settings are given for what is not in the sweep.
    """
    if name not in known:
        raise UsageError(
            f"{where(APART, name)}{APART}.{short(name)} is no environment or algorithm of this sweep"
            f"{nearest(name, known)}; there are {', '.join(known)}"
        )
    return True
