"""JSON from strangers: numbers are finite, and names are each there once."""

from __future__ import annotations

import json
import math
from typing import Any

from baselines_ppo.common.failures import short


def parsed(text: str) -> Any:
    """Return what the JSON says.

    Raises:
      ValueError: it is none, a number is not finite, or a name is there twice.
      RecursionError: it is deeper than anybody writes.
    """
    return json.loads(text, parse_constant=_finite, parse_float=_finite, object_pairs_hook=no_duplicates)


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object whose names are each there once: of two, no reader can know which one is meant.

    Raises:
      ValueError: one is there twice.
    """
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a name is there twice")
    return values


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{short(text)} is not a finite number")
    return number
