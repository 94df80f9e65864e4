"""What a return is compared with: the threshold that an environment is registered with, and a random agent's return."""

from __future__ import annotations

import functools
import math
from contextlib import suppress

import gymnasium
import numpy as np

from baselines_ppo.common.envs.episodes import MOST_STEPS
from baselines_ppo.common.envs.foreign import named, pass_on
from baselines_ppo.common.envs.make import explained, make_environment, registered
from baselines_ppo.common.envs.masking import told_mask
from baselines_ppo.common.envs.stored import is_safe_id, stored_environment
from baselines_ppo.common.failures import DataError, Failure, UsageError, short
from baselines_ppo.common.policy.spaces.masks import random_action
from baselines_ppo.common.seeding import Purpose, episode_seed
from baselines_ppo.experiments.runs import Run

REGISTERED = "registered"  # means the threshold that an environment is registered with
RANDOM_EPISODES = 100


def reward_threshold(env_id: str) -> float | None:
    """Return the return at which an environment counts as solved, None where it has none or is not known here."""
    if not is_safe_id(env_id):  # finding it would import a module that a file names
        return None
    with suppress(UsageError), explained(env_id):
        threshold = gymnasium.spec(registered(env_id)).reward_threshold
        return None if threshold is None else float(threshold)
    return None


def threshold_for(env_id: str, given: float | str | None) -> float | None:
    """Return the threshold of an environment: the one that is given, or "registered"; None where there is none.

    Raises:
      UsageError: what is given is no return.
    """
    if given is None or given == REGISTERED:
        return None if given is None else reward_threshold(env_id)
    with suppress(TypeError, ValueError):
        if math.isfinite(value := float(given)):
            return value
    raise UsageError(f"--threshold is {short(given)}, expected a return, {REGISTERED} or none")


def random_return(run: Run) -> float:
    """Return the mean return of an agent that draws allowed actions from the action space of a run's environment.

    It plays 100 episodes whose seeds are neither those of a training nor of an evaluation. What was measured is kept
    until the program ends.

    Raises:
      ModuleNotNamed: the environment is of a module, whose import would run code.
      UsageError: it cannot be made.
      DataError: it raised.
    """
    fields = run.fields
    return _measured(run.env, tuple(fields.get("wrapper", ())), str(fields.get("env_kwargs", "")))


@functools.cache
def _measured(env_id: str, wrappers: tuple[str, ...], env_kwargs: str) -> float:
    spec = stored_environment(env_id, wrappers, env_kwargs)
    environment = make_environment(spec)
    try:
        return float(np.mean([_played(environment, episode) for episode in range(RANDOM_EPISODES)]))
    except Failure:
        raise
    except BaseException as error:
        pass_on(error)
        raise DataError(f"env {env_id}, with random actions: {named(error)}") from None
    finally:
        environment.close()


def _played(environment: gymnasium.Env, episode: int) -> float:
    """Return the return of one episode."""
    seed = episode_seed(0, 2, episode, Purpose.EVALUATION)  # not what the environment draws
    environment.action_space.seed(seed)
    rng = np.random.default_rng(seed)
    begin = episode_seed(0, 1, episode, Purpose.EVALUATION)  # `evaluate` has the environment 0
    observation, info = environment.reset(seed=begin)
    total = 0.0
    for _ in range(MOST_STEPS):
        action = random_action(environment.action_space, told_mask(observation, info), rng)
        observation, reward, terminated, truncated, info = environment.step(action)
        total += float(reward)
        if terminated or truncated:
            break
    return total
