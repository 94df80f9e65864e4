"""The folder of one training run: never overwritten, locked while in use."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from baselines_ppo.common.failures import LoadError, UsageError, WriteError, short
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.lock import LOCK, InUse, hold
from baselines_ppo.common.files.progress import Progress
from baselines_ppo.common.files.whole import quoted, write_whole

CONFIG, PROGRESS, CHECKPOINTS, RANKS, FILMS = "config.json", "progress.csv", "checkpoints", "ranks", "films"
TRACKERS = "trackers.json"
PARTS = (CONFIG, PROGRESS, CHECKPOINTS, LOCK, RANKS, FILMS, TRACKERS)

OUTPUT = "output.log"  # what a run prints, where nobody sees its screen

EVENTS = "events.out.tfevents."  # what TensorBoard's files begin with

RUNS = Path("runs")  # where runs are made by default


def runs_of(env_id: str) -> Path:
    """Return the folder in which runs of an environment are made by default."""
    return RUNS / (env_id.replace("/", "-").replace(":", "-") or "custom")


def changed_at(path: Path) -> float:
    """Return when a file or folder was written, in seconds since 1970; 0 where it has just been deleted."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def new_run(env_id: str, alg: str, seed: int, name: str = "") -> Path:
    """Return a new, empty folder for a run that begins now; of two that begin in one second, each has its own.

    Args:
      name: of the run; "": its algorithm and the date.

    Raises:
      WriteError: it cannot be made.
    """
    stem = name or f"{alg}-{time.strftime('%Y%m%d-%H%M%S')}"
    base = runs_of(env_id) / f"{stem}-{seed}"
    try:
        base.parent.mkdir(parents=True, exist_ok=True)
        for k in itertools.count(1):
            path = base if k == 1 else base.with_name(f"{base.name}-{k}")
            with suppress(FileExistsError):
                path.mkdir(parents=True)  # a run that did not begin has just removed them, perhaps
                return path
    except OSError as error:
        raise WriteError(f"run folder {base} cannot be written: {error.strerror or error}") from None
    raise AssertionError("counting ends")


def is_run(path: Path) -> bool:
    """Return whether this is a run's folder, which goes on in its own place; its checkpoints know how it was begun."""
    return (path / CONFIG).exists() or (path / CHECKPOINTS).is_dir()


def read_config(path: Path) -> dict[str, Any]:
    """Return what a run's config.json holds; {} where somebody has removed it.

    Raises:
      LoadError: it cannot be read, or holds something else.
    """
    try:
        found = checkpoint.read_json(path / CONFIG, checkpoint.LARGEST_MANIFEST)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, short(error)) from None
    if not isinstance(found, dict):
        raise _unreadable(path, "it holds no object")
    return found


def _unreadable(path: Path, reason: str) -> LoadError:
    cure = "remove it, and the run goes on with what its checkpoint says" if has_checkpoints(path) else "remove it"
    return LoadError(f"{path / CONFIG} cannot be read: {reason}; {cure}")


def has_checkpoints(path: Path) -> bool:
    """Return whether there is a checkpoint in a run's folder, whole or not."""
    return any((path / CHECKPOINTS).glob(checkpoint.NAMES))


def steps_made(path: Path) -> int:
    """Return the steps up to a run's newest whole checkpoint; 0 where there is none."""
    try:  # a folder that is not there yet may have the name of a pretrained agent
        return int(checkpoint.find(path)[0].manifest["total_steps"]) if path.exists() else 0
    except (LoadError, LookupError, TypeError, ValueError):
        return 0


def is_made(path: Path) -> bool:
    """Return whether all steps of a run are made and saved; a rank that its environment ends may end with 0 as well."""
    try:
        return steps_made(path) >= int(read_config(path)["num_timesteps"])
    except (LoadError, LookupError, TypeError, ValueError):
        return False


def missing(path: Path) -> list[Path]:
    """Return those of a folder and the ones above it that are not there, the innermost first."""
    return list(itertools.takewhile(lambda folder: not os.path.lexists(folder), (path, *path.parents)))


def remove_empty(folders: list[Path]) -> None:
    """Remove folders that were made for a run which did not begin, the innermost first; none that has something in it.

    Anybody may have put something there.
    """
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


class RunFolder:
    """A run's configuration, progress and checkpoints on disk; every rank knows where, rank 0 alone uses it."""

    def __init__(self, path: Path) -> None:
        self.path, self.checkpoints = path, path / CHECKPOINTS
        self._lock: TextIO | None = None
        self._progress = Progress(path / PROGRESS)
        self._made: list[Path] | None = None  # the folders that `create` made, if the run begins in it

    def create(self) -> None:
        """Make the folder and take its lock; one without a checkpoint is begun anew, its progress kept by another name.

        Raises:
          LoadError: parts of it are links, and may lead to somebody else's files.
          UsageError: there is a run in it already, or something else, or another process uses it.
          WriteError: it cannot be written.
        """
        self._refuse_links()
        if has_checkpoints(self.path):
            raise UsageError(
                f"{self.path} holds a run already; go on with --resume {quoted(self.path)}, or give another --logdir"
            )
        with self._writing():
            self._refuse_others_files()
            made, fresh = missing(self.path), not (self.path / LOCK).exists()
            try:
                self.checkpoints.mkdir(parents=True, exist_ok=True)
                self._acquire()
            except BaseException:
                remove_empty([self.checkpoints, *made])
                raise
            self._made = made if fresh else None
            checkpoint.sweep(self.checkpoints)
            self._progress.set_aside()
            (self.path / TRACKERS).unlink(missing_ok=True)

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

    def _refuse_others_files(self) -> None:
        """Refuse a folder in which somebody keeps something; hidden files, and what runs have printed, do not count."""
        if (self.path / LOCK).exists() or not self.path.is_dir():
            return
        names = sorted(path.name for path in self.path.iterdir())
        if others := [name for name in names if not name.startswith(".") and name != OUTPUT]:
            raise UsageError(
                f"run folder {self.path} is not empty and holds no run ({short(', '.join(others))}); "
                "give a new --logdir, or an empty one"
            )

    def discard(self) -> None:
        """Remove what was made for a run that did not begin, and nothing that was there before or is another's."""
        if self._made is None:
            return
        for path in (*(self.path / name for name in PARTS), *self.path.glob(f"{EVENTS}*")):
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        remove_empty(self._made)

    def _acquire(self) -> None:
        try:
            self._lock = hold(self.path)
        except InUse as user:
            raise UsageError(f"run folder {self.path} is in use by {user}") from None

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
        write_whole(self.path / CONFIG, json.dumps(config, indent=1) + "\n")

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
