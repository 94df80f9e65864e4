"""SIGINT, SIGTERM and SIGUSR1 ask for one last checkpoint; the ranks agree when to obey."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType

from baselines_ppo.common.failures import STOPPED_BY_CTRL_C, STOPPED_BY_SIGNAL
from baselines_ppo.common.launcher import launched_rank

EXIT_CODES = {
    signal.SIGTERM: STOPPED_BY_SIGNAL,
    signal.SIGUSR1: STOPPED_BY_SIGNAL,
    signal.SIGINT: STOPPED_BY_CTRL_C,
}


class StopSignals:
    """While entered, notes a stop signal instead of dying from it; a second Ctrl-C stops at once.

    Python handles signals between its own instructions: during the learning of an iteration, when that ends.
    """

    def __init__(self) -> None:
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
        if launched_rank() == 0:
            again = "; again to stop at once without saving" if number == signal.SIGINT else ""
            text = f"{self.received.name}: finishing this iteration, then saving{again}\n"
            os.write(2, text.encode())  # sys.stderr may be in the middle of a write
