"""The tasks by their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from baselines_ppo.zoo.bodies.robot import ANT, ATLAS, HALF_CHEETAH, HOPPER, HUMANOID, WALKER2D
from baselines_ppo.zoo.task import Task
from baselines_ppo.zoo.tasks.harder import FlagrunHarder
from baselines_ppo.zoo.tasks.pendulums import InvertedDoublePendulum, InvertedPendulum, InvertedPendulumSwingup
from baselines_ppo.zoo.tasks.pong import Pong
from baselines_ppo.zoo.tasks.reacher import Reacher
from baselines_ppo.zoo.tasks.walker import Walker

WITH_CUBE = " with a cube"

# Of the number of robots.
WALKERS: dict[str, Callable[..., Walker]] = {
    "Hopper": partial(Walker, HOPPER),
    "Walker2d": partial(Walker, WALKER2D),
    "HalfCheetah": partial(Walker, HALF_CHEETAH),
    "Ant": partial(Walker, ANT),
    "Humanoid": partial(Walker, HUMANOID),
    "HumanoidFlagrun": partial(Walker, replace(HUMANOID, electricity_cost=4.25), flags=True),
    "AtlasForwardWalk": partial(Walker, ATLAS),
}
TASKS: dict[str, Callable[[int], Task]] = {
    "InvertedPendulum": InvertedPendulum,
    "InvertedPendulumSwingup": InvertedPendulumSwingup,
    "InvertedDoublePendulum": InvertedDoublePendulum,
    "Reacher": Reacher,
    **WALKERS,
    "HumanoidFlagrunHarder": FlagrunHarder,
    "Pong": Pong,
    # With a cube to be thrown at them, which no policy has learned to expect.
    **{f"{name}{WITH_CUBE}": partial(make, cube=True) for name, make in WALKERS.items()},
}
