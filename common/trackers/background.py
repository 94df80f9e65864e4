"""A tracker in a thread of its own, so that a network that is slow or gone holds up neither a training nor its end."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from baselines_ppo.common.failures import short
from baselines_ppo.common.trackers.contract import Tracker

MOST_WAITING = 1000  # calls; what comes on top is left out
LAST_WAIT = 10.0  # s, that a tracker may take to end


class Background:
    """Calls a tracker's methods one after the other; the first that fails is warned of and the last."""

    def __init__(self, name: str, tracker: Tracker, last_wait: float = LAST_WAIT) -> None:
        """Take the name for warnings."""
        self._name, self._tracker, self._last_wait = name, tracker, last_wait
        self._calls: queue.Queue[Callable[[], None] | None] = queue.Queue(MOST_WAITING)
        self._failed = threading.Event()
        self._left_out = 0
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def begin(self, folder: Path, config: Mapping[str, Any]) -> None:
        """Begin, sooner or later."""
        self._thread.start()
        self._put(lambda: self._tracker.begin(folder, config))

    def row(self, row: Mapping[str, float], step: int) -> None:
        """Keep a row, sooner or later."""
        self._put(lambda: self._tracker.row(row, step))

    def film(self, path: Path, step: int) -> None:
        """Keep a film, sooner or later."""
        self._put(lambda: self._tracker.film(path, step))

    def close(self) -> None:
        """Wait for what is left, but not for ever."""
        with suppress(queue.Full):
            self._calls.put(None, timeout=0.0 if self._failed.is_set() else self._last_wait)
        self._thread.join(self._last_wait)
        if self._thread.is_alive():
            self._warn(f"it did not end within {self._last_wait:.0f} s; what it lacks is in progress.csv")
        elif self._left_out:
            self._warn(f"{self._left_out} rows came faster than it took them; progress.csv has them")

    def _put(self, call: Callable[[], None]) -> None:
        if not self._failed.is_set():
            try:
                self._calls.put_nowait(call)
            except queue.Full:
                self._left_out += 1

    def _work(self) -> None:
        try:
            while (call := self._calls.get()) is not None:
                call()
            self._tracker.close()
        except BaseException as error:  # whatever a stranger's program raises
            self._failed.set()
            self._warn(f"{short(error).rstrip('.') or type(error).__name__}; the training goes on without it")

    def _warn(self, text: str) -> None:
        sys.stderr.write(f"warning: {self._name}: {text}\n")
