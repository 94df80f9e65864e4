"""A folder's lock: one process at a time writes there, and the others can say which."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import TextIO

from baselines_ppo.common.files.whole import open_text

LOCK = "lock"  # the file's name


class InUse(Exception):
    """Another process holds the lock; its text says which."""


def hold(folder: Path, name: str = LOCK) -> TextIO:
    """Take the lock of a folder, until the file that is returned is closed, or the process ends.

    Args:
      name: of the lock's file.

    Raises:
      InUse: another process holds it.
      OSError: it cannot be written.
    """
    file = open_text(folder / name, "a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with file:
            file.seek(0)
            raise InUse(file.read().strip() or "another process") from None
    file.truncate(0)
    file.write(f"process {os.getpid()} on {os.uname().nodename} since {time.strftime('%F %T')}\n")
    file.flush()
    return file


def user_of(folder: Path) -> str:
    """Return in words which process holds the lock of a folder; '' where none does."""
    try:
        with open_text(folder / LOCK, "r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read().strip() or "another process"
    except OSError:
        return ""
    return ""
