"""Agents that have learned nothing, as files: what they see and do is of the right shape, and no more."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.policy.actions import action_of
from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.networks import NetworkSettings
from baselines_ppo.common.policy.observations import observation_of
from baselines_ppo.common.policy.policy import Policy


def untrained(folder: Path, env_id: str, wrappers: tuple[str, ...] = ()) -> Path:
    """Write an agent for an environment into a folder; returns its path."""
    environment = make_environment(EnvironmentSpec(env_id, wrappers))
    settings = NetworkSettings("mlp", (8,), "tanh", 0)
    observation = observation_of(environment.observation_space, env_id)
    network = ActorCritic(observation, action_of(environment.action_space, env_id), settings, settings)
    environment.close()
    parameters = network.initial_parameters(np.random.default_rng(0), 0.0)
    policy = Policy(network, parameters, 10.0)
    arrays = {"parameters": parameters}
    for name, normalizer in (("observations", policy.observations), ("value_targets", policy.value_targets)):
        arrays |= {f"{name}/{key}": np.asarray(x) for key, x in normalizer.state().items()}
    manifest = {"env": env_id, "wrapper": list(wrappers), "policy": network.to_json(), "clip_observations": 10.0}
    return checkpoint.save(folder, env_id.replace("/", "-"), manifest, arrays)
