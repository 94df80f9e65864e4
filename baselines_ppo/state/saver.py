"""Checkpoints of a run: written by the training, or by the watch in its place."""

from __future__ import annotations

import math
import threading
from contextlib import suppress
from time import monotonic
from typing import Any

import numpy as np

from baselines_ppo.common.failures import WriteError
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.run_folder import RunFolder
from baselines_ppo.state.run_state import RunState
from baselines_ppo.state.snapshot import snapshot


class Saver:
    """Writes the states of a run, each once."""

    def __init__(self, state: RunState, folder: RunFolder) -> None:
        self._state, self._folder = state, folder
        self._kept: tuple[dict[str, Any], dict[str, np.ndarray]] | None = None  # of a long iteration, on rank 0
        self._writing = threading.Lock()  # the training or the watch
        self._saved_at = -math.inf  # so that the first iteration is saved: a kill then costs no more than that
        self.saved_iteration = -1

    def is_due(self) -> bool:
        """Whether the time between two checkpoints is over."""
        return monotonic() - self._saved_at >= self._state.config.save_interval

    def is_saved(self) -> bool:
        """Whether the present state is on disk."""
        return self.saved_iteration == self._state.counters.iteration

    def mark_saved(self) -> None:
        """Note that the present state is on disk."""
        self.saved_iteration, self._saved_at = self._state.counters.iteration, monotonic()
        self._state.comm.alive.saved = True

    def postpone(self) -> None:
        """Try again when the time between two checkpoints is over."""
        self._saved_at = monotonic()

    def hurry(self) -> None:
        """Let a checkpoint be due now."""
        self._saved_at = -math.inf

    def keep(self, wanted: bool) -> None:
        """Keep the present state in memory, on all ranks alike: the iteration to come may be too long for a stop."""
        self._kept = snapshot(self._state) if wanted else None

    def save(self) -> None:
        """Write a checkpoint of the present state.

        Raises:
          WriteError: it could not be written; the same on all ranks.
        """
        comm = self._state.comm
        comm.alive.note("saving", saving=True)
        taken = snapshot(self._state)

        def write() -> None:
            assert taken is not None
            self._write(*taken)
            with suppress(OSError):  # what cannot be deleted today stays until the next time
                checkpoint.retain(self._folder.checkpoints)

        comm.on_root(write, "the checkpoint")
        self.mark_saved()

    def save_kept(self) -> str | None:
        """Write the state before a long iteration that a stop signal cannot wait for; returns what was written."""
        kept = self._kept  # which the training's own thread may let go
        with suppress(WriteError):
            return None if kept is None else self._write(*kept)
        return None

    def _write(self, manifest: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
        """Write a state to disk unless it, or a later one, is there already; returns the name of what is."""
        with self._writing:
            if manifest["iteration"] > self.saved_iteration:
                checkpoint.save(self._folder.checkpoints, f"ckpt-{manifest['iteration']:08d}", manifest, arrays)
                self.saved_iteration = manifest["iteration"]
            return f"ckpt-{self.saved_iteration:08d}"
