"""Robots that walk towards a target: a far one, or flags that appear one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from baselines_ppo.zoo.bodies.body import CLIP, Body, body_of
from baselines_ppo.zoo.bodies.robot import Robot
from baselines_ppo.zoo.scene import CONTROL_STEP
from baselines_ppo.zoo.task import Task, TaskOutcome
from baselines_ppo.zoo.tasks.cubes import Cubes
from baselines_ppo.zoo.tasks.flags import Flags, distances

FAR = (1000.0, 0.0)  # m, the target of those who have no flags
LIMIT_COST = 0.2  # per joint at a limit
FOOT_COST = 1.0  # per foot that touches anything but the floor


class Terms(NamedTuple):
    """What the rewards [n] of a step are the sums of."""

    alive: np.ndarray
    progress: np.ndarray  # m/s, towards the target
    electricity: np.ndarray
    joints_at_limit: np.ndarray
    foot_collision: np.ndarray


class Walker(Task):
    """n robots that run forward, or to flags, until they fall."""

    body: Body

    def __init__(self, robot: Robot, count: int, flags: bool = False, cube: bool = False) -> None:
        self.body, self.robot = body_of(robot, count, flag=flags, cube=cube), robot
        self.simulation = self.body.simulation
        self.flags = Flags(self.simulation.mocap_pos[:, 0, :2]) if flags else None
        self.cubes = Cubes(self.simulation) if cube else None
        self._far = np.tile(FAR, (count, 1))
        self._references = np.zeros(count)  # m, from which heights are seen
        self.observation_size, self.action_size = self.body.observation_size, self.body.num_joints
        self.observation_bound, self.view = CLIP, self.body.view
        self.state = {"reference": self._references, **self.body.state}
        self.state |= {**(self.flags.state if self.flags else {}), **(self.cubes.state if self.cubes else {})}

    def begin(self, rows: list[int], generators: Sequence[np.random.Generator]) -> None:
        """Begin an episode in each of these rows."""
        self.simulation.reset(rows)
        for row, generator in zip(rows, generators, strict=True):
            self.body.stand(row, generator)
            if self.flags is not None:
                self.flags.begin(row, generator)
        if self.cubes is not None:
            self.cubes.park(rows)
        self.body.look()
        reference = self.robot.reference_height
        self._references[rows] = self.body.pose.height[rows] if reference is None else reference

    def step(self, actions: np.ndarray, generators: Sequence[np.random.Generator]) -> TaskOutcome:
        """Advance all by a control step with actions [n, A] within [-1, 1]."""
        body, before = self.body, distances(self.targets, self.body.pose.position)
        failed = body.step(actions)
        if self.cubes is not None:
            self.cubes.hold()
        progress = (before - distances(self.targets, body.pose.position)) / CONTROL_STEP
        if self.flags is not None:
            progress[self.flags.renew(body.pose.position, failed, generators)] = 0.0
        alive = self.robot.alive(body.senses)
        terms = Terms(
            alive=alive,
            progress=progress,
            electricity=body.electricity(actions, self.robot.electricity_cost),
            joints_at_limit=-LIMIT_COST * body.joints_at_limit(),
            foot_collision=-FOOT_COST * body.colliding.sum(axis=1),
        )
        return TaskOutcome(terms, alive < 0, failed)

    def look(self) -> None:
        """Read where the simulation is."""
        self.body.look()

    def observe(self) -> np.ndarray:
        """Return observations [n, D] float32."""
        return self.body.observe(self._references, self.targets)

    @property
    def targets(self) -> np.ndarray:
        """[n, 2] m, where to go."""
        return self._far if self.flags is None else self.flags.places
