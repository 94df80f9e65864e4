"""Output that goes above a live table, whole lines at a time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, TextIO

ERASE = "\r\x1b[J"  # from the cursor's line, where the table begins, to the end of the screen


class Above:
    """A stream in whose place whole lines are written where the table was; the next drawing is below them."""

    def __init__(self, stream: TextIO, erase: str) -> None:
        self._stream, self._erase, self._begun = stream, erase, ""

    def write(self, text: str) -> int:
        """Write the lines that are complete; the rest waits for its end, or for `flush`."""
        whole, newline, self._begun = (self._begun + text).rpartition("\n")
        if newline:
            self._stream.write(self._erase + whole + newline)
            self._stream.flush()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Write what has been begun, as a line."""
        if self._begun:
            self.write("\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def write_above(names: Iterable[str], erase: str = ERASE) -> Callable[[], None]:
    """Let what Python writes to these streams, "stdout" and "stderr", go above the table; returns what ends that.

    Args:
      erase: what takes the table, or a bar, away.
    """
    streams = {name: getattr(sys, name) for name in names}
    for name, stream in streams.items():
        setattr(sys, name, Above(stream, erase))

    def end() -> None:
        for name, stream in streams.items():
            above = getattr(sys, name)
            if isinstance(above, Above):  # and nothing that somebody else has put there
                above.flush()
                setattr(sys, name, stream)

    return end
