"""What the arrays of an exported agent are called: names that are words in every language, none of them twice."""

from __future__ import annotations

import re
from collections.abc import Iterable

STATE, NEXT_STATE = "state", "next_state"
OBSERVATION, ACTION = "observation", "action"


def suffixes(parts: Iterable[str]) -> list[str]:
    """Return what stands behind `observation` or `action` for each of these parts.

    Args:
      parts: as people say them, such as arm.camera, which becomes _arm_camera; empty for a whole, as is its suffix.
    """
    found: list[str] = []
    for part in parts:
        suffix = re.sub(r"\W+", "_", f"_{part}", flags=re.ASCII) if part else ""
        while suffix in found:  # two names that differ by a sign alone
            suffix += "_"
        found.append(suffix)
    return found
