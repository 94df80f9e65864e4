"""A terminal in which a command runs, and what somebody who looks at it sees: a pseudo-terminal and its screen."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

CODE = re.compile(r"\x1b\[([\d;?]*)([A-Za-z])")


class Screen:
    """Lines of a terminal, those that have left it at the top included; knows what this program writes, and no more."""

    def __init__(self, columns: int = 100, lines: int = 40) -> None:
        self.columns, self.height = columns, lines
        self.lines: list[str] = [""]
        self.row = self.column = 0
        self.colours = 0

    def feed(self, text: str) -> None:
        """Show what is written."""
        while text:
            if text.startswith("\x1b["):
                if (found := CODE.match(text)) is None:
                    raise AssertionError(f"unknown code {text[:12]!r}")
                self._obey(found[1], found[2])
                text = text[found.end() :]
            else:
                self._put(text[0])
                text = text[1:]

    def _obey(self, argument: str, letter: str) -> None:
        if letter == "A":  # up, not beyond the top of the screen
            self.row = max(self.row - int(argument or 1), len(self.lines) - self.height, 0)
        elif letter == "J" and argument in ("", "0"):
            self.lines[self.row] = self.lines[self.row][: self.column]
            for k in range(self.row + 1, len(self.lines)):
                self.lines[k] = ""
        elif letter == "K" and argument == "2":
            self.lines[self.row] = ""
        elif argument == "?25" and letter in "hl":  # the cursor is shown or hidden
            pass
        elif letter == "m":
            self.colours += argument not in ("", "0")
        else:
            raise AssertionError(f"unknown code {argument}{letter}")

    def _put(self, letter: str) -> None:
        if letter == "\r":
            self.column = 0
        elif letter == "\n":
            self.row += 1
            if self.row == len(self.lines):
                self.lines.append("")
        else:
            if self.column == self.columns:
                self._put("\r")
                self._put("\n")
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + letter + line[self.column + 1 :]
            self.column += 1

    @property
    def text(self) -> str:
        """What there is, without empty lines at the end."""
        return "\n".join(line.rstrip() for line in self.lines).rstrip()


def typed(
    words: Sequence[str],
    folder: Path,
    variables: Mapping[str, str],
    columns: int = 100,
    lines: int = 40,
    seconds: float = 120,
) -> tuple[Screen, list[str], int]:
    """Run a command in a terminal; returns its last screen, all screens in between, and its exit code."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    process = subprocess.Popen(
        words, cwd=folder, env=dict(variables), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    screen, seen, pending, until = Screen(columns, lines), list[str](), b"", time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            if select.select([ours], [], [], 0.05)[0]:
                with contextlib.suppress(OSError):  # how Linux tells that nobody has it open any more
                    if new := os.read(ours, 65536):
                        pending += new
                        text = pending.decode(errors="ignore")
                        cut = text.rfind("\x1b")
                        if CODE.match(text, cut) or cut < 0:
                            screen.feed(text)
                            seen.append(screen.text)
                            pending = b""
                        continue
                break
        return screen, seen, process.wait(max(until - time.monotonic(), 1))
    finally:
        os.close(ours)
        process.kill()
