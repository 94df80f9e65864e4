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
from baselines_ppo.common.policy.actions import Action, GroupAction, action_of
from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.distributions import GaussianParams
from baselines_ppo.common.policy.networks import NetworkSettings
from baselines_ppo.common.policy.observations import mask_of, observation_of
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.policy.spaces.masks import MASK

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
    masks_in_info: bool = False,
) -> Path:
    """Write an agent whose parameters and statistics are drawn; returns its folder."""
    rng, settings = np.random.default_rng(len(name)), NetworkSettings(network, (8,), "elu", 5)
    action = action_of(done, name)
    observation = observation_of(seen, name, action=action, masks_in_info=masks_in_info)
    wiring = ActorCritic(observation, action, settings, None if shared else settings)
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


def drawn(
    agent: Agent, space: spaces.Space[Any], done: spaces.Space[Any], steps: int, rows: int, masks_in_info: bool = False
) -> Case:
    """Return what an agent does with observations that are drawn from a space, and with masks that allow something."""
    batches, rng = batch_space(space, rows), np.random.default_rng(0)
    batches.seed(0)
    observations = [batches.sample() for _ in range(steps)]
    if masks_in_info:
        return acted(agent, observations, [drawn_mask(done, rng, rows) for _ in observations])
    if isinstance(space, spaces.Dict) and MASK in space.spaces:
        for observation in observations:
            observation[MASK] = in_type(drawn_mask(done, rng, rows), observation[MASK])
    return acted(agent, observations)


def drawn_mask(done: spaces.Space[Any], rng: np.random.Generator, rows: int) -> Any:
    """Return masks [rows, ...] of actions as an environment has them; of Boxes none."""
    if isinstance(done, spaces.Dict):
        masks = {name: drawn_mask(part, rng, rows) for name, part in done.spaces.items()}
        return {name: mask for name, mask in masks.items() if mask is not None}
    if isinstance(done, spaces.Tuple):
        return tuple(drawn_mask(part, rng, rows) for part in done.spaces)
    if isinstance(done, spaces.Discrete | spaces.MultiDiscrete):
        sizes = [int(done.n)] if isinstance(done, spaces.Discrete) else done.nvec.ravel().tolist()
        choices = [rng.integers(0, 2, (rows, size), np.int8) for size in sizes]
        for mask in choices:
            mask[np.arange(rows), rng.integers(0, mask.shape[1], rows)] = 1
        return np.concatenate(choices, axis=-1)
    return rng.integers(0, 3, (rows, *done.shape), np.int8) if isinstance(done, spaces.MultiBinary) else None


def in_type(mask: Any, like: Any) -> Any:
    """Return masks in the types that a space has, and those of its parts that it has."""
    if isinstance(like, Mapping):
        return {name: in_type(mask[name], part) for name, part in like.items()}
    if isinstance(like, tuple):
        apart = (
            np.split(mask, np.cumsum([x.shape[-1] for x in like])[:-1], -1) if isinstance(mask, np.ndarray) else mask
        )
        return tuple(in_type(own, part) for own, part in zip(apart, like, strict=True))
    return like if mask is None else mask.astype(like.dtype)


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


def acted(agent: Agent, batches: list[Any], masks: list[Any] | None = None) -> Case:
    """Return what an agent does with batches [n, ...], one after the other, and with masks that come beside them."""
    agent.reset()
    steps: list[tuple[Named, Named]] = []
    policy = agent.policy
    for batch, mask in zip(batches, masks or [None] * len(batches), strict=True):
        before = agent._states
        action = agent.act(batch, mask=mask)
        given, encoded = named(batch), agent._encoded(agent._with_mask(batch, mask))
        if mask is not None:
            given["action_mask"] = encoded[..., mask_of(policy.network.observation)].astype(np.int8)
        states = before if len(before) else policy.initial_states(len(encoded))
        outputs, _, _ = policy._act(policy.normalize(encoded), states)
        params: Any = policy.distribution.per_row(policy.params(outputs))
        steps.append((given, named(action, "action") | parameters(policy.network.action, params)))
    given, expected = (
        {name: np.stack([step[name] for step in column]) for name in column[0]} for column in zip(*steps, strict=True)
    )
    return Case(given, expected)


def parameters(action: Action, params: Any, part: str = "") -> Named:
    """Return the parameters of an action's distribution under the names of their outputs."""
    if isinstance(action, GroupAction):
        keys = range(len(action.parts)) if action.names is None else action.names
        inner = zip(keys, action.parts, params, strict=True)
        return {name: x for key, part_of, own in inner for name, x in parameters(part_of, own, f"{part}_{key}").items()}
    own = params._asdict() if isinstance(params, GaussianParams) else {"logits": params}
    return {f"{name}{part}".replace(" ", "_"): x for name, x in own.items()}


def named(batch: Any, name: str = "observation") -> Named:
    """Return the arrays of a batch of observations or actions under the names of their inputs or outputs."""
    if isinstance(batch, Mapping):
        return {key: x for part in batch for key, x in named(batch[part], f"{name}_{part}").items()}
    if isinstance(batch, tuple):
        return {key: x for k, part in enumerate(batch) for key, x in named(part, f"{name}_{k}").items()}
    return {name.replace(" ", "_"): batch}
