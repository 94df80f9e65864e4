"""How fast the simulator and the environments are alone, with random actions."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.envs.masking import told_mask
from baselines_ppo.common.envs.vec_env import VecEnv
from baselines_ppo.common.policy.observations import MaskedObservation, mask_of
from baselines_ppo.common.policy.spaces.masks import random_action, untrained_actions
from baselines_ppo.zoo import is_own

if TYPE_CHECKING:
    from baselines_ppo.zoo.vector_env import RobotVectorEnv

SIMULATED, TOGETHER = 1_000, 150  # steps of the simulator that are timed; at least so many of all environments as one


def simulator_rate(env: str, count: int) -> float:
    """Return steps per second of nothing but the simulator on this rank: MuJoCo's own, or else Gymnasium's `step`.

    MuJoCo repeats the trajectories of random actions, without observations, rewards and resets. Of other environments
    the calls of `step` are timed: neither resets nor the drawing of actions.

    Args:
      count: environments that are stepped as one, where they can be.
    """
    with closing(make_environment(EnvironmentSpec(env))) as environment:
        inner: Any = environment.unwrapped
        if is_own(environment) and inner.vector.task.simulation.model.nu:
            from baselines_ppo.zoo.vector_env import RobotVectorEnv

            return batch_rate(RobotVectorEnv(inner.task, count))
        return SIMULATED / seconds_alone(environment)


def seconds_alone(environment: gymnasium.Env[Any, Any]) -> float:
    """Return the seconds that the simulator alone takes for steps with random actions; see `simulator_rate`."""
    environment.action_space.seed(0)
    inner: Any = environment.unwrapped
    simulated = hasattr(inner, "model") and hasattr(inner, "frame_skip")
    actions: list[Any] = []
    begins: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    rng, ended, seconds = np.random.default_rng(0), True, 0.0
    for step in range(SIMULATED):
        if ended:
            observation, info = environment.reset(seed=step)
            if simulated:
                begins[step] = inner.data.qpos.copy(), inner.data.qvel.copy()
        actions.append(random_action(environment.action_space, told_mask(observation, info), rng))
        begun = time.perf_counter()
        observation, _, terminated, truncated, info = environment.step(actions[-1])
        seconds += time.perf_counter() - begun
        ended = terminated or truncated
    return repeated(inner, actions, begins) if simulated else seconds


def repeated(inner: Any, actions: list[Any], begins: dict[int, tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the seconds that MuJoCo alone takes for these actions and beginnings of episodes."""
    import mujoco

    seconds, last = 0.0, time.perf_counter()
    for step, action in enumerate(actions):
        if step in begins:
            seconds += time.perf_counter() - last
            mujoco.mj_resetData(inner.model, inner.data)
            inner.set_state(*begins[step])
            last = time.perf_counter()
        inner.data.ctrl[:] = action
        mujoco.mj_step(inner.model, inner.data, nstep=inner.frame_skip)
    return seconds + time.perf_counter() - last


def batch_rate(envs: RobotVectorEnv) -> float:
    """Return steps per second of nothing but MuJoCo, for environments of the zoo that are stepped as one."""
    simulation, rng = envs.task.simulation, np.random.default_rng(0)
    envs.reset(seed=0)
    states = []
    for _ in range(max(SIMULATED // envs.num_envs, TOGETHER)):
        envs.step(rng.uniform(-1, 1, (envs.num_envs, envs.task.action_size)))
        states.append(simulation.state.copy())
    seconds = 0.0
    for state in states:
        simulation.state[:] = state
        seconds += timed(simulation.step)
    return len(states) * envs.num_envs / seconds


def environments_rate(envs: VecEnv) -> float:
    """Return this rank's steps per second of its environments with random actions, as training steps them.

    Resets are a part of it, the drawing of actions is not.
    """
    rng, mask = np.random.default_rng(0), mask_of(envs.observation)
    masked = isinstance(envs.observation, MaskedObservation)
    count = max(SIMULATED // len(envs), TOGETHER)
    noise = envs.action.distribution.noise(rng, count * len(envs))
    seconds = 0.0
    for k in range(count):
        rows = noise[k * len(envs) : (k + 1) * len(envs)]
        actions = untrained_actions(envs.action, rows, envs.observations[:, mask] > 0 if masked else None)
        seconds += timed(partial(envs.step, actions))
    return count * len(envs) / seconds


def timed(function: Callable[[], object]) -> float:
    """Return the seconds that a function takes."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun
