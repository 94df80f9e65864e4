"""The log of record, a CSV whose header says what its columns are, also where another version began it."""

from __future__ import annotations

import csv
import io
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from baselines_ppo.common.failures import WriteError
from baselines_ppo.common.files.whole import BOM, open_text, write_whole

KEY = "iteration"


class Progress:
    """One run's progress.csv: a row for each iteration, matched to the columns by name; nothing of it is lost."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: TextIO | None = None
        self._columns: list[str] = []
        self._warned = False

    def set_aside(self) -> Path | None:
        """Give the file another name, so that a new one begins; returns that name, None where there is no file.

        Raises:
          OSError: it cannot be renamed.
        """
        if not self.path.exists():
            return None
        stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{self.path.name}"
        names = (stem, *(f"{k}-{stem}" for k in range(2, 1000)))
        free = next(path for path in map(self.path.with_name, names) if not path.exists())
        self.path.rename(free)
        return free

    def keep(self, iteration: int) -> None:
        """Drop the rows after an iteration, which will be written again.

        A file in which there is something else than rows of its columns is kept as it is by another name.

        Raises:
          OSError, WriteError: the file cannot be read or written.
        """
        if not self.path.exists():
            return
        header, rows = self._read()
        at = header.index(KEY) if header else 0
        kept = [row for row in rows if int(row[at]) <= iteration]
        self._write_whole([header, *kept] if kept else [])

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row; a full disk is reported once and does not stop the training."""
        try:
            if self._file is None:
                self._columns = self._read()[0]
            if new := [name for name in row if name not in self._columns]:
                self._widen(new)
            if self._file is None:
                self._file = open_text(self.path, "a")
            csv.writer(self._file).writerow([row.get(name) for name in self._columns])
            self._file.flush()
        except (OSError, WriteError) as error:
            if not self._warned:
                reason = error.strerror if isinstance(error, OSError) else error
                sys.stderr.write(f"warning: {self.path.name} not written: {reason}; training goes on\n")
                self._warned = True

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with suppress(OSError):  # rows that a full disk did not take were reported when written
                self._file.close()
        self._file = None

    def _widen(self, names: Sequence[str]) -> None:
        """Add columns at the end; older rows have nothing in them."""
        self.close()
        header, rows = self._read()
        self._columns = [*header, *names]
        self._write_whole([self._columns, *([*row, *("" for _ in names)] for row in rows)])

    def _write_whole(self, rows: Sequence[Sequence[str]]) -> None:
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        write_whole(self.path, text.getvalue())

    def _read(self) -> tuple[list[str], list[list[str]]]:
        """Return header and rows; a file that holds something else too is kept as it is by another name."""
        if not self.path.exists():
            return [], []
        header, rows, strange = parsed(self.path)
        if strange:
            aside = self.set_aside()
            sys.stderr.write(f"warning: {self.path} has {strange}; it is kept as {aside.name if aside else '-'}\n")
        return header, rows


def parsed(path: Path) -> tuple[list[str], list[list[str]], str]:
    """Return header, rows, and in words what else there is: '' for nothing but a last row that was torn.

    Raises:
      OSError: the file cannot be read.
    """
    try:
        with open_text(path, "r") as file:
            text = file.read().removeprefix(BOM)
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except (UnicodeDecodeError, csv.Error):
        return [], [], "something in it that is no CSV"
    if not lines:
        return [], [], ""
    header, *rows = lines
    if KEY not in header or len(set(header)) < len(header):
        return [], [], f"no column {KEY}, or two of one name"
    at = header.index(KEY)
    good = [row for row in rows if len(row) == len(header) and row[at].isascii() and row[at].isdecimal()]
    bad = len(rows) - len(good) - (bool(rows) and len(rows[-1]) < len(header))
    return header, good, f"{bad} {'row' if bad == 1 else 'rows'} that do not fit its header" if bad else ""
