"""Tiny environments whose best return or value is known; `import tests.environments` registers them."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Target(gymnasium.Env[np.ndarray, Any]):
    """One-step-lookahead task: the action must equal what the observation shows; ten steps, best return 10."""

    def __init__(self, action_space: spaces.Space[Any]) -> None:
        self.observation_space = spaces.Box(-1, 1, (4,), np.float64)
        self.action_space = action_space

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return self._show(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        if isinstance(self.action_space, spaces.Discrete):
            reward = float(int(action) == self.wanted)
        else:
            reward = 1.0 - float(np.mean(np.square(np.asarray(action) - self.shown[:2])))
        self.steps += 1
        return self._show(), reward, False, self.steps == 10, {}

    def _show(self) -> np.ndarray:
        self.wanted = int(self.np_random.integers(4))
        self.shown = (
            np.eye(4)[self.wanted]
            if isinstance(self.action_space, spaces.Discrete)
            else self.np_random.uniform(-0.8, 0.8, 4)
        )
        return self.shown


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


class Image(Forever):
    """Its observations are pictures."""

    observation_space = spaces.Box(0, 255, (8, 8, 3), np.uint8)


FAULTS = ("nan", "huge", "none", "short", "long", "inf_reward", "none_reward", "array_reward", "four")
BOX = spaces.Box(-1, 1, (2,), np.float32)

gymnasium.register("TargetDiscrete-v0", f"{__name__}:Target", kwargs={"action_space": spaces.Discrete(4)})
gymnasium.register("TargetBox-v0", f"{__name__}:Target", kwargs={"action_space": BOX})
gymnasium.register("Forever-v0", f"{__name__}:Forever", max_episode_steps=20)
gymnasium.register("Entropy-v0", f"{__name__}:Entropy", max_episode_steps=20)
gymnasium.register("Image-v0", f"{__name__}:Image")
for name in FAULTS:
    gymnasium.register(f"Broken-{name}-v0", f"{__name__}:Broken", kwargs={"fault": name})
