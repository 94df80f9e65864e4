"""How much memory this process holds, and giving back what it needs no more."""

from __future__ import annotations

import ctypes
import resource
from contextlib import suppress
from pathlib import Path


def resident_megabytes() -> float:
    """Return what is in memory now, or where the system does not say so, the most that ever was."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def return_freed_memory() -> None:
    """Give memory that was freed back to the system; the C library of Linux keeps it otherwise."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
