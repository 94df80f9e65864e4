"""Environments whose episodes depend on more than their seeds; `import tests.environments` registers them."""

from __future__ import annotations

import random
import time
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

LIMIT = 15


class Odd(gymnasium.Env[np.ndarray, Any]):
    """Shows a number that its kind decides, and pays it; fifteen steps an episode."""

    observation_space = spaces.Box(-100, 100, (2,), np.float64)
    action_space = spaces.Discrete(3)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        self.begin()
        return np.array([0.0, self.start()]), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        number = self.draw(int(action))
        return np.array([number, self.steps]), number, False, self.steps >= LIMIT, {}

    def begin(self) -> None:
        """Prepare an episode."""

    def start(self) -> float:
        """Return the number with which an episode begins."""
        return 0.0

    def draw(self, action: int) -> float:
        """Return the number of a step."""
        raise NotImplementedError


class Global(Odd):
    """Draws from the streams that all of a process share; also while it is made."""

    def __init__(self) -> None:
        self.gift = random.random()

    def start(self) -> float:
        return self.gift

    def draw(self, action: int) -> float:
        return random.gauss(0, 1) + float(np.random.uniform()) + action


class Remembering(Odd):
    """Pays all that was ever done in it."""

    total = 0

    def draw(self, action: int) -> float:
        self.total += action + 1
        return float(self.total)


class First(Odd):
    """Pays one more in its first episode than later on."""

    episodes = 0

    def begin(self) -> None:
        self.episodes += 1

    def draw(self, action: int) -> float:
        return float(action + (self.episodes == 1))


class Entropic(Odd):
    """Never repeats itself."""

    def draw(self, action: int) -> float:
        return float(np.random.default_rng().uniform())


class Sharing(Odd):
    """Counts the steps of all of its kind in this process."""

    shared = 0

    def begin(self) -> None:
        Sharing.shared = 0

    def draw(self, action: int) -> float:
        Sharing.shared += 1
        return float(Sharing.shared)


class Slow(Odd):
    """Takes a while for each step."""

    def draw(self, action: int) -> float:
        time.sleep(0.05)
        return 1.0


class Unmakeable(Odd):
    """Lacks what it needs."""

    def __init__(self) -> None:
        dict[str, int]()["port"]


class Once(Odd):
    """There can be one at a time, as where one holds a port."""

    taken = False

    def __init__(self) -> None:
        if Once.taken:
            raise OSError("address already in use")
        Once.taken = True

    def draw(self, action: int) -> float:
        return 0.0

    def close(self) -> None:
        Once.taken = False


class Gusty(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Pays what `random` draws, and one more for each step that was ever made in it."""

    steps = 0

    def step(self, action: Any) -> Any:
        self.steps += 1
        observation, _, terminated, truncated, info = self.env.step(action)
        return observation, random.random() + self.steps, terminated, truncated, info


KINDS = (Global, Remembering, First, Entropic, Sharing, Slow, Unmakeable, Once)


def register() -> None:
    """Make them known to Gymnasium."""
    for kind in KINDS:
        gymnasium.register(f"Odd{kind.__name__}-v0", f"{__name__}:{kind.__name__}")
