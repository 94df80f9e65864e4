"""Packages whose environments Gymnasium knows only once they are imported, and what to install for others."""

from __future__ import annotations

import re
from typing import NamedTuple


class Package(NamedTuple):
    """A package that registers environments when it is imported."""

    ids: str  # a regular expression: how their ids begin
    module: str
    install: str  # what pip takes


KNOWN = tuple(
    Package(*row)
    for row in (
        (r"ALE/|\w+(NoFrameskip|Deterministic|-ram)\b", "ale_py", "'ale-py>=0.11' 'opencv-python-headless>=4.8'"),
        (r"MiniGrid-|BabyAI-", "minigrid", "minigrid"),
        (r"MiniWorld-", "miniworld", "miniworld"),
        (r"\w+BulletEnv-v", "pybullet_envs_gymnasium", "'pybullet>=3.2' 'pybullet_envs_gymnasium>=0.5'"),
        (r"(highway|merge|roundabout|parking|intersection|racetrack|exit|u-turn|two-way|lane-keeping)(-\w+)*-v\d",
         "highway_env", "highway-env"),
        (r"dm_control/|bsuite/", "shimmy", "'shimmy[dm-control]'"),
        (r"Fetch(Reach|Push|Slide|PickAndPlace)|Hand(Reach|Manipulate)|(Ant|Point)Maze_|Adroit|FrankaKitchen",
         "gymnasium_robotics", "gymnasium-robotics"),
        (r"Meta-World/", "metaworld", "metaworld"),
        (r"Panda(Reach|Push|Slide|PickAndPlace|Stack|Flip)", "panda_gym", "panda-gym"),
        (r"gym_pusht/", "gym_pusht", "gym-pusht"),
        (r"gym_aloha/", "gym_aloha", "gym-aloha"),
        (r"gym_xarm/", "gym_xarm", "gym-xarm"),
        (r"PyFlyt/", "PyFlyt.gym_envs", "PyFlyt"),
        (r"Vizdoom", "vizdoom.gymnasium_wrapper", "vizdoom"),
        (r"FlappyBird-", "flappy_bird_gymnasium", "flappy-bird-gymnasium"),
    )
)  # fmt: skip

# Imported also where a file names the environment, and nobody typed it; importing any other would let files run code.
SAFE_MODULES = ("ale_py",)

# What to install when one of these words is in an environment's id or in Gymnasium's complaint.
PARTS = {
    "opencv": "'opencv-python-headless>=4.8'",
    "box2d": "'gymnasium[box2d]>=1.1'",
    "mujoco": "'gymnasium[mujoco]>=1.1' 'mujoco>=3.17'",
    "pygame": "'gymnasium[classic-control]>=1.1'",
}


def package_of(env_id: str) -> Package | None:
    """Return the package that registers an environment, by how its id begins."""
    return next((package for package in KNOWN if re.match(package.ids, env_id)), None)


def install_of(words: str) -> str | None:
    """Return what to install for a complaint in these words."""
    return next((install for word, install in PARTS.items() if word in words.lower()), None)
