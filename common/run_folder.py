"""The folder of one training run: never overwritten, locked while in use, its log of record a CSV."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from baselines_ppo.common import checkpoint
from baselines_ppo.common.failures import UsageError, WriteError

CONFIG, PROGRESS, CHECKPOINTS, LOCK = "config.json", "progress.csv", "checkpoints", "lock"


def runs_of(env_id: str) -> Path:
    """Return the folder in which runs of an environment are made by default."""
    return Path("runs") / (env_id.replace("/", "-").replace(":", "-") or "custom")


class RunFolder:
    """A run's configuration, progress and checkpoints on disk; every rank knows where, rank 0 alone uses it."""

    def __init__(self, path: Path) -> None:
        self.path, self.checkpoints = path, path / CHECKPOINTS
        self._lock: TextIO | None = None
        self._progress: TextIO | None = None
        self._columns: list[str] = []
        self._warned = False

    def create(self) -> None:
        """Make the folder and take its lock.

        Raises:
          UsageError: there is a run in it already.
          WriteError: it cannot be written.
        """
        if (self.path / CONFIG).exists() or self.checkpoints.exists():
            raise UsageError(
                f"{self.path} holds a run already; go on with --resume {self.path}, or give another --logdir"
            )
        try:
            self.checkpoints.mkdir(parents=True)
        except OSError as error:
            raise self._unwritable(error) from None
        self._acquire()

    def open(self) -> None:
        """Take the lock of the existing folder and sweep away what an interrupted save left.

        Raises:
          UsageError: another process uses it.
          WriteError: it cannot be written.
        """
        self._acquire()
        checkpoint.sweep(self.checkpoints)

    def _unwritable(self, error: OSError) -> WriteError:
        return WriteError(f"run folder {self.path} cannot be written: {error.strerror or error}")

    def _acquire(self) -> None:
        try:
            self._lock = (self.path / LOCK).open("a+")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            assert self._lock is not None
            self._lock.seek(0)
            raise UsageError(f"run folder {self.path} is in use by {self._lock.read().strip()}") from None
        except OSError as error:
            raise self._unwritable(error) from None
        self._lock.truncate(0)
        self._lock.write(f"process {os.getpid()} on {os.uname().nodename} since {time.strftime('%F %T')}\n")
        self._lock.flush()

    def write_config(self, config: dict[str, Any]) -> None:
        """Write config.json, the record of what was asked for and with which versions."""
        (self.path / CONFIG).write_text(json.dumps(config, indent=1) + "\n")

    def resume_progress(self, iteration: int) -> None:
        """Drop the rows after an iteration, which will be written again; the curve goes on from there."""
        path = self.path / PROGRESS
        if not path.exists():
            return
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        kept = [row for row in rows if row["iteration"] and int(row["iteration"]) <= iteration]
        temporary = path.with_suffix(".tmp")
        with temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else ["iteration"])
            writer.writeheader()
            writer.writerows(kept)
        temporary.replace(path)

    def write_progress(self, row: dict[str, Any]) -> None:
        """Append one iteration's row; a full disk is reported once and does not stop the training."""
        try:
            if self._progress is None:
                path = self.path / PROGRESS
                begun = path.exists() and path.stat().st_size > 0
                self._progress, self._columns = path.open("a", newline=""), list(row)
                if not begun:
                    csv.writer(self._progress).writerow(self._columns)
            csv.writer(self._progress).writerow([row.get(name) for name in self._columns])
            self._progress.flush()
        except OSError as error:
            if not self._warned:
                sys.stderr.write(f"warning: {PROGRESS} not written: {error.strerror}; training goes on\n")
                self._warned = True

    def close(self) -> None:
        """Close the files and give the lock back."""
        for file in (self._progress, self._lock):
            if file is not None:
                file.close()
        self._progress = self._lock = None
