"""Arms of two links over a board, whose fingertips should get to a target and stay there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from baselines_ppo.zoo.bodies.robot import AT_LIMIT
from baselines_ppo.zoo.scene import PREFIX, Placed, build_scene
from baselines_ppo.zoo.simulation import Simulation
from baselines_ppo.zoo.task import Task, TaskOutcome
from baselines_ppo.zoo.tasks.flags import distances

# Four substeps of 4.1 ms: with joints this light, three become unstable under pushes that always add to the speed.
# For the same reason the joints are damped, by so much that full torque drives none beyond 100 rad/s for long, which
# is where Roboschool cut speeds off.
SUBSTEPS = 4

START_RANGE = 3.14  # rad, of each joint at the start, to both sides
TARGET_RANGE = 0.27  # m, of the target's x and y, to both sides; the arm reaches 0.21 m far
RATE_SCALE = 0.1  # s/rad, of joint speeds as they are observed and paid for
PROGRESS = 100.0  # per m that the fingertip comes closer
POWER_COST = 0.1  # times |action x scaled joint speed|, of each joint
STALL_COST = 0.01  # times |action|, of each joint
LIMIT_COST = 0.1  # while the elbow is at a limit


class Terms(NamedTuple):
    """What the rewards [n] of a step are the sums of."""

    progress: np.ndarray  # cm, towards the target
    electricity: np.ndarray
    joints_at_limit: np.ndarray


class Reacher(Task):
    """n arms; their joints are the shoulder, which turns freely, and the elbow."""

    observation_size, action_size = 9, 2
    observation_bound = np.inf  # as speeds have no limit

    def __init__(self, count: int) -> None:
        model = build_scene([Placed("reacher", feet=())], SUBSTEPS)
        model.opt.gravity[:] = 0.0  # all axes are vertical: it would do nothing but slow us down
        self.simulation = Simulation(model, count, SUBSTEPS)
        self.targets = self.simulation.mocap_pos[:, 0, :2]  # [n, 2] m, live
        self.view = {"trackbodyid": 1, "distance": 0.95, "azimuth": 90.0, "elevation": -60.0}
        self.state: dict[str, np.ndarray] = {}
        self._upper_arm = model.body(f"{PREFIX}forearm").pos[0]  # m, between the joints
        self._forearm = model.body(f"{PREFIX}fingertip").pos[0]  # m, from the elbow to the fingertip
        self._most_bend = model.joint(f"{PREFIX}elbow").range[1]  # rad

    def begin(self, rows: list[int], generators: Sequence[np.random.Generator]) -> None:
        """Begin an episode in each of these rows, at rest, with a target that may be out of reach."""
        self.simulation.reset(rows)
        for row, generator in zip(rows, generators, strict=True):
            shoulder, elbow = generator.uniform(-START_RANGE, START_RANGE, 2)
            # From beyond its limit the elbow would be thrown back.
            self.simulation.qpos[row] = shoulder, np.clip(elbow, -self._most_bend, self._most_bend)
            self.targets[row] = generator.uniform(-TARGET_RANGE, TARGET_RANGE, 2)

    def step(self, actions: np.ndarray, generators: Sequence[np.random.Generator]) -> TaskOutcome:
        """Advance all by a control step with actions [n, 2] within [-1, 1]."""
        before = distances(self.targets, self.fingertips)
        self.simulation.ctrl[:] = actions
        failed = self.simulation.step()
        power = np.abs(actions * RATE_SCALE * self.simulation.qvel).sum(axis=1)
        terms = Terms(
            progress=PROGRESS * (before - distances(self.targets, self.fingertips)),
            electricity=-POWER_COST * power - STALL_COST * np.abs(actions).sum(axis=1),
            joints_at_limit=-LIMIT_COST * (np.abs(self._bends) > AT_LIMIT),
        )
        return TaskOutcome(terms, np.zeros(len(failed), dtype=bool), failed)

    def look(self) -> None:
        """Do nothing: what is known is the simulation's."""

    def observe(self) -> np.ndarray:
        """Return observations [n, 9] float32."""
        shoulder = self.simulation.qpos[:, 0].copy()
        shoulder_rate, elbow_rate = RATE_SCALE * self.simulation.qvel.T
        joints = [np.cos(shoulder), np.sin(shoulder), shoulder_rate, self._bends, elbow_rate]
        away = self.fingertips - self.targets
        return np.concatenate([self.targets, away, np.stack(joints, axis=1)], axis=1).astype(np.float32)

    @property
    def fingertips(self) -> np.ndarray:
        """[n, 2] m."""
        shoulder, elbow = self.simulation.qpos.T.copy()
        bearing = shoulder + elbow
        x = self._upper_arm * np.cos(shoulder) + self._forearm * np.cos(bearing)
        y = self._upper_arm * np.sin(shoulder) + self._forearm * np.sin(bearing)
        return np.stack([x, y], axis=1)

    @property
    def _bends(self) -> np.ndarray:
        """[n], of the elbows: -1 and 1 at the limits."""
        return self.simulation.qpos[:, 1] / self._most_bend
