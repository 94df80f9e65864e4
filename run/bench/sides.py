"""Trainings as processes that write down their iterations: ours by the real command, and Stable-Baselines3's."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path
from typing import NamedTuple, Protocol

from baselines_ppo.common.failures import FINISHED, STOPPED_BY_SIGNAL, Failure, UsageError, short
from baselines_ppo.common.files.run_folder import PROGRESS
from baselines_ppo.common.job.launcher import environment_of_one
from baselines_ppo.common.job.parent import ending_with_parent
from baselines_ppo.experiments.jobs import Job
from baselines_ppo.run.bench.work import Work

ENDLESS = 10**12  # steps


class Iteration(NamedTuple):
    """How far a training was after one of its iterations."""

    steps: int
    episodes: int
    mean_return: float | None  # of the last WINDOW episodes, or of all there were


class Side(Protocol):
    """A training as a process that writes down its iterations."""

    def begin(self) -> None:
        """Start it."""

    def iterations(self) -> list[Iteration]:
        """Return all iterations so far."""

    def ended(self) -> bool:
        """Return whether it has ended by itself; raises a Failure if it has failed."""

    def stop(self) -> None:
        """Let it end, and wait until it has."""


class Ours:
    """A training by the real command, with the environment's preset."""

    def __init__(self, work: Work, ranks: int, seed: int, folder: Path) -> None:
        config = work.config
        # Without a schedule that ends with the run, a longer run begins with the same steps.
        steps = config.num_timesteps if config.algorithm.falling() else ENDLESS
        settings = {"env": work.env, "seed": seed, "num_timesteps": steps, **work.fields}
        self._job = Job(folder / "run", settings, ranks)
        self._rows = Lines(folder / "run" / PROGRESS)

    def begin(self) -> None:
        self._job.begin()

    def iterations(self) -> list[Iteration]:
        def number(text: str) -> float | None:
            return float(text) if text else None

        rows = csv.DictReader(self._rows.read())
        return [Iteration(int(row["total_steps"]), int(row["episodes"]), number(row["episode_return"])) for row in rows]

    def ended(self) -> bool:
        end = self._job.end()
        if end is not None and end.exit_code not in (FINISHED, STOPPED_BY_SIGNAL):
            raise Failure(f"the training has failed: {end.error}")
        return end is not None

    def stop(self) -> None:
        self._job.stop()
        self._job.wait()


class Peer:
    """A training by Stable-Baselines3."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self._command, self._folder = command, folder
        self._lines, self._errors = Lines(folder / "peer.jsonl"), folder / "errors.txt"

    def begin(self) -> None:
        with self._lines.path.open("wb") as output, self._errors.open("wb") as errors:
            try:
                self._process = subprocess.Popen(
                    self._command,
                    env=environment_of_one(),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=errors,
                    preexec_fn=ending_with_parent(),
                )
            except OSError as error:
                raise UsageError(f"{short(self._command[0])} cannot be run: {error.strerror}") from None

    def iterations(self) -> list[Iteration]:
        said = [json.loads(line) for line in self._lines.read()]
        return [Iteration(**line) for line in said if "steps" in line]

    def ended(self) -> bool:
        code = self._process.poll()
        if code:
            last = (self._errors.read_text("utf-8", "replace").strip().splitlines() or [""])[-1]
            kind = UsageError if code == UsageError.exit_code else Failure
            raise kind(last or f"{self._command[0]} ended with exit code {code}")
        return code is not None

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


class Lines:
    """The whole lines of a file that another process writes; it is read only when it has grown."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._size, self._lines = 0, list[str]()

    def read(self) -> list[str]:
        """Return them; none while there is no file."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size != self._size:
            self._size, text = size, self.path.read_text("utf-8")
            self._lines = text[: text.rfind("\n") + 1].splitlines()
        return self._lines
