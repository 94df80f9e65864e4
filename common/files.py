"""Files of our own: whole or not there, and in folders that may come from a stranger.

There a link leads to anybody's file, and a pipe waits for ever.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from baselines_ppo.common.failures import WriteError, short


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


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary name beside a path; what is written there gets its own name when all went well.

    Raises:
      WriteError: it cannot get its own name.
    """
    temporary = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    with writing(path):
        temporary.unlink(missing_ok=True)  # a link, perhaps, that somebody has put there
    try:
        yield temporary
        with writing(path):
            temporary.replace(path)
    finally:
        with suppress(OSError):  # the folder may be gone too
            temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say which file it is that cannot be written.

    Raises:
      WriteError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise WriteError(f"{short(path)} not written: {error.strerror or error}") from error


def _regular(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor
