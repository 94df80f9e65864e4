"""The processors that this process may use."""

from __future__ import annotations

import os


def cores() -> frozenset[int]:
    """Return their numbers; where the system does not say, those of all."""
    return frozenset(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))
