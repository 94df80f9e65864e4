"""Environments that leave, fork, or break what Python gives to all; importing this registers them."""

from __future__ import annotations

import atexit
import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

LENGTH = 9


class Unspeakable(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise ValueError("speechless")


def raises(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


WAYS: dict[str, Callable[[], None]] = {
    "exit": raises(SystemExit(0)),
    "text": raises(SystemExit("so long\nand thanks")),
    "interrupt": raises(KeyboardInterrupt()),
    "generator": raises(GeneratorExit()),
    "own": raises(BaseException("own")),
    "unspeakable": raises(Unspeakable()),
    "os-exit": lambda: os._exit(0),
}


class Leaving(gymnasium.Env[np.ndarray, Any]):
    """Leaves in one of the ways, in one of its functions: `init`, `reset`, or in the fifth step."""

    observation_space = spaces.Box(-1, 1, (2,), np.float64)
    action_space = spaces.Discrete(2)

    def __init__(self, where: str = "nowhere", how: str = "exit") -> None:
        self.where, self.how = where, how
        self.leave("init")

    def leave(self, place: str) -> None:
        if self.where == place:
            WAYS[self.how]()

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        self.leave("reset")
        return np.zeros(2), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        if self.steps == 5:
            self.leave("step")
        self.act()
        return np.zeros(2), float(action), False, self.steps >= LENGTH, {}

    def act(self) -> None:
        """Do more in a step."""

    def close(self) -> None:
        self.leave("close")


class Vanishing(Leaving):
    """Ends its process from C, with 0, after a hundred steps."""

    steps_of_all = 0

    def act(self) -> None:
        Vanishing.steps_of_all += 1
        if Vanishing.steps_of_all > 100:
            ctypes.CDLL(None)._exit(0)


def child_ends(act: Callable[[], None]) -> int:
    """Return how a forked process ends that does something."""
    child = os.fork()
    if child == 0:
        act()
    else:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return -1  # in the child, which goes on as if it were the training


class Forking(Leaving):
    """Forks processes that end in all ways, and looks how."""

    def act(self) -> None:
        if self.steps != 3:
            return
        process, ends = os.getpid(), []
        for act in (lambda: sys.exit(7), lambda: 1 / 0, lambda: os._exit(5), lambda: None):
            ends.append(child_ends(act))  # type: ignore[arg-type]
            if os.getpid() != process:
                return
        context = multiprocessing.get_context("fork")
        worker = context.Process(target=time.sleep, args=(1000,))
        worker.start()
        worker.terminate()
        worker.join()
        assert [*ends, worker.exitcode] == [7, 1, 5, 0, -signal.SIGTERM], (ends, worker.exitcode)


class Noisy(Leaving):
    """Sends all stop signals when it is closed after the training, and when Python ends."""

    steps_of_all = 0

    def act(self) -> None:
        Noisy.steps_of_all += 1

    def close(self) -> None:
        if Noisy.steps_of_all > 100:
            noise()
            atexit.register(noise)


def noise() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP):
        os.kill(os.getpid(), number)


class Clinging(Leaving):
    """Never comes back from being closed."""

    def close(self) -> None:
        time.sleep(1000)


for kind in (Leaving, Vanishing, Forking, Noisy, Clinging):
    gymnasium.register(f"{kind.__name__}-v0", f"{__name__}:{kind.__name__}")
