"""From an environment's observation to its action, over an array namespace: what the agent itself does, without checks.

The functions are the policy's own. They are those of `ACTING` in numpy, and have the same names wherever an agent goes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from baselines_ppo.common.policy.arrays import Array
from baselines_ppo.common.policy.distributions import DiagonalGaussian, Distribution
from baselines_ppo.common.policy.given_arrays import working_dtype
from baselines_ppo.common.policy.observations import (
    BoxObservation,
    DiscreteObservation,
    GroupObservation,
    Leaf,
    MaskedObservation,
    MultiBinaryObservation,
    learned_dtype,
    seen_in,
)
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.policy.spaces.images import ImageObservation
from baselines_ppo.common.policy.spaces.masks import MASK
from baselines_ppo.run.exporting.inputs import in_parts, masks_by, seen_by
from baselines_ppo.run.exporting.masks import allowed, ones_of
from baselines_ppo.run.exporting.names import NEXT_STATE, STATE
from baselines_ppo.run.exporting.outputs import parts_of_action


def act(xp: Any, policy: Policy, parameters: Mapping[str, Array], given: Mapping[str, Array]) -> dict[str, Array]:
    """Return the most likely actions [n, ...], the distribution's parameters [n, ...], and the next memory [n, S].

    Of a Dict or a Tuple of actions, there is an action for each part, and parameters for each.

    Args:
      given: observations and masks [n, ...] and, of a policy with memory, its state [n, S], by the names of the inputs.
    """
    network = policy.network
    states = given.get(STATE, np.zeros((1, 0), np.float32))
    output, states = network.act_alone(xp, parameters, _observations(xp, policy, given), states)
    parts = parts_of_action(network.action, network.action.distribution.from_network(output, parameters))
    results = {part.name: part.action.to_environment(part.action.distribution.mode(part.own, xp), xp) for part in parts}
    for part in parts:
        named = _named(part.action.distribution, part.own)
        results.update({f"{name}{part.suffix}": x for name, x in named.items()})
    return {**results, NEXT_STATE: states} if network.policy_state_size else results


def _observations(xp: Any, policy: Policy, given: Mapping[str, Array]) -> Array:
    """Return observations as networks take them, with what is allowed behind: the same as `Policy.normalize`."""
    space = policy.network.observation
    seen = _seen(xp, policy, given)
    if not isinstance(space, MaskedObservation):
        return seen
    flat = xp.reshape(seen, [-1, math.prod(space.seen.shape)])
    kind = np.uint8 if learned_dtype(space) == np.uint8 else np.float32
    return xp.concatenate([flat, xp.asarray(_allowed(xp, space, given), kind)], axis=-1)


def _allowed(xp: Any, space: MaskedObservation, given: Mapping[str, Array]) -> Array:
    """Return above 0 for each alternative of each choice that is allowed, [n, M]."""
    if space.mask is None:
        return given[MASK]
    first = (masks_by(space) or seen_by(space))[0].input
    ones = ones_of(xp, given[first.name], math.prod(first.shape))
    mask = in_parts(space.mask, iter([given[each.input.name] for each in masks_by(space)]))
    return allowed(xp, space.action, mask, ones)


def _seen(xp: Any, policy: Policy, given: Mapping[str, Array]) -> Array:
    """Return what networks see, [n, D] or [n, H, W, C]."""
    space, arrays = policy.network.observation, seen_by(policy.network.observation)
    working, as_bytes = working_dtype(np.dtype(space.dtype)), learned_dtype(space) == np.uint8
    begin, parts = 0, []
    for each, leaf in arrays:
        x = given[each.name]
        if isinstance(leaf, ImageObservation):
            pixels = leaf.arranged(x, (-1,), xp)
            parts.append(pixels if as_bytes else leaf.scaled(pixels, xp, working))
        else:
            columns = slice(begin, begin + leaf.shape[0])  # among all that is normalised
            parts.append(policy.observations.normalize(_encoded(xp, leaf, x), xp, working, columns))
            begin = columns.stop
    if isinstance(seen_in(space), GroupObservation):
        sizes = [math.prod(each.leaf.shape) for each in arrays]
        flat = [xp.reshape(x, [-1, size]) for x, size in zip(parts, sizes, strict=True)]
        return xp.concatenate(flat, axis=-1)
    return parts[0]


def _encoded(xp: Any, leaf: Leaf, x: Array) -> Array:
    """Return numbers, choices or switches [n, *box] as vectors [n, D]; of choices all at once, by a product."""
    if isinstance(leaf, BoxObservation | MultiBinaryObservation):
        return x if len(leaf.box) == 1 else xp.reshape(x, [-1, *leaf.shape])
    assert not isinstance(leaf, ImageObservation)
    sizes, starts = (
        ((leaf.size,), (leaf.start,)) if isinstance(leaf, DiscreteObservation) else (leaf.sizes, leaf.starts)
    )
    choices = xp.reshape(x, [-1, len(sizes)]) - np.array(starts, np.int64)
    spread = np.repeat(np.eye(len(sizes), dtype=np.float32), sizes, axis=1)  # a column of ones for each place
    places = np.concatenate([np.arange(size, dtype=np.float32) for size in sizes])
    return xp.asarray(xp.asarray(choices, np.float32) @ spread == places, np.float32)


def _named(distribution: Distribution, params: Any) -> dict[str, Array]:
    """Return the distribution's parameters, one row per observation, by name."""
    if isinstance(distribution, DiagonalGaussian):
        return {"mean": params.mean, "log_std": params.mean * np.float32(0.0) + params.log_std}  # a copy for each row
    return {"logits": params}
