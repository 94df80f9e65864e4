"""Files of our own: whole or not there, and in folders that may come from a stranger.

There a link leads to anybody's file, and a pipe waits for ever.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from baselines_ppo.common.failures import UsageError, WriteError, nearest, short

BOM = "\ufeff"  # with which some editors begin a text
LONGEST_NAME, LONGEST_PATH = 255, 3800  # bytes, of Linux's file systems; the path leaves room for what is made in it


def place(typed: str | Path) -> Path:
    """Return the absolute path that a user means, be there something or not.

    Raises:
      UsageError: nothing can be there, or see `check_given`.
    """
    check_given(typed)
    try:
        path = Path(typed).expanduser().absolute()
        os.fsencode(path).decode("utf-8")  # whatever this terminal's encoding is
        if max(map(len, map(os.fsencode, path.parts))) > LONGEST_NAME or len(os.fsencode(path)) > LONGEST_PATH:
            raise ValueError(f"it is longer than {LONGEST_NAME} bytes, or {LONGEST_PATH} in all")
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):  # for whoever opens it to say
            path.lstat()
        return path
    except UnicodeDecodeError:
        raise UsageError(f"path {short(typed)!r}: its name is not UTF-8; give another") from None
    except (OSError, RuntimeError, ValueError) as error:  # no such user; a zero in it; no working folder
        reason = str(error.strerror if isinstance(error, OSError) else error).rstrip(".")
        raise UsageError(f"path {short(typed)}: {reason}; give another") from None


def checked_file(out: str | Path, known: Collection[str], flag: str = "--out") -> Path:
    """Return the absolute path of a file to be written, if its kind is known and there is a folder for it.

    Args:
      known: the endings that its name may have, such as .png.

    Raises:
      UsageError: it cannot be written.
    """
    path = Path(out)
    if path.suffix not in known:
        expected = f"a name that ends with {', '.join(known)}"
        raise UsageError(f"{flag} is {short(out)}{nearest(path.suffix, known)}, expected {expected}")
    try:
        path = path.expanduser().absolute()  # an environment may change the working folder
        writable = path.parent.is_dir() and os.access(path.parent, os.W_OK | os.X_OK) and not path.is_dir()
    except (OSError, RuntimeError, ValueError):  # it cannot be looked into, or there is no such user or name
        writable = False
    if not writable:
        raise UsageError(f"{flag} is {short(out)}, and no file can be written there")
    return path


def empty_folder(out: str | Path) -> Path:
    """Return the absolute path of a folder that is new or empty.

    Raises:
      UsageError: there is something else.
    """
    folder = place(out)
    try:
        taken = folder.is_dir() and any(folder.iterdir())
    except OSError:
        taken = True
    if taken or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"--out is {short(shown(folder))}, and there is something already; give a new folder")
    return folder


def check_given(typed: str | Path) -> None:
    """Check that a path is not empty, as that of a variable which is not set; Python would take the working folder.

    Raises:
      UsageError: it is.
    """
    if not str(typed).strip():
        raise UsageError("a path is empty; give one, or leave it out")


def quoted(path: Path) -> str:
    """Return a path as one can paste it into a shell, for a flag of ours or in place of an agent."""
    text = str(shown(path))
    special = text.startswith(("-", "~", "zoo:")) or text == "auto"  # what means something else to us
    return shlex.quote(str(path.absolute()) if special else text)


def shown(path: Path) -> Path:
    """Return a path as one would type it in the working folder."""
    try:
        return path.relative_to(Path.cwd())
    except (OSError, ValueError):  # it is elsewhere, or there is no working folder any more
        return path


def open_text(path: Path, mode: str) -> TextIO:
    """Open a text file in UTF-8, without changing the ends of lines, and if it is a regular file and no link.

    Raises:
      OSError: it is something else, or cannot be opened.
    """
    return cast(TextIO, open(path, mode, newline="", encoding="utf-8", opener=_regular))


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


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, a text in UTF-8: it is there whole, or as it was before.

    Raises:
      WriteError: it cannot be written.
    """
    with whole_file(path) as temporary, writing(path), open_bytes(temporary, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())


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
