"""n robots in a scene of their own each: what they feel, what they see, how they start."""

from __future__ import annotations

import mujoco
import numpy as np

from baselines_ppo.zoo.bodies.robot import AT_LIMIT, Joints, Robot, Senses
from baselines_ppo.zoo.scene import PREFIX, Placed, build_scene
from baselines_ppo.zoo.simulation import Simulation

START_NOISE = 0.1  # rad, of each joint at the start, to both sides
START_CLEARANCE = 0.01  # m, of the lowest point above the floor
LYING, LYING_PITCH = 0.7, 0.3  # share of the fallen that lie on some side, and the std of their pitch, rad
MOST_BENT = 0.9  # of half the range of a joint, of the fallen
VELOCITY_SCALE = 0.3  # s/m, of the observed velocity of the torso
CLIP = 5.0  # of observations


class Body:
    """The robots."""

    def __init__(self, robot: Robot, simulation: Simulation, prefix: str = PREFIX) -> None:
        """Take over the robot whose names in the simulation begin with the prefix."""
        self.robot, self.simulation, model = robot, simulation, simulation.model
        own = [i for i in range(model.nu) if model.actuator(i).name.startswith(prefix)]
        joints = model.actuator_trnid[own, 0]
        self.num_joints = len(own)
        self.observation_size = 8 + 2 * self.num_joints + len(robot.feet)
        root = model.jnt_bodyid[joints[0] - robot.root_joints]
        self.view = {"trackbodyid": root, "distance": robot.view_distance, "azimuth": 120.0, "elevation": -12.0}
        self._ctrl = slice(own[0], own[-1] + 1)
        first_qpos, first_qvel = model.jnt_qposadr[joints[0]], model.jnt_dofadr[joints[0]]
        self._qpos, self._qvel = slice(first_qpos, first_qpos + len(own)), slice(first_qvel, first_qvel + len(own))
        self._root_qpos = slice(first_qpos - robot.root_sizes[0], first_qpos)
        self._root_qvel = slice(first_qvel - robot.root_sizes[1], first_qvel)
        low, high = model.jnt_range[joints].T
        self._middle, self._half = (low + high) / 2, (high - low) / 2
        self._start = np.clip(0.0, low + START_NOISE, high - START_NOISE)  # rad, of each joint
        self._speed_scale = 1.0 / np.array(robot.speed_limits or [10.0] * self.num_joints)  # s/rad
        self._data = mujoco.MjData(model)
        of_robot = model.body_rootid[model.geom_bodyid] == root
        self._solids = Solids(model, np.flatnonzero(of_robot & (model.geom_group == 0)))
        self._watched = [model.body(f"{prefix}{name}").id for name in robot.watched]
        self._touching = [
            [_sensor(model, f"{prefix}{foot}_{what}") for foot in robot.feet] for what in ("floor", "any")
        ]
        self._above = [_sensor(model, f"{prefix}{name}_place") + 2 for name in robot.watched]
        count = len(simulation.qpos)
        self._feet = np.zeros((count, len(robot.feet)), dtype=bool)
        self._heights = np.zeros((count, len(robot.watched)))
        self.colliding = np.zeros_like(self._feet)  # which feet touch anything but the floor
        self.state = {"feet": self._feet, "heights": self._heights}
        self.look()

    def look(self) -> None:
        """Read from the simulation where all are."""
        qpos, qvel = self.simulation.qpos, self.simulation.qvel
        self.pose = self.robot.pose(qpos[:, self._root_qpos], qvel[:, self._root_qvel])
        joints = Joints((qpos[:, self._qpos] - self._middle) / self._half, qvel[:, self._qvel] * self._speed_scale)
        self.senses = Senses(self.pose, joints, self._feet, self._heights)

    def act(self, actions: np.ndarray) -> None:
        """Set the motors to actions [n, A] within [-1, 1]."""
        self.simulation.ctrl[:, self._ctrl] = actions

    def feel(self) -> None:
        """Read from the simulation what a step has led to."""
        self.look()
        sensors = self.simulation.sensors
        floor, anything = sensors[:, self._touching[0]], sensors[:, self._touching[1]]
        self._feet[:], self.colliding = floor > 0, anything > floor
        self._heights[:] = sensors[:, self._above]

    def push(self, row: int, x: float, y: float) -> None:
        """Add to the velocity of one at once, in m/s; a robot that moves in a plane is pushed along x alone."""
        velocity = self.simulation.qvel[row, self._root_qvel]
        velocity[0] += x
        if not self.robot.planar:
            velocity[1] += y

    def step(self, actions: np.ndarray) -> np.ndarray:
        """Advance all by a control step; returns which failed, [n] bool."""
        self.act(actions)
        failed = self.simulation.step()
        self.feel()
        return failed

    def stand(self, row: int, generator: np.random.Generator, pitch: float = 0.0) -> None:
        """Put one on the floor, its joints about zero, or about where their ranges begin.

        Args:
          pitch: rad, of the root: forwards.
        """
        joints = self._start + generator.uniform(-START_NOISE, START_NOISE, self.num_joints)
        yaw = generator.uniform(-self.robot.most_yaw, self.robot.most_yaw)
        self._put(row, joints, None if self.robot.planar else _quaternion(pitch, yaw))

    def fall(self, row: int, generator: np.random.Generator) -> None:
        """Put one that is not planar on the floor as if it had fallen: mostly lying on some side, its limbs anyhow."""
        bent = self._middle + MOST_BENT * self._half * generator.uniform(-1.0, 1.0, self.num_joints)
        joints = self._start + generator.uniform() * (bent - self._start)
        rotation = generator.normal(size=4)  # any, as good as any other
        if generator.uniform() < LYING:
            spine, yaw = generator.uniform(-np.pi, np.pi, 2)
            lying = _quaternion(np.pi / 2 + generator.normal(scale=LYING_PITCH), yaw)
            mujoco.mju_mulQuat(rotation, lying, np.array([np.cos(spine / 2), 0.0, 0.0, np.sin(spine / 2)]))
        self._put(row, joints, rotation / np.linalg.norm(rotation))

    def _put(self, row: int, joints: np.ndarray, rotation: np.ndarray | None) -> None:
        """Put one on the floor, its lowest point just above it; planar robots have no rotation to be given."""
        qpos, root = self.simulation.qpos[row], self._root_qpos.start
        qpos[self._qpos] = joints
        if rotation is not None:
            qpos[root + 3 : root + 7] = rotation
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self.simulation.model, self._data)
        lift = START_CLEARANCE - self._solids.lowest(self._data)
        qpos[root + (1 if self.robot.planar else 2)] += lift
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
        power = np.abs(actions * self.senses.joints.speeds).sum(axis=1)
        return (-cost * power - self.robot.stall_cost * np.square(actions).sum(axis=1)) / self.num_joints

    def joints_at_limit(self) -> np.ndarray:
        """Return how many joints are at a limit, [n]."""
        return (np.abs(self.senses.joints.positions) > AT_LIMIT).sum(axis=1)


class Solids:
    """The capsules, spheres and boxes of a model, as a rounding around a box of their own."""

    def __init__(self, model: mujoco.MjModel, geoms: np.ndarray) -> None:
        """Take geoms by their ids, [k]."""
        kind, size = model.geom_type[geoms], model.geom_size[geoms]
        is_box = kind == mujoco.mjtGeom.mjGEOM_BOX
        is_capsule = kind == mujoco.mjtGeom.mjGEOM_CAPSULE
        self._geoms, self._radii = geoms, np.where(is_box, 0.0, size[:, 0])  # [k]
        self._halves = np.where(is_box[:, None], size, 0.0)  # [k, 3]
        self._halves[is_capsule, 2] = size[is_capsule, 1]

    def lowest(self, data: mujoco.MjData) -> float:
        """Return the height in m of the lowest point of them all, where `data` has them."""
        downward = np.abs(data.geom_xmat[self._geoms, 6:])  # of each one's axes
        return float((data.geom_xpos[self._geoms, 2] - (downward * self._halves).sum(axis=1) - self._radii).min())


def body_of(robot: Robot, count: int, flag: bool = False, cube: bool = False, strength: float = 1.0) -> Body:
    """Return robots of one kind, each in a scene of its own, with a flag or a cube where they are to have them.

    Args:
      strength: times which their motors are as strong as they were.
    """
    placed = Placed(robot.model, robot.feet, robot.watched, robot.friction)
    model = build_scene([placed], robot.substeps, flag=flag, cube=cube)
    model.actuator_gear *= strength
    return Body(robot, Simulation(model, count, robot.substeps))


def _sensor(model: mujoco.MjModel, name: str) -> int:
    """Return where the values of a sensor begin."""
    return int(model.sensor(name).adr[0])


def _quaternion(pitch: float, yaw: float) -> np.ndarray:
    """Return the rotation by a pitch and then by a yaw, as (w, x, y, z)."""
    p, y = pitch / 2, yaw / 2
    return np.array([np.cos(y) * np.cos(p), -np.sin(y) * np.sin(p), np.cos(y) * np.sin(p), np.sin(y) * np.cos(p)])
