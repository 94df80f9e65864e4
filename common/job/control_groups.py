"""What Linux's control groups allow this process, as in a container or a job: time of cores, and memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

OWN_GROUPS, ROOT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
INFINITE = float("inf")
UNLIMITED = 1 << 60  # bytes; version 1 writes a number of this size where there is no limit


class JobLimits(NamedTuple):
    """The tightest limits around this process; infinite where there is none."""

    cores: float  # how many cores' worth of time
    memory: float  # bytes


def limits(own_groups: Path = OWN_GROUPS, root: Path = ROOT) -> JobLimits:
    """Return what both versions of control groups allow.

    Args:
      own_groups: the file that names the groups of this process.
      root: where the groups are mounted.
    """
    cores, memory = [INFINITE], [INFINITE]
    for group in _groups(own_groups, root, "cpu"):
        with suppress(OSError, ValueError):  # no limit is written as max
            allowed, period = map(int, (group / "cpu.max").read_text().split())
            cores.append(allowed / period)
        with suppress(OSError, ValueError):  # version 1; no limit is written as -1
            allowed, period = (int((group / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
            cores += [allowed / period] if allowed > 0 else []
    for group in _groups(own_groups, root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):
                allowed = int((group / name).read_text())
                memory += [allowed] if allowed < UNLIMITED else []
    return JobLimits(min(cores), min(memory))


def _groups(own_groups: Path, root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's groups and of all around them that may limit what a controller governs.

    In a container of version 1 the file names the group as the host sees it; its limits are then at the root.
    """
    with suppress(OSError):
        for line in own_groups.read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if not controllers or controller in controllers.split(","):
                yield from (root / (controller if controllers else "") / group.strip("/") / "here").parents
