"""What the vector environment needs to know of a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from baselines_ppo.zoo.simulation import Simulation


class TaskOutcome(NamedTuple):
    """What a step of n robots gave."""

    terms: Any  # NamedTuple of [n] arrays, of which the rewards are the sums
    terminated: np.ndarray  # [n] bool
    failed: np.ndarray  # [n] bool, whose simulation became unstable: what the other fields say of them is void


class Task(Protocol):
    """n robots at once, each row on its own: what it does depends on its own state, actions and generator alone."""

    simulation: Simulation
    observation_size: int
    action_size: int
    observation_bound: float  # of the absolute value of what is observed
    view: dict[str, float]  # of the camera, as MuJoCo names these
    state: dict[str, np.ndarray]  # [n, ...], live: what must be known besides the simulation's state to go on

    def begin(self, rows: list[int], generators: Sequence[np.random.Generator]) -> None:
        """Begin an episode in each of these rows, by its own one of the generators, as many."""

    def step(self, actions: np.ndarray, generators: Sequence[np.random.Generator]) -> TaskOutcome:
        """Advance all rows by a control step with actions [n, A] within [-1, 1]; a generator for each row."""

    def look(self) -> None:
        """Read where the simulation is, after its state was set from outside."""

    def observe(self) -> np.ndarray:
        """Return observations [n, D] float32."""
