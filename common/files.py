"""Files of our own in folders that may come from a stranger: a symbolic link there could lead to anybody's file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO, TextIO, cast


def open_text(path: Path, mode: str) -> TextIO:
    """Open a text file as `open` does, without changing the ends of lines, and following no link.

    Raises:
      OSError: it is a link, or cannot be opened.
    """
    return cast(TextIO, open(path, mode, newline="", opener=_no_links))


def open_bytes(path: Path, mode: str) -> BinaryIO:
    """Open a file of bytes as `open` does, following no link.

    Raises:
      OSError: it is a link, or cannot be opened.
    """
    return cast(BinaryIO, open(path, mode, opener=_no_links))


def _no_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)
