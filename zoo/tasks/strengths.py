"""Robots that are stronger while they learn to get up; the strength falls as they succeed."""

from __future__ import annotations

import numpy as np

from baselines_ppo import zoo
from baselines_ppo.common.failures import UsageError

STARTS = zoo.STARTS["HumanoidFlagrunHarder"]
STRONGEST = 3.0  # simulations become unstable beyond
LESS, MORE = 0.03, 0.02  # of strength, after an episode in which a robot stood up in time, and after another


class Strengths:
    """How strong n robots are in episodes of each start, times what they are by nature; upright ones are natural."""

    def __init__(self, count: int, most: float) -> None:
        """Begin with the most, for which the motors are made.

        Raises:
          UsageError: that is not within 1 and `STRONGEST`.
        """
        if not 1.0 <= most <= STRONGEST:
            raise UsageError(f"strength is {most:g}, expected 1 to {STRONGEST:g}")
        self._most = most
        self.now = np.full((count, len(STARTS)), most)
        self.now[:, 0] = 1.0
        self.state = {"strengths": self.now}

    def weakened(self, actions: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Return actions [n, A] in parts of the most, of robots that started so, [n]."""
        if self._most == 1.0:
            return actions
        return actions * (self.now[np.arange(len(starts)), starts] / self._most)[:, None]

    def remember(self, row: int, start: int, stood_up: bool) -> None:
        """Note whether a robot stood up in time in an episode that started so."""
        if start > 0:
            self.now[row, start] = np.clip(self.now[row, start] + (-LESS if stood_up else MORE), 1.0, self._most)
