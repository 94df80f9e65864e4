"""Several robots side by side on one floor, each in a lane of its own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np

from baselines_ppo.common.failures import DataError
from baselines_ppo.zoo.bodies.body import Body
from baselines_ppo.zoo.bodies.robot import Robot
from baselines_ppo.zoo.scene import CONTROL_STEP, Placed, build_scene
from baselines_ppo.zoo.simulation import Simulation

LANE = 1.5  # m, from the middle of one to the middle of the next
FAR = 1000.0  # m, where the lanes lead to
AZIMUTH, ELEVATION = 207.0, -12.0  # degrees, of the camera: it looks back, so that those ahead are seen in front
AIM = 0.7  # m, the height of what it turns about
BESIDE, TALLEST = 1.0, 2.2  # m, of a robot: to all sides of its middle, and above the floor
FORGETTING = 0.7  # s, over which one that has fallen stops to matter for what is in the picture


class Race:
    """One race: all start at x = 0 and run along x; who falls gets no torque any more, and stays where it lies."""

    flags: None = None  # all run ahead

    def __init__(self, robots: Sequence[Robot], aspect: float = 4 / 3) -> None:
        """Build the lanes, the first robot's on the right.

        Args:
          aspect: of pictures, their width by their height.
        """
        lanes = [LANE * (i - (len(robots) - 1) / 2) for i in range(len(robots))]
        placed = [
            Placed(robot.model, robot.feet, robot.watched, robot.friction, f"lane{i}/", lane)
            for i, (robot, lane) in enumerate(zip(robots, lanes, strict=True))
        ]
        substeps = max(robot.substeps for robot in robots)
        self.simulation = Simulation(build_scene(placed, substeps), 1, substeps)
        self.bodies = [Body(robot, self.simulation, place.prefix) for robot, place in zip(robots, placed, strict=True)]
        self.running = np.ones(len(robots), dtype=bool)  # who has not fallen
        self._aspect, self._weights = aspect, np.ones(len(robots))  # 1 for who runs, then less and less
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
        self.running[:], self._weights[:] = True, 1.0

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
        self._weights *= np.where(self.running, 1.0, np.exp(-CONTROL_STEP / FORGETTING))

    def observe(self) -> list[np.ndarray]:
        """Return what each robot sees, [D] float32, as where it walks alone."""
        views = zip(self.bodies, self._references, self._targets, strict=True)
        return [body.observe(reference, target)[0] for body, reference, target in views]

    @property
    def distances(self) -> np.ndarray:
        """[robots] m, how far each has come."""
        return np.array([body.pose.position[0, 0] for body in self.bodies])

    @property
    def places(self) -> np.ndarray:
        """[robots, 2] m, where all are."""
        places = np.concatenate([body.pose.position for body in self.bodies])
        places[:, 1] += self._offsets
        return places

    @property
    def view(self) -> dict[str, Any]:
        """How MuJoCo's camera sees all who run, and less and less of who has fallen."""
        weights = self._weights / self._weights.max()
        middle = weights @ self.places / weights.sum()
        places = middle + weights[:, None] * (self.places - middle)
        sides = np.array(list(itertools.product((-BESIDE, BESIDE), (-BESIDE, BESIDE), (0.0, TALLEST))))
        points = (np.pad(places, ((0, 0), (0, 1)))[:, None] + sides).reshape(-1, 3)
        axes = axes_of(np.radians(AZIMUTH), np.radians(ELEVATION))
        camera = place_to_see(points, axes, np.radians(self.simulation.model.vis.global_.fovy), self._aspect)
        distance = (AIM - camera[2]) / axes[0, 2]
        return {
            "type": mujoco.mjtCamera.mjCAMERA_FREE,
            "lookat": camera + distance * axes[0],
            "distance": distance,
            "azimuth": AZIMUTH,
            "elevation": ELEVATION,
        }


def axes_of(azimuth: float, elevation: float) -> np.ndarray:
    """Return where ahead, right and up are for a camera that looks in this direction, in rad; [3, 3]."""
    cos, sin = np.cos([azimuth, elevation]), np.sin([azimuth, elevation])
    ahead, right = [cos[0] * cos[1], sin[0] * cos[1], sin[1]], [sin[0], -cos[0], 0.0]
    return np.stack([ahead, right, np.cross(right, ahead)])


def place_to_see(points: np.ndarray, axes: np.ndarray, fovy: float, aspect: float) -> np.ndarray:
    """Return the nearest place, [3] m, of a camera that has all these points, [n, 3] m, in its picture.

    Args:
      axes: of the camera, see `axes_of`.
      fovy: rad, the angle of the picture from top to bottom.
      aspect: the picture's width by its height.
    """
    depth, across = points @ axes[0], points @ axes[1:].T
    slopes = np.tan(fovy / 2) * np.array([aspect, 1.0])  # of the picture's sides
    # Each side is a plane through the camera, beyond which no point is: the two left and right of it, and the two
    # above and below, meet in a line. The camera is as far back as the one that is farther back.
    high = (across - depth[:, None] * slopes).max(axis=0)
    low = (-across - depth[:, None] * slopes).max(axis=0)
    back = (-(high + low) / (2 * slopes)).min()
    return np.array([back, *(high - low) / 2]) @ axes
