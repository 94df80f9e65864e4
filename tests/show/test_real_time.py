"""Real time: it is kept, slowed and paused, and who is too slow owes nothing."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from baselines_ppo.run.agents.live import Live
from tests.show.test_steering import CHEETAH, session_of


class Time:
    """Time that passes when somebody sleeps or shows a picture, and not else."""

    def __init__(self) -> None:
        self.now, self.pictures = 0.0, 0
        self.stop = threading.Event()

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.now > 3.0:
            self.stop.set()

    def show(self) -> None:
        self.now, self.pictures = self.now + 0.005, self.pictures + 1


@pytest.mark.parametrize("pace", [1.0, 0.25])
def test_it_keeps_to_real_time_and_to_slow_motion(pace: float) -> None:
    time = Time()
    live = Live(session_of(CHEETAH), time.clock, time.sleep)
    live.pace = pace
    live.run(time.show, lambda: True, time.stop)
    assert live.session.numbers.episode_seconds == pytest.approx(time.now * pace, abs=0.05)
    assert live.measured_pace == pytest.approx(pace, rel=0.1)
    assert time.pictures == pytest.approx(60 * time.now, abs=2)


@pytest.mark.parametrize("paused", [True, False])
def test_who_is_paused_or_not_watched_does_nothing_but_what_is_asked(paused: bool) -> None:
    live, stop, pictures = Live(session_of()), threading.Event(), []
    live.paused = paused
    threading.Timer(0.3, stop.set).start()
    live.run(lambda: pictures.append(1), lambda: paused, stop)
    assert pictures == []
    stop.clear()
    live.ask(partial(live.session.set_target, 7.0, 7.0))
    live.ask(stop.set)
    live.run(lambda: pictures.append(1), lambda: paused, stop)
    assert pictures == [1]
    assert live.session.numbers.episode_seconds == 0.0
    assert live.session.target == (7.0, 7.0)


def test_a_slow_machine_loses_time_but_does_not_owe_it() -> None:
    live = Live(session_of(CHEETAH))
    live._advance(60.0)
    assert live.session.numbers.episode_seconds <= 0.1
