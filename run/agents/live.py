"""A session in real time: one thread steps it, others ask it for something."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from baselines_ppo.run.show.motion import Motion
from baselines_ppo.run.show.simulated import Simulated

FRAME = 1 / 60  # s, from one picture to the next
IDLE = 0.1  # s, between two looks at whether anybody watches
MOST = 0.1  # s of simulation at most between two pictures: where the machine is too slow, time is lost, not owed

Order = Callable[[], object]


class Steps(Protocol):
    """What goes on step by step, and can be seen."""

    simulated: Simulated
    motion: Motion

    def step(self) -> None:
        """Go on by a step."""

    def reset(self) -> None:
        """Begin anew."""

    def close(self) -> None:
        """Give back what it holds."""


S = TypeVar("S", bound=Steps)


class Live(Generic[S]):
    """Steps a session as time passes; all that touches the session is done by the thread that runs it."""

    def __init__(
        self,
        session: S,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Take a session, and what tells the time in s and lets some of it pass."""
        self._clock, self._sleep = clock, sleep
        self.session = session
        self.paused = False
        self.pace = 1.0  # s of the simulation in a second
        self.measured_pace = 0.0  # what there really is
        self._owed = 0.0  # s of the simulation, less than a step after each picture
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()

    @property
    def fraction(self) -> float:
        """How far the picture is between the last two steps, 0 to 1."""
        return min(self._owed / self.session.simulated.step_seconds, 1.0)

    def ask(self, order: Order) -> None:
        """Let the thread that runs this do something before it goes on."""
        self._orders.put(order)

    def run(self, show: Callable[[], object], watched: Callable[[], bool], stop: threading.Event | None = None) -> None:
        """Go on until told to stop: step, and show it, as long as it is watched and not paused."""
        now = self._clock()
        while stop is None or not stop.is_set():
            idle = self.paused or not watched()
            asked = self._obey(IDLE if idle else 0.0)
            if idle:
                now = self._clock()
                if asked:
                    show()
                continue
            before, now = now, self._clock()
            self._advance(now - before)
            show()
            self._sleep(max(0.0, FRAME - (self._clock() - now)))

    def _obey(self, patience: float) -> bool:
        """Do what was asked for; returns whether anything was, within so many s."""
        try:
            order = self._orders.get(timeout=patience) if patience else self._orders.get_nowait()
        except queue.Empty:
            return False
        order()
        while not self._orders.empty():
            self._orders.get_nowait()()
        return True

    def _advance(self, seconds: float) -> None:
        """Step as often as these s of real time ask for."""
        step = self.session.simulated.step_seconds
        self._owed = min(self._owed + seconds * self.pace, max(MOST, step))
        made = 0
        while self._owed >= step:
            self.session.step()
            self._owed, made = self._owed - step, made + 1
        share = min(seconds, 1.0)
        self.measured_pace += (made * step / max(seconds, 1e-6) - self.measured_pace) * share
