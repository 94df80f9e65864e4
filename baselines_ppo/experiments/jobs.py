"""One training in a process of its own: begun or gone on with in its run folder, followed, stopped."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from baselines_ppo.common.failures import FINISHED, STOPPED_BY_SIGNAL, UsageError, short
from baselines_ppo.common.files.lock import user_of
from baselines_ppo.common.files.run_folder import OUTPUT, PROGRESS, is_made, steps_made
from baselines_ppo.common.files.whole import open_bytes, open_text, writing
from baselines_ppo.common.job.launcher import environment_of_one, find_mpirun, why
from baselines_ppo.common.job.parent import ending_with_parent
from baselines_ppo.common.job.signals import EXIT_CODES
from baselines_ppo.settings.fields import flags_of

NEW, BEGUN, MADE = "new", "begun", "made"  # stages of a run
UNFINISHED = 1  # exit code of a training that ended as if all steps were made, and they are not
LATEST = 50  # rows of progress.csv over which the speed is taken
LONGEST_TAIL = 64 * 1024  # bytes at the end of a file that are looked at
LOOK = 0.2  # s, between two looks at a lock
ERROR = re.compile(r"^(?:\[rank \d+\] )?(?:error: (?P<said>.*)|baselines_ppo: (?P<failed>rank \d+ failed .*))$")


class Standing(NamedTuple):
    """How far a run has come, as its progress.csv says."""

    iteration: int
    steps: int
    episode_return: float | None  # mean of the last 100 episodes; None before one has ended
    seconds: float  # of training, over all its starts
    steps_per_second: float  # over the last iterations


class End(NamedTuple):
    """How a training has ended."""

    exit_code: int  # as in docs/architecture.md: 0 all steps are made and saved, 75 stopped, else it has failed
    error: str  # why it has failed, in one line; '' where it has not


def stage(folder: Path, num_timesteps: int) -> str:
    """Return how far the run in a folder is: NEW without a checkpoint, BEGUN, or MADE with all its steps."""
    steps = steps_made(folder)
    return NEW if not steps else BEGUN if steps < num_timesteps else MADE


def standing(folder: Path) -> Standing | None:
    """Return how far the run in a folder has come, whether it goes on or not; None before its first iteration."""
    rows = _last_rows(folder / PROGRESS)
    if not rows:
        return None
    with suppress(KeyError, ValueError):
        first, last = rows[0], rows[-1]
        steps, seconds = int(last["total_steps"]), float(last["seconds"])
        passed = seconds - float(first["seconds"])
        speed = (steps - int(first["total_steps"])) / passed if passed > 0 else float(last["steps_per_second"])
        mean_return = float(last["episode_return"]) if last["episode_return"] else None
        return Standing(int(last["iteration"]), steps, mean_return, seconds, speed)
    return None  # something else has written there, too


def _last_rows(path: Path) -> list[dict[str, str]]:
    """Return the last whole rows of a CSV by the names of their columns, the oldest first."""
    try:
        with open_text(path, "r") as file:
            header = next(csv.reader(file), [])
            rows = deque((row for row in csv.reader(_last_lines(path)) if len(row) == len(header)), LATEST)
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
    return [dict(zip(header, row, strict=True)) for row in rows if row != header]


def _last_lines(path: Path, since: int = 0) -> list[str]:
    """Return the last lines of a file, from an offset in bytes on; a line that is not ended yet does not count."""
    with open_bytes(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        begin = max(size - LONGEST_TAIL, since)
        file.seek(begin)
        lines = file.read().decode("utf-8", errors="replace").split("\n")
    return lines[1 if begin > since else 0 : -1]


def wait_until_free(folder: Path, seconds: float) -> None:
    """Wait until no process uses a run's folder, such as one that is just saving its last checkpoint.

    Raises:
      UsageError: one still does after so many seconds; it is named.
    """
    end = time.monotonic() + seconds
    while user := user_of(folder):
        if time.monotonic() > end:
            raise UsageError(f"run folder {folder} is in use by {user}; stop it, or wait until it has ended")
        time.sleep(LOOK)


class Job:
    """A training as a child process, which saves and ends should this process die.

    Linux takes the thread that begins it for its parent: begin it in one that stays.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], ranks: int = 1) -> None:
        """Nothing is begun yet.

        Args:
          folder: of the run, new or begun.
          settings: by the names of the flags of a training: fields, and preset and load_path if there are any.
        """
        self.folder, self.settings, self.ranks = folder, settings, ranks
        self.output = folder / OUTPUT
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = False  # to stop
        self._said = 0  # bytes in the output that are of earlier starts

    def command(self) -> list[str]:
        """Return the command line that begins the run, or goes on with it where there is a checkpoint."""
        launcher = [find_mpirun(), "-np", str(self.ranks)] if self.ranks > 1 else []
        begun, given = steps_made(self.folder) > 0, dict(self.settings)
        if begun:
            given.pop("load_path", None)
        where = [f"--resume={self.folder}" if begun else f"--logdir={self.folder}"]
        return [*launcher, sys.executable, "-m", "baselines_ppo.run", *flags_of(given), *where]

    def begin(self) -> None:
        """Start the training; what it prints is added to output.log in its folder.

        Raises:
          UsageError: there is no mpirun, and several ranks are asked for.
          WriteError: the output cannot be written.
        """
        command = self.command()
        imports = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)  # what is found here, is there too
        with writing(self.output):
            self.folder.mkdir(parents=True, exist_ok=True)
            output = open_bytes(self.output, "ab")
        with output:
            self._asked, self._said = False, output.tell()
            self._process = subprocess.Popen(
                command,
                env={**environment_of_one(), "PYTHONPATH": imports},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches this process alone, which decides
                preexec_fn=ending_with_parent(),
            )

    def standing(self) -> Standing | None:
        """Return how far the run has come; None before its first iteration."""
        return standing(self.folder)

    def stop(self) -> None:
        """Let the training save and end; it needs a moment for it, see `wait`. Asked again, nothing more happens."""
        if self._process is not None and not self._asked:
            self._asked = True
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the training at once, without a checkpoint; ranks that mpirun has started see that it is gone."""
        if self._process is not None:
            self._asked = True
            self._process.kill()

    def end(self) -> End | None:
        """Return how the training has ended; None while it goes on."""
        assert self._process is not None, "begin the job first"
        code = self._process.poll()
        return None if code is None else self._ended(code)

    def wait(self) -> End:
        """Wait until the training has ended; returns how."""
        assert self._process is not None, "begin the job first"
        return self._ended(self._process.wait())

    def _ended(self, code: int) -> End:
        """Return what an exit code means, or minus the signal that killed the process."""
        if code == FINISHED and is_made(self.folder):
            return End(FINISHED, "")
        said = _error_in(_last_lines(self.output, self._said))
        if code in EXIT_CODES.values() or (self._asked and not said):  # by the signal, before it was heard
            return End(STOPPED_BY_SIGNAL, "")
        if code < 0:
            return End(128 - code, said or f"it was killed ({signal.Signals(-code).name})")
        return End(code or UNFINISHED, said or why(code))


def _error_in(lines: list[str]) -> str:
    """Return the last error of what a training has printed, in one line; '' where there is none."""
    found = [match for line in lines if (match := ERROR.match(line))]
    return short(found[-1]["said"] or found[-1]["failed"]) if found else ""
