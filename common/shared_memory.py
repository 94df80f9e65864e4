"""What ranks that were killed leave behind in shared memory, and its removal."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

SHARED = Path("/dev/shm")
NAMES = ("mpich_shm_*", "ucx_shm_posix_*")
YOUNGEST = 10.0  # s; what is younger may belong to ranks that are just starting


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
