"""Several robots side by side on one floor, each in a lane of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np

from baselines_ppo.common.failures import DataError
from baselines_ppo.zoo.body import Body
from baselines_ppo.zoo.robot import Robot
from baselines_ppo.zoo.scene import Placed, build_scene
from baselines_ppo.zoo.simulation import Simulation

LANE = 1.5  # m, from the middle of one to the middle of the next
FAR = 1000.0  # m, where the lanes lead to
BEHIND = np.array([-2.0, 0.0, 0.7])  # m, from the leader to where the camera looks


class Race:
    """One race: all start at x = 0 and run along x; who falls gets no torque any more, and stays where it lies."""

    def __init__(self, robots: Sequence[Robot]) -> None:
        """Build the lanes, the first robot's on the right."""
        lanes = [LANE * (i - (len(robots) - 1) / 2) for i in range(len(robots))]
        placed = [
            Placed(robot.model, robot.feet, robot.watched, robot.friction, f"lane{i}/", lane)
            for i, (robot, lane) in enumerate(zip(robots, lanes, strict=True))
        ]
        substeps = max(robot.substeps for robot in robots)
        self.simulation = Simulation(build_scene(placed, substeps), 1, substeps)
        self.bodies = [Body(robot, self.simulation, place.prefix) for robot, place in zip(robots, placed, strict=True)]
        self.running = np.ones(len(robots), dtype=bool)  # who has not fallen
        # Robots that move in a plane know no y.
        self._offsets = np.array([lane * robot.planar for robot, lane in zip(robots, lanes, strict=True)])  # m
        self._targets = [np.array([[FAR, lane - offset]]) for lane, offset in zip(lanes, self._offsets, strict=True)]
        self._references = [0.0] * len(robots)  # m, from which heights are seen

    def begin(self, generator: np.random.Generator) -> None:
        """Put all at the start."""
        self.simulation.reset([0])
        for i, body in enumerate(self.bodies):
            body.stand(0, generator)
            body.look()
            reference = body.robot.reference_height
            self._references[i] = body.pose.height[0] if reference is None else reference
        self.running[:] = True

    def step(self, actions: Sequence[np.ndarray]) -> None:
        """Advance by a control step with each robot's own action [A] within [-1, 1].

        Raises:
          DataError: the simulation has become unstable, and where all were is lost.
        """
        for body, action, running in zip(self.bodies, actions, self.running, strict=True):
            body.act(action[None] * running)
        if self.simulation.step().any():
            raise DataError("the simulation of this race has become unstable; give it another --seed")
        for body in self.bodies:
            body.feel()
        self.running &= [body.robot.alive(body.senses)[0] >= 0 for body in self.bodies]

    def observe(self) -> list[np.ndarray]:
        """Return what each robot sees, [D] float32, as where it walks alone."""
        views = zip(self.bodies, self._references, self._targets, strict=True)
        return [body.observe(reference, target)[0] for body, reference, target in views]

    @property
    def distances(self) -> np.ndarray:
        """[robots] m, how far each has come."""
        return np.array([body.pose.position[0, 0] for body in self.bodies])

    @property
    def centre(self) -> np.ndarray:
        """[2] m, where the leader is, or between those who lead."""
        places = np.concatenate([body.pose.position for body in self.bodies])
        places[:, 1] += self._offsets
        weights = np.exp(places[:, 0] - places[:, 0].max())
        return weights @ places / weights.sum()

    @property
    def view(self) -> dict[str, Any]:
        """How MuJoCo's camera looks back at the leader, so that the others are seen behind."""
        return {
            "type": mujoco.mjtCamera.mjCAMERA_FREE,
            "lookat": np.array([*self.centre, 0.0]) + BEHIND,
            "distance": 4.0 + LANE * len(self.bodies) / 2,
            "azimuth": 207.0,
            "elevation": -12.0,
        }
