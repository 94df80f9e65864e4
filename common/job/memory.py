"""How much memory this process holds, and giving back what it needs no more."""

from __future__ import annotations

import ctypes
import mmap
import re
import resource
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

# Of a file that this process alone would copy if it wrote to it, but may not write to: code and constants.
UNWRITTEN = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) r-[-x]p \S+ \S+ [1-9]\d* +/")
HEADER = re.compile(r"^[0-9a-f]+-[0-9a-f]+ ")


class LoadedPart(NamedTuple):
    """Part of a file in this process's memory, in bytes."""

    address: int
    length: int
    resident: int


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


def return_loaded_code() -> None:
    """Give back the pages of code that this process has touched; those that it uses again come back by themselves.

    Loading TensorFlow and compiling touch 400 MB of code, training uses a tenth of it. All of it stays in the system's
    cache of files as long as there is room, so that a page comes back within microseconds.
    """
    with suppress(OSError, AttributeError):  # another system
        madvise = ctypes.CDLL(None).madvise
        for part in loaded_code():
            madvise(ctypes.c_void_p(part.address), ctypes.c_size_t(part.length), mmap.MADV_DONTNEED)


def loaded_code() -> list[LoadedPart]:
    """Return the parts of files that this process has in memory as they are on the disk, and may not write to.

    The loader has written addresses into some, before it made them read-only: those would not come back.

    Raises:
      OSError: the system does not say so.
    """
    found: list[LoadedPart] = []
    place: tuple[int, int] | None = None
    resident = 0
    for line in Path("/proc/self/smaps").read_text(errors="replace").splitlines():
        if HEADER.match(line):
            match = UNWRITTEN.match(line)
            place = (int(match[1], 16), int(match[2], 16)) if match else None
        elif place and line.startswith("Rss:"):
            resident = 1024 * int(line.split()[1])
        elif place and line.startswith("Anonymous:") and int(line.split()[1]) == 0 and resident:
            found.append(LoadedPart(place[0], place[1] - place[0], resident))
    return found
