"""SIGINT, SIGTERM and SIGUSR1 ask for one last checkpoint; the ranks agree when to obey."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType, TracebackType

from baselines_ppo.common.failures import STOPPED_BY_CTRL_C, STOPPED_BY_SIGNAL

EXIT_CODES = {
    signal.SIGTERM: STOPPED_BY_SIGNAL,
    signal.SIGUSR1: STOPPED_BY_SIGNAL,
    signal.SIGINT: STOPPED_BY_CTRL_C,
}


class StopSignals:
    """While entered, notes a stop signal instead of dying from it; a second Ctrl-C stops at once."""

    def __init__(self, announce: bool) -> None:
        """Announce what a first Ctrl-C does, on one rank only."""
        self._announce = announce
        self._previous: dict[signal.Signals, object] = {}
        self.received: signal.Signals | None = None

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():  # Python handles signals nowhere else
            for number in EXIT_CODES:
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself returned

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.received == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)
        if self._announce:
            again = "; again to stop at once without saving" if number == signal.SIGINT else ""
            sys.stderr.write(f"{self.received.name}: finishing this iteration, then saving{again}\n")
