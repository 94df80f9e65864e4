"""Numbers and times as people read them."""

from __future__ import annotations

import math
from typing import Any

UNKNOWN = "-"  # as the return before the first episode has ended


def duration(seconds: float) -> str:
    """Return seconds as h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def counted(number: float, one: str, several: str = "") -> str:
    """Return a number of things in words, such as 1 epoch, 2,048 epochs or 1.5 cores."""
    shown = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{shown} {one if number == 1 else several or one + 's'}"


def rounded(value: float | None) -> str:
    """Return a mean in a form in which a column of them is read at a glance, such as 164.7."""
    return f"{value:,.1f}" if value is not None and abs(value) >= 10 else number(value)


def number(value: Any) -> str:
    """Return a number in four digits, or with all before its point and commas between thousands."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return UNKNOWN
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)
