"""Fields of a configuration: each with its help, its type and its range, all checked by one function."""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import Field, field
from typing import Any, Union, get_args, get_origin

from baselines_ppo.common.failures import UsageError, nearest

EMPTY = "empty"  # a list without entries, as one types it


def option(
    default: Any,
    help: str,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    choices: tuple[str, ...] | Callable[[], tuple[str, ...]] = (),
    was: str = "",
) -> Any:
    """Return a dataclass field with its help and its range: low <= x <= high, x > above, or one of choices.

    Args:
      choices: or a function that gives them, where they may grow.
      was: its name in former versions, which is taken too.
    """
    limits = {"low": low, "high": high, "above": above, "choices": choices, "was": was}
    return field(default=default, metadata={"help": help, **limits})


def choices_of(item: Field[Any]) -> tuple[str, ...]:
    """Return what a field's value may be; nothing where it is not one of a few."""
    choices = item.metadata["choices"]
    return tuple(choices() if callable(choices) else choices)


def is_optional(kind: Any) -> bool:
    """Return whether a type admits None."""
    return get_origin(kind) in (Union, types.UnionType) and type(None) in get_args(kind)


def plain_type(kind: Any) -> Any:
    """Return the type without its None, and without its element type: int, float, bool, str or tuple."""
    if is_optional(kind):
        kind = next(k for k in get_args(kind) if k is not type(None))
    return get_origin(kind) or kind


def element_type(kind: Any) -> Any:
    """Return what a tuple holds: int or str."""
    inner = next((k for k in get_args(kind) if get_origin(k) is tuple), kind)
    return get_args(inner)[0]


def as_number_of(kind: Any, value: Any) -> Any:
    """Return a whole number as the float that it is to be, infinite beyond its range; anything else as it is."""
    if plain_type(kind) is not float or type(value) is not int:
        return value
    return float(value) if abs(value) <= sys.float_info.max else math.inf


def check(item: Field[Any], kind: Any, value: Any) -> None:
    """Check one value against its field's type and range.

    Raises:
      UsageError: says which flag, what it is and what it may be.
    """
    limits, plain = item.metadata, plain_type(kind)
    flag = "--" + item.name.replace("_", "-")
    if value is None and is_optional(kind):
        return
    accepted: tuple[type, ...] = (int, float) if plain is float else (plain,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and plain is not bool):
        expected = "a list or a tuple" if plain is tuple else plain.__name__
        raise UsageError(f"{flag} is {value!r}, expected {expected}")
    choices = choices_of(item)
    for word in value if isinstance(value, tuple) else (value,):
        if choices and word not in choices:
            known = (*choices, "none") if isinstance(value, tuple) else choices
            alone = word == "none" and isinstance(value, tuple)
            meant = ", which stands alone" if alone else nearest(str(word), known)
            raise UsageError(f"{flag} is {word!r}{meant}; choose from {', '.join(known)}")
    rules: list[tuple[str, str, Callable[[Any, float], bool]]] = [
        ("low", "at least", lambda x, limit: x >= limit),
        ("high", "at most", lambda x, limit: x <= limit),
        ("above", "above", lambda x, limit: x > limit),
    ]
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(value, tuple) and type(number) is not element_type(kind):
            expected = "whole numbers" if element_type(kind) is int else "words"
            raise UsageError(f"{flag} is {value}, expected {expected}")
        if isinstance(number, float) and not math.isfinite(number):
            raise UsageError(f"{flag} is {value}, expected a finite number")
        for name, words, holds in rules:
            limit = limits[name]
            if limit is not None and not holds(number, limit):
                raise UsageError(f"{flag} is {value}, expected {words} {limit:g}")


def written(value: Any) -> str:
    """Return a value as one would type it; values that differ are written in different ways."""
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or EMPTY
    return str(value).lower() if value is None or isinstance(value, bool) else str(value) or "-"


REGISTERED_BY: dict[str, str] = {}  # modules of the algorithms that were named as MODULE:NAME


def typed_algorithm(name: str) -> str:
    """Return an algorithm as another process has to name it: MODULE:NAME, if it was imported so, else its name."""
    return f"{REGISTERED_BY[name]}:{name}" if name in REGISTERED_BY else name


def flags_of(settings: Mapping[str, Any]) -> list[str]:
    """Return the flags of a training that have these values, such as --learning-rate=0.0003; none for what is empty."""
    typed = {**settings, "alg": typed_algorithm(settings["alg"])} if "alg" in settings else settings
    texts = {name: written(value) for name, value in typed.items() if value != ""}
    return [f"--{name.replace('_', '-')}={text}" for name, text in texts.items()]
