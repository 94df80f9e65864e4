"""The robots: what tells one from the others besides its MJCF file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

AT_LIMIT = 0.99  # of the way from the middle of a joint's range

# Speed limits in rad/s. That of the hand is 1; it would make its speed far larger than all else in the observation.
ATLAS_ARM = (12, 12, 12, 12, 12, 12, 12)
ATLAS_KNEES = [21, 27]  # of its joints


class Pose(NamedTuple):
    """Where n robots are and how they move."""

    position: np.ndarray  # [n, 2] m, x and y of the torso
    height: np.ndarray  # [n] m, of the point that the robot's rules speak of
    roll: np.ndarray  # [n] rad
    pitch: np.ndarray  # [n] rad, positive: leaning forwards
    yaw: np.ndarray  # [n] rad
    velocity: np.ndarray  # [n, 3] m/s, of the torso, in the world's axes


def free_pose(qpos: np.ndarray, qvel: np.ndarray, point: tuple[float, float, float]) -> Pose:
    """Return the poses of bodies with a free joint.

    Args:
      qpos, qvel: [n, 7 or more], [n, 6 or more], of which the first belong to the root.
      point: m, in the root's frame, whose height counts.
    """
    w, x, y, z = qpos[:, 3:7].T.copy()
    ahead, aside, upright = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)  # upwards, for the root
    return Pose(
        position=qpos[:, :2].copy(),
        height=qpos[:, 2] + point[0] * ahead + point[1] * aside + point[2] * upright,
        roll=np.arctan2(aside, upright),
        pitch=np.arcsin(np.maximum(np.minimum(-ahead, 1.0), -1.0)),
        yaw=np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)),
        velocity=qvel[:, :3].copy(),
    )


def planar_pose(qpos: np.ndarray, qvel: np.ndarray) -> Pose:
    """Return the poses of bodies that slide along x and z and turn about y, by their first three joints."""
    nothing = np.zeros(len(qpos))
    return Pose(
        position=np.stack([qpos[:, 0], nothing], axis=1),
        height=qpos[:, 1].copy(),
        roll=nothing,
        pitch=qpos[:, 2].copy(),
        yaw=nothing,
        velocity=np.stack([qvel[:, 0], nothing, qvel[:, 1]], axis=1),
    )


class Joints(NamedTuple):
    """The joints of n robots, as they are observed."""

    positions: np.ndarray  # [n, J] -1 and 1 at the limits
    speeds: np.ndarray  # [n, J] of the robot's speed limits


class Senses(NamedTuple):
    """What n robots feel of themselves."""

    pose: Pose
    joints: Joints
    feet: np.ndarray  # [n, feet] bool, which touch the floor
    heights: np.ndarray  # [n, ...] m, of the centres of the bodies that are watched


@dataclass(frozen=True)
class Robot:
    """A robot that moves on a floor; costs are per step."""

    model: str  # its file in robots/
    feet: tuple[str, ...]  # bodies whose contacts it feels, and which should touch nothing but the floor
    alive: Callable[[Senses], np.ndarray]  # the bonus of a step, [n]; where it is negative the episode ends
    watched: tuple[str, ...] = ()  # bodies whose heights it knows of
    electricity_cost: float = 2.0  # times the mean of |action x scaled joint speed|
    stall_cost: float = 0.1  # times the mean of action^2
    planar: bool = False
    substeps: int = 3
    friction: float = 0.8  # on the floor
    point: tuple[float, float, float] = (0.0, 0.0, 0.0)  # m, in the torso's frame: its height is the robot's
    reference_height: float | None = None  # m, that heights are observed from; None: the first of the episode
    most_yaw: float = 0.0  # rad, of the start
    speed_limits: tuple[float, ...] = ()  # rad/s, by which joint speeds are divided to be observed; else 10
    view_distance: float = 4.0  # m, of the camera

    def pose(self, qpos: np.ndarray, qvel: np.ndarray) -> Pose:
        """Return the poses of n of them."""
        return planar_pose(qpos, qvel) if self.planar else free_pose(qpos, qvel, self.point)

    @property
    def root_sizes(self) -> tuple[int, int]:
        """How many of qpos and of qvel belong to the root; the rest are the joints'."""
        return (3, 3) if self.planar else (7, 6)

    @property
    def root_joints(self) -> int:
        """How many joints the root has."""
        return 3 if self.planar else 1


def _upright(senses: Senses) -> np.ndarray:
    return np.where((senses.pose.height > 0.8) & (np.abs(senses.pose.pitch) < 1.0), 1.0, -1.0)


def _on_its_feet(senses: Senses) -> np.ndarray:
    shins_and_thighs = senses.feet[:, [1, 2, 4, 5]].any(axis=1)
    return np.where((np.abs(senses.pose.pitch) < 1.0) & ~shins_and_thighs, 1.0, -1.0)


def _off_the_floor(senses: Senses) -> np.ndarray:
    return np.where(senses.pose.height > 0.26, 1.0, -1.0)


def _standing(senses: Senses) -> np.ndarray:
    return np.where(senses.pose.height > 0.78, 2.0, -1.0)


def _knees_bent(senses: Senses) -> np.ndarray:
    """Return 4 minus the number of straight knees, or -1 where the head is below 1.3 m: straight legs cost."""
    knees = (np.abs(senses.joints.positions[:, ATLAS_KNEES]) > AT_LIMIT).sum(axis=1)
    return np.where(senses.heights[:, 0] > 1.3, 4.0 - knees, -1.0)


HOPPER = Robot("hopper", ("foot",), _upright, planar=True)
WALKER2D = Robot("walker2d", ("foot", "left_foot"), _upright, planar=True)
HALF_CHEETAH = Robot(
    "half_cheetah", ("ffoot", "fshin", "fthigh", "bfoot", "bshin", "bthigh"), _on_its_feet, planar=True
)
ANT = Robot(
    "ant",
    ("foot_1", "foot_2", "foot_3", "foot_4"),
    _off_the_floor,
    friction=1.2,
)
HUMANOID = Robot(
    "humanoid",
    ("right_foot", "left_foot"),
    _standing,
    watched=("pelvis",),
    electricity_cost=8.5,
    stall_cost=0.425,
    point=(-0.01, 0.0, -0.12),  # the upper waist; standing 1.17 m, running 0.97
    reference_height=0.8,
    most_yaw=np.pi / 16,
)
ATLAS = Robot(
    "atlas",
    ("l_foot", "r_foot"),
    _knees_bent,
    watched=("head",),
    substeps=4,
    point=(0.0111, 0.0, 0.0271),  # the centre of the pelvis
    reference_height=1.5,
    speed_limits=(12, 9, 12, *ATLAS_ARM, 6.28, *ATLAS_ARM, *[12] * 12),
    view_distance=5.0,
)
