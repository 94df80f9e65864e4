"""Files of our own in folders that may come from a stranger: a link leads to anybody's file, a pipe waits for ever."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, TextIO, cast


def open_text(path: Path, mode: str) -> TextIO:
    """Open a text file as `open` does, without changing the ends of lines, and if it is a regular file and no link.

    Raises:
      OSError: it is something else, or cannot be opened.
    """
    return cast(TextIO, open(path, mode, newline="", opener=_regular))


def open_bytes(path: Path, mode: str) -> BinaryIO:
    """Open a file of bytes as `open` does, if it is a regular file and no link.

    Raises:
      OSError: it is something else, or cannot be opened.
    """
    return cast(BinaryIO, open(path, mode, opener=_regular))


def _regular(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor
