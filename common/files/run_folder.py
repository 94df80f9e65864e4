"""The folder of one training run: never overwritten, locked while in use."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from baselines_ppo.common.failures import LoadError, UsageError, WriteError
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.progress import Progress
from baselines_ppo.common.files.whole import open_text, whole_file

CONFIG, PROGRESS, CHECKPOINTS, LOCK, RANKS = PARTS = "config.json", "progress.csv", "checkpoints", "lock", "ranks"

RUNS = Path("runs")  # where runs are made by default


def runs_of(env_id: str) -> Path:
    """Return the folder in which runs of an environment are made by default."""
    return RUNS / (env_id.replace("/", "-").replace(":", "-") or "custom")


def new_run(env_id: str, alg: str, seed: int) -> Path:
    """Return a new, empty folder for a run that begins now; of two that begin in one second, each has its own.

    Raises:
      WriteError: it cannot be made.
    """
    base = runs_of(env_id) / f"{alg}-{time.strftime('%Y%m%d-%H%M%S')}-{seed}"
    try:
        base.parent.mkdir(parents=True, exist_ok=True)
        for k in itertools.count(1):
            path = base if k == 1 else base.with_name(f"{base.name}-{k}")
            with suppress(FileExistsError):
                path.mkdir()
                return path
    except OSError as error:
        raise WriteError(f"run folder {base} cannot be written: {error.strerror or error}") from None
    raise AssertionError("counting ends")


class RunFolder:
    """A run's configuration, progress and checkpoints on disk; every rank knows where, rank 0 alone uses it."""

    def __init__(self, path: Path) -> None:
        self.path, self.checkpoints = path, path / CHECKPOINTS
        self._lock: TextIO | None = None
        self._progress = Progress(path / PROGRESS)

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
            self._progress.set_aside()

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
            self._progress.keep(iteration)

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
        self._progress.write(row)

    def close(self) -> None:
        """Close the files and give the lock back."""
        self._progress.close()
        if self._lock is not None:
            with suppress(OSError):  # a full disk was reported when it was written
                self._lock.close()
        self._lock = None
