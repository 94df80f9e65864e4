"""Stop signals: noted once, told to other threads, and given back to whom they belonged."""

from __future__ import annotations

import os
import signal
import time

import pytest

from baselines_ppo.common.job.signals import StopSignals


def rung(bell: int) -> bytes:
    try:
        return os.read(bell, 100)
    except BlockingIOError:
        return b""


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGINT, 130)])
def test_a_signal_is_known_with_what_it_asks_for(number: int, exit_code: int) -> None:
    with StopSignals() as signals:
        assert signals.asked() is None
        os.kill(os.getpid(), number)
        asked = signals.asked()
        assert asked is not None
        assert asked.exit_code == exit_code
        assert abs(asked.at - time.time()) < 5
        assert signals.asked() == asked
        assert signals.received == number
    assert signals.asked() == asked


def test_what_others_had_set_is_theirs_again() -> None:
    """As an event loop has it, which is woken by a file of its own; and one training inside another."""
    theirs = os.pipe()
    for end in theirs:
        os.set_blocking(end, False)
    heard: list[int] = []
    handler = signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    before = signal.set_wakeup_fd(theirs[1])
    try:
        with StopSignals() as outer:
            with StopSignals() as inner:
                os.kill(os.getpid(), signal.SIGUSR1)
                assert inner.received == signal.SIGUSR1
            assert outer.received is None
            assert outer.asked() is None
            assert rung(theirs[0]) == b""
            os.kill(os.getpid(), signal.SIGUSR1)
            assert outer.received == signal.SIGUSR1
            assert outer.asked() is not None
        assert heard == []
        os.kill(os.getpid(), signal.SIGUSR1)
        assert heard == [signal.SIGUSR1]
        assert rung(theirs[0]) == bytes([signal.SIGUSR1])
    finally:
        signal.set_wakeup_fd(before)
        signal.signal(signal.SIGUSR1, handler)
        for end in theirs:
            os.close(end)
