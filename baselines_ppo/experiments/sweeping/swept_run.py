"""One run of a sweep, from waiting to its end."""

from __future__ import annotations

import time
from pathlib import Path

from baselines_ppo.common.failures import FINISHED, STOPPED_BY_SIGNAL
from baselines_ppo.common.files.whole import shown
from baselines_ppo.experiments.jobs import MADE, End, Job, Standing, stage
from baselines_ppo.experiments.sweeping.cases import Case

WAITING, RUNNING, DONE, FAILED, STOPPED = "waiting", "running", "finished", "failed", "stopped"


class SweptRun:
    """A run as the sweep sees it: its state, how far it is, and why it has failed if it has."""

    def __init__(self, case: Case, folder: Path, ranks: int) -> None:
        """Look at what there is already.

        Args:
          folder: of the sweep.
        """
        self.case, self.folder = case, folder / case.name
        self.num_timesteps = case.config.num_timesteps
        self.end: End | None = None
        self.standing: Standing | None = None
        self.began_at = 0.0  # s of the monotonic clock
        self.steps_before = 0  # that were made when it was begun now
        self._job = Job(self.folder, case.settings, ranks)
        self.state = DONE if self._is_made() else WAITING

    @property
    def output(self) -> Path:
        """The file with what it has printed."""
        return shown(self._job.output)

    @property
    def steps(self) -> int:
        """Environment steps so far; no more than were asked for."""
        return min(self.standing.steps, self.num_timesteps) if self.standing else 0

    @property
    def seconds_left(self) -> float | None:
        """Time until it has made all its steps; None where nobody knows."""
        if self.state != RUNNING or self.standing is None or not self.standing.steps_per_second:
            return None
        return (self.num_timesteps - self.steps) / self.standing.steps_per_second

    def begin(self) -> None:
        """Begin the run, or go on with it, unless a process of an earlier start has just finished it.

        Raises:
          WriteError: its folder cannot be written.
        """
        if self._is_made():
            self.state = DONE
            return
        self._job.begin()
        self.standing = self._job.standing()
        self.state, self.began_at, self.steps_before = RUNNING, time.monotonic(), self.steps

    def look(self) -> bool:
        """Look how far it is; returns whether it has just ended."""
        if self.state != RUNNING:
            return False
        self.end = self._job.end()
        self.standing = self._job.standing()
        if self.end is None:
            return False
        states = {FINISHED: DONE, STOPPED_BY_SIGNAL: STOPPED}
        self.state = states.get(self.end.exit_code, FAILED)
        return True

    def stop(self) -> None:
        """Let it save and end."""
        if self.state == RUNNING:
            self._job.stop()

    def kill(self) -> None:
        """End it at once; it goes on from its last checkpoint."""
        if self.state == RUNNING:
            self._job.kill()

    def _is_made(self) -> bool:
        self.standing = self._job.standing()
        return stage(self.folder, self.num_timesteps) == MADE
