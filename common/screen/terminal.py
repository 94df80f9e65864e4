"""The terminal that people look at: this process's own, or that of the mpirun which shows what rank 0 writes."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TextIO

from baselines_ppo.common.job.launcher import launched_by_mpi

LAUNCHERS = ("mpirun", "mpiexec", "mpiexec.hydra", "orterun", "prterun")
# Flags of launchers that write something before each line, or elsewhere.
CHANGING = ("-l", "-prepend-rank", "-prepend-pattern", "-outfile-pattern", "--tag-output", "--output", "--xml")
FARTHEST = 4  # processes from a rank up to mpirun: its proxies and shells


class Terminal(NamedTuple):
    """A terminal, and which of this process's streams lead to it."""

    device: Path  # such as /dev/pts/3
    streams: tuple[str, ...]  # of "stdout" and "stderr"

    def size(self) -> os.terminal_size:
        """Return its columns and lines now; 80 x 24 if it does not say."""
        with suppress(OSError):
            descriptor = os.open(self.device, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                found = os.get_terminal_size(descriptor)
                if found.columns and found.lines:
                    return found
            finally:
                os.close(descriptor)
        return os.terminal_size((80, 24))


def find_terminal() -> Terminal | None:
    """Return the terminal on which lines can be written over; None in files, pipes, notebooks and simple terminals."""
    if os.environ.get("TERM", "dumb") == "dumb" or not hasattr(sys.stdout, "buffer"):
        return None
    if not launched_by_mpi():
        return _of({"stdout": _device(sys.stdout), "stderr": _device(sys.stderr)})
    launcher = _launcher()
    if launcher is None:
        return None
    with suppress(OSError):
        words = Path(f"/proc/{launcher}/cmdline").read_bytes().decode(errors="replace").split("\0")
        if not set(words) & set(CHANGING):
            return _of({name: _opened(launcher, number) for number, name in ((1, "stdout"), (2, "stderr"))})
    return None


def _of(devices: dict[str, Path | None]) -> Terminal | None:
    device = devices["stdout"]
    return None if device is None else Terminal(device, tuple(name for name in devices if devices[name] == device))


def _device(stream: TextIO) -> Path | None:
    """Return the terminal that a stream leads to."""
    with suppress(AttributeError, OSError, ValueError):  # there may be no stream, or none with a file
        return Path(os.ttyname(stream.fileno()))
    return None


def _opened(process: int, descriptor: int) -> Path | None:
    """Return the terminal that a process of this user has as its output."""
    path = Path(f"/proc/{process}/fd/{descriptor}").readlink()
    return path if path.parts[:2] == ("/", "dev") and path.is_char_device() and path.name != "null" else None


def _launcher() -> int | None:
    """Return the mpirun on this host that this rank is of."""
    process = os.getppid()
    for _ in range(FARTHEST):
        with suppress(OSError, ValueError, IndexError):
            name = Path(f"/proc/{process}/comm").read_text().strip()
            if name in LAUNCHERS:
                return process
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return None
