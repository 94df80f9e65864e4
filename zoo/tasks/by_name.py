"""The tasks by their names."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.zoo import SETTINGS
from baselines_ppo.zoo.bodies.robot import ANT, ATLAS, HALF_CHEETAH, HOPPER, HUMANOID, WALKER2D
from baselines_ppo.zoo.task import Task
from baselines_ppo.zoo.tasks.harder import FlagrunHarder
from baselines_ppo.zoo.tasks.pendulums import InvertedDoublePendulum, InvertedPendulum, InvertedPendulumSwingup
from baselines_ppo.zoo.tasks.pong import Pong
from baselines_ppo.zoo.tasks.reacher import Reacher
from baselines_ppo.zoo.tasks.walker import Walker

HARDER = "HumanoidFlagrunHarder"
IN_WORDS: dict[type, str] = {str: "a word", bool: "true or false", float: "a finite number"}
TO_STEER = " to steer"  # behind the name of a task: its form for those who tell the robot where to run

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
TASKS: dict[str, Callable[..., Task]] = {
    "InvertedPendulum": InvertedPendulum,
    "InvertedPendulumSwingup": InvertedPendulumSwingup,
    "InvertedDoublePendulum": InvertedDoublePendulum,
    "Reacher": Reacher,
    **WALKERS,
    HARDER: FlagrunHarder,
    "Pong": Pong,
    "PongDuel": partial(Pong, opponent="zoo:RoboPong-v1"),
    # With a cube to be thrown at them, which none of their policies has learned to expect.
    **{f"{name}{TO_STEER}": partial(make, cube=True) for name, make in WALKERS.items()},
    f"{HARDER}{TO_STEER}": partial(FlagrunHarder, start="upright", steered=True),
}


def make_task(name: str, count: int, **settings: Any) -> Task:
    """Return so many robots at a task.

    Args:
      settings: those that the task has in `SETTINGS`, see `FlagrunHarder` and `Pong`.

    Raises:
      TypeError: the task has no such setting.
      UsageError: a value is of the wrong kind or out of its range, or it cannot play against such an agent.
      LoadError: there is no such agent.
    """
    kinds = SETTINGS.get(name.removesuffix(TO_STEER), {})
    for setting, value in settings.items():
        if setting not in kinds:
            raise TypeError(f"{name} got an unexpected keyword argument '{setting}'")
        if value is not None and not is_a(kinds[setting], value):
            raise UsageError(f"{setting} is {short(repr(value))}, expected {IN_WORDS[kinds[setting]]}")
    return TASKS[name](count, **{setting: value for setting, value in settings.items() if value is not None})


def is_a(kind: type, value: Any) -> bool:
    """Return whether a value is of that kind: a whole number is a number, too."""
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    return isinstance(value, kind)
