"""Agents to be exported, what they see, and what they themselves do then."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space

from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.moments import Moments
from baselines_ppo.common.policy.actions import action_of
from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.networks import NetworkSettings
from baselines_ppo.common.policy.observations import observation_of
from baselines_ppo.common.policy.policy import Policy

OBSERVATIONS, VISITED = 1000, 100  # of each pretrained agent

Named = dict[str, np.ndarray]


class Case(NamedTuple):
    """Steps that an agent makes in rows of its own."""

    given: Named  # by the names of the inputs, [T, n, ...]
    expected: Named  # by the names of the outputs, [T, n, ...]


def random_agent(
    folder: Path,
    name: str,
    seen: spaces.Space[Any],
    done: spaces.Space[Any],
    network: str = "mlp",
    shared: bool = False,
    scale: float = 0.3,
) -> Path:
    """Write an agent whose parameters and statistics are drawn; returns its folder."""
    rng, settings = np.random.default_rng(len(name)), NetworkSettings(network, (8,), "elu", 5)
    wiring = ActorCritic(observation_of(seen, name), action_of(done, name), settings, None if shared else settings)
    parameters = (scale * rng.standard_normal(wiring.layout.size)).astype(np.float32)
    policy = Policy(wiring, parameters, 5.0)
    shape = policy.observations.moments.mean.shape
    if policy.normalizes:
        policy.observations.moments = Moments(rng.normal(0, 0.5, shape), rng.uniform(0.5, 2.0, shape), 100.0)
    arrays = {"parameters": parameters}
    for kind, normalizer in (("observations", policy.observations), ("value_targets", policy.value_targets)):
        arrays |= {f"{kind}/{key}": np.asarray(x) for key, x in normalizer.state().items()}
    manifest = {"env": name, "wrapper": [], "policy": wiring.to_json(), "clip_observations": 5.0}
    return checkpoint.save(folder, name, manifest, arrays)


def drawn(agent: Agent, space: spaces.Space[Any], steps: int, rows: int) -> Case:
    """Return what an agent does with observations that are drawn from a space."""
    batches = batch_space(space, rows)
    batches.seed(0)
    return acted(agent, [batches.sample() for _ in range(steps)])


def visited(agent: Agent, name: str) -> Case:
    """Return what an agent does with observations of its own environment, and with others that are near them."""
    environment = gymnasium.make(f"{'baselines_ppo.zoo:' * name.startswith('Robo')}{name}")
    seen, ended = [], True
    for k in range(VISITED):
        if ended:
            observation, _ = environment.reset(seed=k)
        seen.append(observation)
        observation, _, terminated, truncated, _ = environment.step(agent.act(observation))
        ended = terminated or truncated
    environment.close()
    near = np.tile(seen, (OBSERVATIONS // VISITED, 1))
    noise = np.random.default_rng(0).standard_normal(near.shape) * np.sqrt(agent.policy.observations.moments.variance)
    noise[:VISITED] = 0.0
    return acted(agent, [(near + 0.3 * noise).astype(near.dtype)])


def acted(agent: Agent, batches: list[Any]) -> Case:
    """Return what an agent does with batches [n, ...], one after the other."""
    agent.reset()
    steps: list[tuple[Named, Named]] = []
    for batch in batches:
        before = agent._states
        action = agent.act(batch)
        states = before if len(before) else agent.policy.initial_states(len(action))
        outputs, _, _ = agent.policy._act(agent.policy.normalize(agent._encoded(batch)), states)
        params: Any = agent.policy.distribution.per_row(agent.policy.params(outputs))
        names = params._asdict() if hasattr(params, "_asdict") else {"logits": params}
        steps.append((named(batch), {"action": action, **names}))
    given, expected = (
        {name: np.stack([step[name] for step in column]) for name in column[0]} for column in zip(*steps, strict=True)
    )
    return Case(given, expected)


def named(batch: Any, name: str = "observation") -> Named:
    """Return the arrays of a batch of observations under the names of their inputs."""
    if isinstance(batch, Mapping):
        return {key: x for part in batch for key, x in named(batch[part], f"{name}_{part}").items()}
    if isinstance(batch, tuple):
        return {key: x for k, part in enumerate(batch) for key, x in named(part, f"{name}_{k}").items()}
    return {name.replace(" ", "_"): batch}
