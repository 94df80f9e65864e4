"""SIGINT, SIGTERM and SIGUSR1 ask for one last checkpoint; the ranks agree when to obey."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from time import monotonic, time
from types import FrameType, TracebackType
from typing import NamedTuple

from baselines_ppo.common.failures import STOPPED_BY_CTRL_C, STOPPED_BY_SIGNAL
from baselines_ppo.common.job.launcher import launched_rank

EXIT_CODES: dict[int, int] = {
    signal.SIGTERM: STOPPED_BY_SIGNAL,
    signal.SIGUSR1: STOPPED_BY_SIGNAL,
    signal.SIGINT: STOPPED_BY_CTRL_C,
}


RENEWAL = 5e-3  # s


class Asked(NamedTuple):
    """A stop signal."""

    at: float  # s since the epoch
    exit_code: int  # that it asks for


class StopAtOnce(KeyboardInterrupt):
    """A second Ctrl-C."""


_in_force: list[StopSignals] = []  # the outer one first


def asks_to_stop(error: BaseException) -> bool:
    """Return whether a person's Ctrl-C has raised this: while `StopSignals` are in force, a second one alone does."""
    return isinstance(error, StopAtOnce if _in_force else KeyboardInterrupt)


_mask = threading.local()  # of the signals that a thread which forks is deaf to otherwise


def _hold() -> None:
    """Let a forked process hear of no signal before it has its handlers back."""
    _mask.before = signal.pthread_sigmask(signal.SIG_BLOCK, EXIT_CODES if _in_force else ())


def _hear() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _mask.before)


def _give_back_in_child() -> None:
    """Let signals do to a forked process what they did before; they are not for the training that has forked it."""
    while _in_force:
        _in_force.pop().give_back()
    _hear()


os.register_at_fork(before=_hold, after_in_parent=_hear, after_in_child=_give_back_in_child)


class StopSignals:
    """While entered, notes a stop signal instead of dying from it; a second Ctrl-C stops at once.

    Once `finish` was called nothing is left to stop. In a process that is ours alone signals then stay without effect;
    any other has its own handlers back when this is left.

    Python handles signals between its own instructions: during the learning of an iteration, when that ends. That one
    has come is known at once, to whoever calls `asked` in another thread; `insisted` knows of a second Ctrl-C.
    """

    def __init__(self, own_process: bool = False) -> None:
        """Prepare.

        Args:
          own_process: it ends with the training.
        """
        self._own_process, self._finished = own_process, False
        self._previous: dict[int, object] = {}
        self.received: signal.Signals | None = None
        self._bell: tuple[int, int] | None = None  # a pipe that Python writes each signal's number into
        self._previous_bell = -1
        self._handler = self._handle
        self._renewed = 0.0
        self._asked: Asked | None = None
        self._interrupts, self._announced = 0, False
        self._insisted: float | None = None

    def asked(self) -> Asked | None:
        """Return the first stop signal, as of when a call of this saw it; None before."""
        self._listen()
        return self._asked

    def insisted(self) -> float | None:
        """Return when a call of this saw a second Ctrl-C, s since the epoch; None before."""
        self._listen()
        return self._insisted

    def _listen(self) -> None:
        """Note the signals that have rung since."""
        numbers = b""
        with suppress(BlockingIOError):
            numbers = os.read(self._bell[0], 100) if self._bell is not None else b""
        for number in numbers:
            if number in EXIT_CODES and self._asked is None:  # another thread may have seen one first
                self._asked = Asked(time(), EXIT_CODES[number])
                self._announce(number)
        self._interrupts += numbers.count(signal.SIGINT)
        if self._interrupts > 1 and self._insisted is None:
            self._insisted = time()

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():  # Python handles signals nowhere else
            _in_force.append(self)
            for number in EXIT_CODES:
                self._previous[number] = signal.signal(number, self._handler)
            self._bell = os.pipe()
            for end in self._bell:
                os.set_blocking(end, False)
            self._previous_bell = signal.set_wakeup_fd(self._bell[1], warn_on_full_buffer=False)
        return self

    def renew(self) -> None:
        """Handle the signals again, should somebody else have begun to; looked at some hundred times per second."""
        if self._bell is not None and monotonic() - self._renewed > RENEWAL:
            self._renewed = monotonic()
            for number in EXIT_CODES:
                if signal.getsignal(number) is not self._handler:
                    signal.signal(number, self._handler)

    def renew_bell(self) -> None:
        """Be told of signals at once again."""
        if self._bell is not None:
            signal.set_wakeup_fd(self._bell[1], warn_on_full_buffer=False)

    def finish(self) -> None:
        """Note that all is saved: a signal can neither stop nor spoil anything any more."""
        self._finished = True
        if self._previous:
            self._previous[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._handler)

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self in _in_force:
            _in_force.remove(self)
        self.give_back(keep=self._finished and self._own_process)

    def give_back(self, keep: bool = False) -> None:
        """Let signals be those of whoever had them before, or keep them; ring no bell any more."""
        if not keep:
            for number, handler in self._previous.items():
                signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal itself returned
        if self._bell is not None:
            signal.set_wakeup_fd(self._previous_bell)
            bell, self._bell = self._bell, None
            for end in bell:
                os.close(end)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._finished:
            return
        if number == signal.SIGINT and self.received == signal.SIGINT:
            raise StopAtOnce
        self.received = signal.Signals(number)
        self._announce(number)

    def _announce(self, number: int) -> None:
        """Say once on the screen what happens now."""
        if launched_rank() == 0 and not (self._announced or self._finished):
            self._announced = True
            again = "; again to stop at once without saving" if number == signal.SIGINT else ""
            text = f"{signal.Signals(number).name}: finishing this iteration, then saving{again}\n"
            with suppress(OSError):  # nobody reads it any more
                os.write(2, text.encode())  # sys.stderr may be in the middle of a write
