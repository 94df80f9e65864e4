"""Environments: robots that walk, chase flags and stand up again, in the spirit of Roboschool, on MuJoCo.

Importing this registers them with Gymnasium, so that `gymnasium.make("baselines_ppo.zoo:RoboAnt-v1")` and
`gymnasium.make_vec("baselines_ppo.zoo:RoboAnt-v1", num_envs=16)` work in any process.
"""

from __future__ import annotations

import sys
from typing import Any

import gymnasium

# By name: the steps of an episode, and the return at which Roboschool's counted as solved, if it had one.
REGISTERED: dict[str, tuple[int, float | None]] = {
    "InvertedPendulum": (1000, 950.0),
    "InvertedPendulumSwingup": (1000, 800.0),
    "InvertedDoublePendulum": (1000, 9100.0),
    "Reacher": (150, 18.0),
    "Hopper": (1000, 2500.0),
    "Walker2d": (1000, 2500.0),
    "HalfCheetah": (1000, 3000.0),
    "Ant": (1000, 2500.0),
    "Humanoid": (1000, 3500.0),
    "HumanoidFlagrun": (1000, 2000.0),
    "HumanoidFlagrunHarder": (1000, None),
    "AtlasForwardWalk": (1000, None),
    "Pong": (1000, None),
    "PongDuel": (1000, None),
}

# Keywords of tasks and of what kind their values are, as their constructors take them.
SETTINGS: dict[str, dict[str, type]] = {
    "HumanoidFlagrunHarder": {"start": str, "fallen": bool, "strength": float, "turning": float, "lying_cost": float},
    "PongDuel": {"opponent": str},
}
# How episodes of a task can start.
STARTS: dict[str, tuple[str, ...]] = {"HumanoidFlagrunHarder": ("upright", "face_down", "face_up", "fallen")}


def starts_of(env_id: str) -> tuple[str, ...]:
    """Return how episodes of an environment can start, where that can be chosen."""
    by_id = {f"Robo{task}-v1": starts for task, starts in STARTS.items()}
    return by_id.get(env_id.rpartition(":")[2], ())


def is_own(environment: gymnasium.Env[Any, Any]) -> bool:
    """Return whether this is one of ours; others are told without loading what ours need, such as a new MuJoCo."""
    loaded: Any = sys.modules.get("baselines_ppo.zoo.vector_env")
    return loaded is not None and isinstance(environment.unwrapped, loaded.RobotEnv)


def _register() -> None:
    for name, (steps, threshold) in REGISTERED.items():
        gymnasium.register(
            f"Robo{name}-v1",
            entry_point="baselines_ppo.zoo.vector_env:RobotEnv",
            vector_entry_point="baselines_ppo.zoo.vector_env:RobotVectorEnv",
            reward_threshold=threshold,
            max_episode_steps=steps,
            kwargs={"task": name},
        )


_register()
