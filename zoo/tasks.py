"""The tasks by their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from baselines_ppo.zoo.harder import FlagrunHarder
from baselines_ppo.zoo.pendulums import InvertedDoublePendulum, InvertedPendulum, InvertedPendulumSwingup
from baselines_ppo.zoo.pong import Pong
from baselines_ppo.zoo.reacher import Reacher
from baselines_ppo.zoo.robot import ANT, ATLAS, HALF_CHEETAH, HOPPER, HUMANOID, WALKER2D
from baselines_ppo.zoo.task import Task
from baselines_ppo.zoo.walker import Walker

# Of the number of robots.
TASKS: dict[str, Callable[[int], Task]] = {
    "InvertedPendulum": InvertedPendulum,
    "InvertedPendulumSwingup": InvertedPendulumSwingup,
    "InvertedDoublePendulum": InvertedDoublePendulum,
    "Reacher": Reacher,
    "Hopper": partial(Walker, HOPPER),
    "Walker2d": partial(Walker, WALKER2D),
    "HalfCheetah": partial(Walker, HALF_CHEETAH),
    "Ant": partial(Walker, ANT),
    "Humanoid": partial(Walker, HUMANOID),
    "HumanoidFlagrun": partial(Walker, replace(HUMANOID, electricity_cost=4.25), flags=True),
    "HumanoidFlagrunHarder": FlagrunHarder,
    "AtlasForwardWalk": partial(Walker, ATLAS),
    "Pong": Pong,
}
