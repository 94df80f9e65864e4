"""The processors that this process may use."""

from __future__ import annotations

import os

from baselines_ppo.common.job.control_groups import limits


def cores() -> frozenset[int]:
    """Return their numbers; where the system does not say, those of all."""
    return frozenset(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1))


def usable_cores() -> int:
    """Return how many can be kept busy: all of these, or fewer where a quota, as of a container, allows less time."""
    return max(1, int(min(len(cores()), limits().cores)))
