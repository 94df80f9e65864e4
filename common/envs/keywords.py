"""Keyword arguments of environments and wrappers, as text that says values alone: nothing in it can run code."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.common.files.strict_json import no_duplicates

RESERVED = ("id", "render_mode", "disable_env_checker", "vectorization_mode", "num_envs")  # what we give ourselves
CALL = re.compile(r"(?P<name>[^()\s]+)\s*\((?P<inside>.*)\)", re.DOTALL)
CONSTANTS = {"true": True, "false": False, "null": None}  # of JSON, beside Python's
DEEPEST = 32  # levels of lists and objects within each other
OPENING, CLOSING, QUOTES = "([{", ")]}", "'\""
# From a file, words are taken that cannot be the name of another one, under names that do not ask for one.
WORD, OF_A_FILE = re.compile(r"[\w +-]*"), re.compile(r"file|path|dir|folder|xml|url|model|asset|save", re.IGNORECASE)


def one_spelling(field: str, value: Any) -> Any:
    """Return the value of a configuration's field as it is compared at a resume: what means the same is the same.

    Raises:
      UsageError: see `canonical_keywords` and `wrapper_of`.
    """
    if field == "env_kwargs":
        return canonical_keywords(value)
    if field == "wrapper" and isinstance(value, tuple) and all(isinstance(part, str) for part in value):
        return tuple(map(canonical_wrapper, value))
    return value


def canonical_keywords(given: object) -> object:
    """Return keyword arguments, a mapping or JSON, as canonical JSON; '' for none, what is neither as it is.

    Raises:
      UsageError: it is no object of plain values, or names what is not for users to give.
    """
    if isinstance(given, Mapping):
        values = dict(given)
    elif isinstance(given, str):
        values = keywords_of(given)
    else:
        return given
    if (wrong := next((name for name in values if not str(name).isidentifier()), None)) is not None:
        raise UsageError(f"--env-kwargs: {short(wrong)!r} is not the name of an argument")
    if reserved := [name for name in values if name in RESERVED]:
        raise UsageError(f"--env-kwargs: {', '.join(reserved)} is not for users to give; leave it out")
    if (wrong := next((x for x in values.values() if not _plain(x)), None)) is not None:
        raise UsageError(f"--env-kwargs: {short(repr(wrong))} is no number, word, list or object of these")
    return json.dumps(values, sort_keys=True, allow_nan=False) if values else ""


def keywords_of(text: str) -> dict[str, Any]:
    """Return the keyword arguments that JSON says; none for ''.

    Raises:
      UsageError: it is no JSON object.
    """
    if text.strip().lower() in ("", "none"):
        return {}
    try:
        values = json.loads(text, object_pairs_hook=no_duplicates)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or _is_deep(values):
        raise UsageError(f"--env-kwargs is {short(text)}, expected JSON such as '{{\"frame_skip\": 2}}'")
    return values


def canonical_wrapper(text: str) -> str:
    """Return module:Class(key=value) in one spelling, module:Class alone as it is.

    Raises:
      UsageError: see `wrapper_of`.
    """
    name, keywords = wrapper_of(text)
    inside = ",".join(f"{key}={value!r}" for key, value in sorted(keywords.items()))
    return f"{name}({inside})" if inside else name


def wrapper_of(text: str) -> tuple[str, dict[str, Any]]:
    """Return module:Class and the keyword arguments of module:Class(key=value, ...).

    Raises:
      UsageError: what is in the brackets is something else than keys and plain values.
    """
    if "(" not in text:
        return text, {}
    call = CALL.fullmatch(text.strip())
    try:
        if call is None:
            raise ValueError("brackets do not match")
        expression = ast.parse(f"f({call['inside']})", mode="eval").body
        if not isinstance(expression, ast.Call) or expression.args or not isinstance(expression.func, ast.Name):
            raise ValueError("values have no names")
        values = {str(keyword.arg): _literal(keyword.value) for keyword in expression.keywords if keyword.arg}
        if len(values) != len(expression.keywords) or not all(map(_plain, values.values())):
            raise ValueError("values are not plain")
        return call["name"], values
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        raise UsageError(
            f"--wrapper is {short(text)}, expected module:Class(key=value, ...) with plain values"
        ) from None


def names_a_file(keywords: Mapping[str, Any]) -> bool:
    """Return whether keyword arguments may lead to a file, so that they are not taken from one without being named."""
    words = (key for key, _ in _parts(keywords))
    texts = (value for _, value in _parts(keywords) if isinstance(value, str))
    return any(OF_A_FILE.search(word) for word in words) or any(WORD.fullmatch(text) is None for text in texts)


def same_meaning(field: str, one: Any, other: Any) -> bool:
    """Return whether two values of a configuration's field, each in its one spelling, mean the same.

    Of arguments equal numbers are equal, such as 2 and 2.0; a truth is no number.
    """
    if field == "env_kwargs":
        return _meaning(keywords_of(one)) == _meaning(keywords_of(other))
    if field == "wrapper":
        return [_meaning(wrapper_of(text)) for text in one] == [_meaning(wrapper_of(text)) for text in other]
    return one == other


def split_list(text: str) -> list[str]:
    """Return the parts of a list with commas between them; those within brackets and quotes do not divide.

    Raises:
      ValueError: one of them is empty.
    """
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in QUOTES:
            quote = letter
        depth += (letter in OPENING) - (letter in CLOSING) if not quote else 0
        if letter == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    if not text.strip():
        return []
    if not all(part.strip() for part in parts):
        raise ValueError(f"{short(text)} has an empty entry; write A,B without a comma too many")
    return [part.strip() for part in parts]


def _is_deep(value: Any) -> bool:
    """Return whether lists and objects are more levels deep than anybody writes, or code can follow."""
    level = [value]
    for _ in range(DEEPEST):
        inner = [part for part in level if isinstance(part, dict | list)]
        level = [x for part in inner for x in (part.values() if isinstance(part, dict) else part)]
    return bool(level)


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Name) and node.id in CONSTANTS:
        return CONSTANTS[node.id]
    return ast.literal_eval(node)


def _plain(value: object) -> bool:
    """Return whether a value is a finite number, a word, a truth, nothing, or a list or mapping of these."""
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _plain(part) for key, part in value.items())
    return value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value))


def _meaning(value: Any) -> Any:
    """Return what is equal for values that mean the same."""
    if isinstance(value, dict):
        return {key: _meaning(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value).__name__, [_meaning(part) for part in value]
    return (value,) if isinstance(value, bool) else value


def _parts(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield all values within a value, each with the name that it goes by."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _parts(part, name)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _parts(part, key)
    else:
        yield key, value
