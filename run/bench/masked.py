"""CartPole without its velocities: what a policy must remember to balance the pole."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np


class MaskedVelocities(gymnasium.ObservationWrapper[np.ndarray, Any, np.ndarray]):
    """Shows the velocities of cart and pole as 0."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._seen = np.array([1, 0, 1, 0], dtype=np.float32)  # position, velocity, angle, velocity of the angle

    def observation(self, observation: np.ndarray) -> np.ndarray:
        return observation * self._seen
