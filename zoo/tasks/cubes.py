"""Cubes that are thrown at robots, one for each of n."""

from __future__ import annotations

import numpy as np

from baselines_ppo.zoo.bodies.robot import Pose
from baselines_ppo.zoo.simulation import Simulation

PARKED = 20.0  # m above the origin, until it is thrown
FIRST, EVERY = 100, 30  # control steps: none before, then one so often
FROM = (4.0, 1.0)  # m, how far from the robot and how far above it
SPEED = (20.0, 30.0)  # m/s
SPREAD = 1.0  # m/s, of each component to both sides


class Cubes:
    """The cubes: the last free joint of each simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self._qpos, self._qvel = simulation.qpos[:, -7:], simulation.qvel[:, -6:]
        self._parked = np.ones(len(self._qpos), dtype=bool)
        self.state = {"cube_parked": self._parked}

    def park(self, rows: list[int]) -> None:
        """Put these out of reach."""
        self._parked[rows] = True
        self.hold()

    def hold(self) -> None:
        """Keep the parked ones from falling."""
        self._qpos[self._parked] = [0.0, 0.0, PARKED, 1.0, 0.0, 0.0, 0.0]
        self._qvel[self._parked] = 0.0

    def throw(self, row: int, pose: Pose, generator: np.random.Generator) -> None:
        """Throw one at where its robot will be if it goes on as it does."""
        bearing, speed = generator.uniform(-np.pi, np.pi), generator.uniform(*SPEED)
        robot = np.array([*pose.position[row], pose.height[row]])
        place = robot + np.array([FROM[0] * np.cos(bearing), FROM[0] * np.sin(bearing), FROM[1]])
        way = robot + pose.velocity[row] * (np.hypot(*FROM) / speed) - place
        self._qpos[row] = [*place, 1.0, 0.0, 0.0, 0.0]
        self._qvel[row] = 0.0
        self._qvel[row, :3] = way / np.linalg.norm(way) * speed + generator.uniform(-SPREAD, SPREAD, 3)
        self._parked[row] = False
