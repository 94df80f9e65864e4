"""A walk against a wind that can be set, and one that uses the process's random stream; imported, they are known."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Windy(gymnasium.Env[np.ndarray, np.ndarray]):
    """To the middle of a line, where it is a success to be; from 5 to 15 steps, the seed says how many."""

    metadata: dict[str, Any] = {  # noqa: RUF012  # as Gymnasium declares it
        "render_modes": ["rgb_array"],
        "render_fps": 10,
    }
    observation_space = spaces.Box(-9, 9, (1,), np.float64)
    action_space = spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode, self.wind = render_mode, 0.0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.left = int(self.np_random.integers(5, 16))
        self.place = self.np_random.uniform(-1, 1, 1)
        return self.place.copy(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.place = np.clip(self.place + 0.1 * action + self.wind, -9, 9)
        self.left -= 1
        return (
            self.place.copy(), -abs(float(self.place[0])), False, self.left == 0,
            {"is_success": abs(float(self.place[0])) < 0.5},
        )  # fmt: skip

    def render(self) -> np.ndarray:
        return np.full((64, 64, 3), min(255, int(100 + 50 * abs(self.place[0]))), np.uint8)


class Sly(Windy):
    """Draws from the process's own stream, but after the nine steps that a trial sees."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        first = super().reset(seed=seed)
        self.left = 12
        return first

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.wind = random.uniform(-1, 1) if self.left < 3 else 0.0
        return super().step(action)


class Unseen(Windy):
    """Never ends to draw, and says which process draws in the file that WINDY_PID names."""

    def render(self) -> np.ndarray:
        Path(os.environ["WINDY_PID"]).write_text(str(os.getpid()))
        while True:
            time.sleep(1)


gymnasium.register("Windy-v0", f"{__name__}:Windy")
gymnasium.register("Sly-v0", f"{__name__}:Sly")
gymnasium.register("Unseen-v0", f"{__name__}:Unseen")
