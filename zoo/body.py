"""n robots in a scene of their own each: what they feel, what they see, how they start."""

from __future__ import annotations

import mujoco
import numpy as np

from baselines_ppo.zoo.robot import AT_LIMIT, Joints, Robot, Senses
from baselines_ppo.zoo.scene import Placed, build_scene
from baselines_ppo.zoo.simulation import Simulation, Solids

START_NOISE = 0.1  # rad, of each joint at the start, to both sides
START_CLEARANCE = 0.01  # m, of the lowest point above the floor
VELOCITY_SCALE = 0.3  # s/m, of the observed velocity of the torso
CLIP = 5.0  # of observations


class Body:
    """The robots."""

    def __init__(self, robot: Robot, count: int, flag: bool = False, cube: bool = False) -> None:
        """Build a scene with this robot, and with a flag or a cube where it is to have them."""
        self.robot = robot
        placed = Placed(robot.model, robot.feet, robot.watched)
        model = build_scene([placed], robot.substeps, robot.friction, flag=flag, cube=cube)
        self.simulation = Simulation(model, count, robot.substeps)
        self.num_joints = model.nu
        self.observation_size = 8 + 2 * model.nu + len(robot.feet)
        self.view = {"trackbodyid": 1, "distance": robot.view_distance, "azimuth": 120.0, "elevation": -12.0}
        first_qpos, first_qvel = robot.root_sizes
        self._qpos, self._qvel = slice(first_qpos, first_qpos + model.nu), slice(first_qvel, first_qvel + model.nu)
        low, high = model.jnt_range[model.actuator_trnid[:, 0]].T
        self._middle, self._half = (low + high) / 2, (high - low) / 2
        self._start = np.clip(0.0, low + START_NOISE, high - START_NOISE)  # rad, of each joint
        self._speed_scale = 1.0 / np.array(robot.speed_limits or [10.0] * model.nu)  # s/rad
        self._data = mujoco.MjData(model)
        self._solids = Solids(model, np.flatnonzero((model.geom_group == 0) & (model.geom_bodyid > 0)))
        self._watched = [model.body(f"{placed.prefix}{name}").id for name in robot.watched]
        self._feet = np.zeros((count, len(robot.feet)), dtype=bool)
        self._heights = np.zeros((count, len(robot.watched)))
        self.colliding = np.zeros_like(self._feet)  # which feet touch anything but the floor
        self.state = {"feet": self._feet, "heights": self._heights}
        self.look()

    def look(self) -> None:
        """Read from the simulation where all are."""
        qpos, qvel = self.simulation.qpos, self.simulation.qvel
        self.pose = self.robot.pose(qpos, qvel)
        joints = Joints((qpos[:, self._qpos] - self._middle) / self._half, qvel[:, self._qvel] * self._speed_scale)
        self.senses = Senses(self.pose, joints, self._feet, self._heights)

    def step(self, actions: np.ndarray) -> np.ndarray:
        """Advance all by a control step; returns which failed, [n] bool."""
        self.simulation.ctrl[:] = actions
        failed = self.simulation.step()
        self.look()
        feet = len(self.robot.feet)
        floor, anything = self.simulation.sensors[:, : 2 * feet].reshape(-1, feet, 2).transpose(2, 0, 1)
        self._feet[:], self.colliding = floor > 0, anything > floor
        self._heights[:] = self.simulation.sensors[:, 2 * feet + 2 :: 3]
        return failed

    def stand(self, row: int, generator: np.random.Generator, pitch: float = 0.0) -> None:
        """Put one on the floor, its joints about zero, or about where their ranges begin.

        Args:
          pitch: rad, of the root: forwards.
        """
        qpos = self.simulation.qpos[row]
        qpos[self._qpos] = self._start + generator.uniform(-START_NOISE, START_NOISE, self.num_joints)
        yaw = generator.uniform(-self.robot.most_yaw, self.robot.most_yaw)
        if not self.robot.planar:
            qpos[3:7] = _quaternion(pitch, yaw)
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self.simulation.model, self._data)
        lift = START_CLEARANCE - self._solids.lowest(self._data)
        qpos[1 if self.robot.planar else 2] += lift
        self._feet[row], self._heights[row] = False, self._data.xipos[self._watched, 2] + lift

    def observe(self, references: np.ndarray | float, targets: np.ndarray) -> np.ndarray:
        """Return what the robots see, [n, D] float32: the bearing of their target, but not how far it is.

        Args:
          references: [n] m, the heights that the torso's is seen from.
          targets: [n, 2] m.
        """
        pose, joints, feet, _ = self.senses
        bearings = np.arctan2(targets[:, 1] - pose.position[:, 1], targets[:, 0] - pose.position[:, 0]) - pose.yaw
        cos, sin = np.cos(pose.yaw), np.sin(pose.yaw)
        x, y, z = pose.velocity.T
        head = [
            pose.height - references,
            np.sin(bearings),
            np.cos(bearings),
            VELOCITY_SCALE * (cos * x + sin * y),
            VELOCITY_SCALE * (cos * y - sin * x),
            VELOCITY_SCALE * z,
            pose.roll,
            pose.pitch,
        ]
        seen = np.concatenate([np.stack(head, axis=1), joints.positions, joints.speeds, feet], axis=1)
        return np.maximum(np.minimum(seen, CLIP), -CLIP).astype(np.float32)

    def electricity(self, actions: np.ndarray, cost: float | np.ndarray) -> np.ndarray:
        """Return what the motors use, [n], as a reward: for their power, and for pulling without moving.

        Args:
          cost: of power, of all or [n].
        """
        power = np.abs(actions * self.senses.joints.speeds).mean(axis=1)
        return -cost * power - self.robot.stall_cost * np.square(actions).mean(axis=1)

    def joints_at_limit(self) -> np.ndarray:
        """Return how many joints are at a limit, [n]."""
        return (np.abs(self.senses.joints.positions) > AT_LIMIT).sum(axis=1)


def _quaternion(pitch: float, yaw: float) -> list[float]:
    """Return the rotation by a pitch and then by a yaw, as (w, x, y, z)."""
    p, y = pitch / 2, yaw / 2
    return [np.cos(y) * np.cos(p), -np.sin(y) * np.sin(p), np.cos(y) * np.sin(p), np.sin(y) * np.cos(p)]
