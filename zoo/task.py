"""What the vector environment needs to know of a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.zoo.bodies.body import Body
from baselines_ppo.zoo.simulation import Simulation
from baselines_ppo.zoo.tasks.cubes import Cubes
from baselines_ppo.zoo.tasks.flags import Flags


class TaskOutcome(NamedTuple):
    """What a step of n robots gave."""

    terms: Any  # NamedTuple of [n] arrays, of which the rewards are the sums
    terminated: np.ndarray  # [n] bool
    failed: np.ndarray  # [n] bool, whose simulation became unstable: what the other fields say of them is void


class Task(ABC):
    """n robots at once, each row on its own: what it does depends on its own state, actions and generator alone."""

    simulation: Simulation
    observation_size: int
    action_size: int
    observation_bound: float  # of the absolute value of what is observed
    view: Mapping[str, Any]  # of the camera, as MuJoCo names these; a `lookat` and its `distance` may change
    state: dict[str, np.ndarray]  # [n, ...], live: what must be known besides the simulation's state to go on

    # What only some tasks have.
    body: Body | None = None  # robots on a floor, which can be pushed
    flags: Flags | None = None  # to run to
    cubes: Cubes | None = None  # to be thrown at the robots
    steered: bool = False  # whether a fall ends no episode; `upright`, [n] bool, then says who stands
    episode_steps: int | None = None  # that an episode may have, where the task has to know
    fixed: Mapping[str, np.ndarray] = MappingProxyType({})  # [n, ...], in which a state to be restored must be alike

    @abstractmethod
    def begin(self, rows: list[int], generators: Sequence[np.random.Generator]) -> None:
        """Begin an episode in each of these rows, by its own one of the generators, as many."""

    @abstractmethod
    def step(self, actions: np.ndarray, generators: Sequence[np.random.Generator]) -> TaskOutcome:
        """Advance all rows by a control step with actions [n, A] within [-1, 1]; a generator for each row."""

    @abstractmethod
    def look(self) -> None:
        """Read where the simulation is, after its state was set from outside."""

    @abstractmethod
    def observe(self) -> np.ndarray:
        """Return observations [n, D] float32."""

    @property
    def facts(self) -> dict[str, np.ndarray]:
        """What the task tells beside the rewards, each [n]; NaN where it is not known."""
        return {}
