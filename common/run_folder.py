"""The folder of one training run: never overwritten, locked while in use, its log of record a CSV."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from baselines_ppo.common import checkpoint
from baselines_ppo.common.failures import LoadError, UsageError, WriteError
from baselines_ppo.common.files import open_text, whole_file

CONFIG, PROGRESS, CHECKPOINTS, LOCK, RANKS = PARTS = "config.json", "progress.csv", "checkpoints", "lock", "ranks"


def runs_of(env_id: str) -> Path:
    """Return the folder in which runs of an environment are made by default."""
    return Path("runs") / (env_id.replace("/", "-").replace(":", "-") or "custom")


def new_run(env_id: str, alg: str, seed: int) -> Path:
    """Return a folder that does not exist yet, for a run that begins now."""
    base = runs_of(env_id) / f"{alg}-{time.strftime('%Y%m%d-%H%M%S')}-{seed}"
    candidates = (base, *(base.with_name(f"{base.name}-{k}") for k in range(2, 1000)))
    return next(path for path in candidates if not path.exists())


class RunFolder:
    """A run's configuration, progress and checkpoints on disk; every rank knows where, rank 0 alone uses it."""

    def __init__(self, path: Path) -> None:
        self.path, self.checkpoints = path, path / CHECKPOINTS
        self._lock: TextIO | None = None
        self._progress: TextIO | None = None
        self._columns: list[str] = []
        self._warned = False

    def create(self) -> None:
        """Make the folder and take its lock; one without a checkpoint is begun anew, its progress kept by another name.

        Raises:
          LoadError: parts of it are links, and may lead to somebody else's files.
          UsageError: there is a run in it already, or another process uses it.
          WriteError: it cannot be written.
        """
        self._refuse_links()
        if any(self.checkpoints.glob(checkpoint.NAMES)):
            raise UsageError(
                f"{self.path} holds a run already; go on with --resume {self.path}, or give another --logdir"
            )
        with self._writing():
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            self._acquire()
            checkpoint.sweep(self.checkpoints)
            if (self.path / PROGRESS).exists():
                (self.path / PROGRESS).rename(self.path / f"{time.strftime('%Y%m%d-%H%M%S')}-{PROGRESS}")

    def open(self, iteration: int) -> None:
        """Take the lock of the existing folder, to go on from the checkpoint of an iteration.

        What an interrupted save left is swept away, and what came after the iteration is set aside: it will be
        written again, so that the curve goes on.

        Raises:
          LoadError: parts of it are links, and may lead to somebody else's files.
          UsageError: another process uses it.
          WriteError: it cannot be written.
        """
        self._refuse_links()
        with self._writing():
            self._acquire()
            checkpoint.sweep(self.checkpoints)
            checkpoint.set_aside(self.checkpoints, iteration)
            self._keep_progress(iteration)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise WriteError(f"run folder {self.path} cannot be written: {error.strerror or error}") from None

    def _refuse_links(self) -> None:
        if linked := [name for name in PARTS if (self.path / name).is_symlink()]:
            raise LoadError(f"run folder {self.path}: {', '.join(linked)} is a link; put what it leads to in its place")

    def _acquire(self) -> None:
        self._lock = open_text(self.path / LOCK, "a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            raise UsageError(f"run folder {self.path} is in use by {self._lock.read().strip()}") from None
        self._lock.truncate(0)
        self._lock.write(f"process {os.getpid()} on {os.uname().nodename} since {time.strftime('%F %T')}\n")
        self._lock.flush()

    def _keep_progress(self, iteration: int) -> None:
        """Drop the rows after an iteration."""
        path = self.path / PROGRESS
        if not path.exists():
            return
        with open_text(path, "r") as file:
            header, *rows = list(csv.reader(file)) or [["iteration"]]
        kept = [row for row in rows if len(row) == len(header) and int(row[0]) <= iteration]
        with whole_file(path) as temporary, open_text(temporary, "w") as file:
            csv.writer(file).writerows([header, *kept] if kept else [])

    def rank_log(self, rank: int) -> Path:
        """Return where a rank writes what only matters if something goes wrong."""
        return self.path / RANKS / f"{rank:02d}.log"

    @property
    def board(self) -> Path:
        """Where the ranks leave their signs of life."""
        return self.path / RANKS / "alive"

    def write_config(self, config: dict[str, Any]) -> None:
        """Write config.json, the record of what was asked for and with which versions.

        Raises:
          WriteError: it could not be written.
        """
        with self._writing(), whole_file(self.path / CONFIG) as temporary, open_text(temporary, "w") as file:
            file.write(json.dumps(config, indent=1) + "\n")

    def write_progress(self, row: dict[str, Any]) -> None:
        """Append one iteration's row; a full disk is reported once and does not stop the training."""
        try:
            if self._progress is None:
                path = self.path / PROGRESS
                begun = path.exists() and path.stat().st_size > 0
                self._progress, self._columns = open_text(path, "a"), list(row)
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
                with suppress(OSError):  # rows that a full disk did not take were reported when written
                    file.close()
        self._progress = self._lock = None
