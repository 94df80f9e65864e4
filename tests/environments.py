"""Tiny environments, some of which break; importing this registers them and those of the modules beside it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from baselines_ppo.common.job.launcher import launched_rank
from tests import odd_environments, tasks, vector_environments


class Forever(gymnasium.Env[np.ndarray, Any]):
    """Reward 1 for ever, cut by a time limit of 20: with discount g the value is 1 / (1 - g) in every state."""

    observation_space = spaces.Box(-1, 1, (1,), np.float64)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        return np.zeros(1), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        return np.zeros(1), 1.0, False, False, {}


class Broken(gymnasium.Env[Any, Any]):
    """Gives something unusable at step 12 of its first episode."""

    observation_space = spaces.Box(-1, 1, (3,), np.float64)
    action_space = spaces.Box(-2, 2, (1,), np.float32)

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(3), {}

    def step(self, action: Any) -> Any:
        self.steps += 1
        observation: Any = np.full(3, 0.5)
        reward: Any = 0.0
        if self.steps == 12:
            observation, reward = self._unusable(observation)
        if self.steps == 12 and self.fault == "four":
            return observation, reward, False, {}
        return observation, reward, False, False, {}

    def _unusable(self, observation: np.ndarray) -> tuple[Any, Any]:
        observations: dict[str, Any] = {
            "nan": np.array([0.0, np.nan, 0.0]),
            "huge": np.array([0.0, 1e300, 0.0]),
            "none": None,
            "short": np.zeros(1),
            "long": np.zeros(4),
        }
        rewards: dict[str, Any] = {"inf_reward": float("inf"), "none_reward": None, "array_reward": np.zeros(3)}
        return observations.get(self.fault, observation), rewards.get(self.fault, 0.0)


class Entropy(Forever):
    """Not deterministic: its observations come from the operating system."""

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        return np.random.default_rng().uniform(-1, 1, 1), 1.0, False, False, {}


class Carrying(Forever):
    """Shows nothing, but pays more after an episode that ended with action 1: what a replay of one cannot repeat."""

    last = carried = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        self.carried = self.last
        return super().reset(seed=seed)

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.last = int(action)
        return np.zeros(1), 1.0 + self.carried, False, False, {}


class Wager(Forever):
    """Wins or loses 100 in each step."""

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        return np.zeros(1), 100.0 if action else -100.0, False, False, {}


class Image(Forever):
    """Its observations are pictures."""

    observation_space = spaces.Box(0, 255, (8, 8, 3), np.uint8)


class Raising(gymnasium.Env[np.ndarray, Any]):
    """Ten steps an episode; in the one after a whole one each instance, or one only, raises: in reset or at step 5."""

    observation_space = spaces.Box(-1, 1, (2,), np.float64)
    action_space = spaces.Box(-2, 2, (1,), np.float32)
    raised = False  # in this process

    def __init__(self, when: str) -> None:
        self.when, self.episode, self.steps = when, -1, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.episode += self.steps in (0, 10)
        self.steps = 0
        if self.when == "reset" and self.episode == 1:
            raise RuntimeError("the track is gone")
        return self.np_random.uniform(-1, 1, 2), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        meant = {"always": True, "once": not Raising.raised, "rank-1": launched_rank() == 1, "reset": False}
        if (self.episode, self.steps) == (1, 5) and meant[self.when]:
            Raising.raised = True
            raise RuntimeError("the wheel came off")
        return self.np_random.uniform(-1, 1, 2), 1.0, False, self.steps == 10, {}


class Deadly(Forever):
    """Kills its process at step 37 of it, the first so many times; a file in the current folder counts these."""

    def __init__(self, times: int) -> None:
        self.times, self.taken = times, 0

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.taken += 1
        if self.taken == 37:
            deaths = Path("deaths")
            before = int(deaths.read_text()) if deaths.exists() else 0
            if before < self.times:
                deaths.write_text(str(before + 1))
                os.kill(os.getpid(), signal.SIGKILL)
        return super().step(action)


FAULTS = ("nan", "huge", "none", "short", "long", "inf_reward", "none_reward", "array_reward", "four")

gymnasium.register("Forever-v0", f"{__name__}:Forever", max_episode_steps=20)
gymnasium.register("Endless-v0", f"{__name__}:Forever")
gymnasium.register("ShortPendulum-v0", "gymnasium.envs.classic_control:PendulumEnv", max_episode_steps=13)
gymnasium.register("Carrying-v0", f"{__name__}:Carrying", max_episode_steps=20)
gymnasium.register("Wager-v0", f"{__name__}:Wager", max_episode_steps=20)
gymnasium.register("Entropy-v0", f"{__name__}:Entropy", max_episode_steps=20)
gymnasium.register("Deadly-v0", f"{__name__}:Deadly", max_episode_steps=20, kwargs={"times": 2})
gymnasium.register("Deadliest-v0", f"{__name__}:Deadly", max_episode_steps=20, kwargs={"times": 1000})
gymnasium.register("Image-v0", f"{__name__}:Image")
for when in ("once", "always", "rank-1", "reset"):
    gymnasium.register(f"Raising-{when}-v0", f"{__name__}:Raising", kwargs={"when": when})
for name in FAULTS:
    gymnasium.register(f"Broken-{name}-v0", f"{__name__}:Broken", kwargs={"fault": name})
tasks.register()
vector_environments.register()
odd_environments.register()
