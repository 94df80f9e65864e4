"""Shared memory, through which the ranks of a host talk: is there enough, and what killed ranks have left in it."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

SHARED = Path("/dev/shm")
MIB = 1 << 20
# Below which MPICH may crash at its start. Measured with MPICH 5.0: 1 to 3 ranks crash at 16 or 18 MiB, 4 at 26, 8 at
# 40, 16 at 64; none where this allows it.
AT_LEAST, PER_RANK = 32 * MIB, 8 * MIB
WITHOUT = ("MPIR_CVAR_CH4_NETMOD", "UCX_TLS", "UCX_POSIX_DIR")  # each can keep MPICH off /dev/shm
NAMES = ("mpich_shm_*", "ucx_shm_posix_*")
YOUNGEST = 10.0  # s; what is younger may belong to ranks that are just starting


def needed(ranks: int) -> int:
    """Return the bytes that so many ranks of one host may need."""
    return max(AT_LEAST, PER_RANK * ranks)


def cure(ranks: int) -> str:
    """Return what to do where there is less."""
    return f"set {WITHOUT[0]}=ofi or enlarge it (docker run --shm-size={2 * needed(ranks) // MIB}m)"


def shortage(ranks: int) -> str | None:
    """Return what is wrong, in words, if so many ranks of this host do not find enough to start; else None.

    All of them come to the same answer: half of what is needed may be taken by those that were here first.
    """
    if any(os.environ.get(name) for name in WITHOUT):
        return None
    try:
        total, _, free = shutil.disk_usage(SHARED)
    except OSError:
        return None
    if total >= needed(ranks) and free >= needed(ranks) // 2:
        return None
    asked = f"MPICH may crash below {needed(ranks) // MIB} MiB with {ranks} ranks"
    return f"{SHARED} has {free // MIB} MiB free, {asked}; {cure(ranks)}"


def litter() -> list[Path]:
    """Return the segments of MPICH that are this user's and that no process has mapped."""
    candidates = [path for name in NAMES for path in SHARED.glob(name)]
    mine = [path for path in candidates if _is_old_and_mine(path)]
    if not mine:
        return []
    mapped = _mapped()
    return [path for path in mine if str(path) not in mapped]


def remove_litter() -> int:
    """Remove these segments; returns how many."""
    removed = 0
    for path in litter():
        with suppress(OSError):
            path.unlink()
            removed += 1
    return removed


def _is_old_and_mine(path: Path) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return status.st_uid == os.getuid() and time.time() - status.st_mtime > YOUNGEST


def _mapped() -> set[str]:
    """Return the files in shared memory that some process has mapped or open."""
    found: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            lines = (process / "maps").read_text().splitlines()
            found.update(line.split(maxsplit=5)[5] for line in lines if str(SHARED) in line)
            found.update(str(link.readlink()) for link in (process / "fd").iterdir())
    return found
