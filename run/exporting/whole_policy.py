"""From an environment's observation to its action, over an array namespace: what acting does outside the networks too.

The namespace is that of networks with four functions more: `argmax` over the last axis, `rint`, `transpose`, and
`difference`, which subtracts float64 from numbers whose working dtype is float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from baselines_ppo.common.policy.actions import (
    BoxAction,
    DiscreteAction,
    IntegerBoxAction,
    MultiDiscreteAction,
    Single,
)
from baselines_ppo.common.policy.arrays import Array
from baselines_ppo.common.policy.distributions import Categorical, DiagonalGaussian, Distribution, MultiCategorical
from baselines_ppo.common.policy.given_arrays import working_dtype
from baselines_ppo.common.policy.normalizer import Normalizer
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


def act(
    xp: Any, policy: Policy, parameters: Mapping[str, Array], given: Mapping[str, Array], wide: np.dtype
) -> dict[str, Array]:
    """Return the most likely actions [n, ...], the distribution's parameters [n, ...], and the next memory [n, S].

    Of a Dict or a Tuple of actions, there is an action for each part, and parameters for each.

    Args:
      given: observations and masks [n, ...] and, of a policy with memory, its state [n, S], by the names of the inputs.
      wide: the type in which float64 is computed: float64, or float32 where a runtime has no other.
    """
    network = policy.network
    states = given.get(STATE, np.zeros((1, 0), np.float32))
    output, states = network.act_alone(xp, parameters, _observations(xp, policy, given, wide), states)
    parts = parts_of_action(network.action, network.action.distribution.from_network(output, parameters))
    results = {}
    for part in parts:
        chosen = _mode(xp, part.action.distribution, part.own)
        results[part.name] = _to_environment(xp, part.action, chosen, wide)
    for part in parts:
        named = _named(part.action.distribution, part.own)
        results.update({f"{name}{part.suffix}": x for name, x in named.items()})
    return {**results, NEXT_STATE: states} if network.policy_state_size else results


def _observations(xp: Any, policy: Policy, given: Mapping[str, Array], wide: np.dtype) -> Array:
    """Return observations as networks take them, with what is allowed behind: the same as `Policy.normalize`."""
    space = policy.network.observation
    seen = _seen(xp, policy, given, wide)
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


def _seen(xp: Any, policy: Policy, given: Mapping[str, Array], wide: np.dtype) -> Array:
    """Return what networks see, [n, D] or [n, H, W, C]."""
    space, arrays = policy.network.observation, seen_by(policy.network.observation)
    working, as_bytes = working_dtype(np.dtype(space.dtype)), learned_dtype(space) == np.uint8
    begin, parts = 0, []
    for each, leaf in arrays:
        x = given[each.name]
        if isinstance(leaf, ImageObservation):
            pixels = _arranged(xp, leaf, x)
            parts.append(pixels if as_bytes else _scaled(xp, leaf, pixels, _at_most(working, wide)))
        else:
            columns = slice(begin, begin + leaf.shape[0])  # among all that is normalised
            parts.append(_normalized(xp, policy.observations, columns, _encoded(xp, leaf, x), working, wide))
            begin = columns.stop
    if isinstance(seen_in(space), GroupObservation):
        sizes = [math.prod(each.leaf.shape) for each in arrays]
        flat = [xp.reshape(x, [-1, size]) for x, size in zip(parts, sizes, strict=True)]
        return xp.concatenate(flat, axis=-1)
    return parts[0]


def _normalized(xp: Any, normalizer: Normalizer, columns: slice, x: Array, working: np.dtype, wide: np.dtype) -> Array:
    """Return numbers [n, D] as float32, normalised by these columns of the statistics; see `Normalizer.normalize`."""
    mean, inverse_std = (constants[columns] for constants in normalizer.constants(working))
    kept = _at_most(working, wide)
    centred = xp.difference(x, mean) if working == np.float64 else xp.asarray(x, working) - mean
    y = centred * inverse_std.astype(kept)
    if normalizer.clip is not None:
        limit = kept.type(normalizer.clip)
        y = xp.maximum(xp.minimum(y, limit), -limit)
    return xp.asarray(y, np.float32)


def _at_most(dtype: np.dtype, wide: np.dtype) -> np.dtype:
    return wide if dtype == np.float64 else dtype


def _encoded(xp: Any, leaf: Leaf, x: Array) -> Array:
    """Return numbers, choices or switches [n, *box] as vectors [n, D]."""
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


def _arranged(xp: Any, leaf: ImageObservation, x: Array) -> Array:
    """Return images [n, *box] as [n, H, W, C]."""
    if leaf.box == leaf.shape:
        return x
    seen = (leaf.rows + 1, leaf.rows + 2)
    others = [axis for axis in range(1, len(leaf.box) + 1) if axis not in seen]
    return xp.reshape(xp.transpose(x, [0, *seen, *others]), [-1, *leaf.shape])


def _scaled(xp: Any, leaf: ImageObservation, pixels: Array, working: np.dtype) -> Array:
    """Return pixels as float32, 0 for black and 1 for white; the same as `ImageObservation.scaled`."""
    if (leaf.low, leaf.high) == (0.0, 1.0):
        return xp.asarray(pixels, np.float32)
    low, factor = (working.type(x) for x in (leaf.low, 1.0 / (leaf.high - leaf.low)))
    return xp.asarray((xp.asarray(pixels, working) - low) * factor, np.float32)


def _mode(xp: Any, distribution: Distribution, params: Any) -> Array:
    """Return the most likely actions of the policy; the same as the distribution's own `mode`."""
    if isinstance(distribution, DiagonalGaussian):
        return params.mean
    if isinstance(distribution, Categorical):
        return xp.argmax(params)
    if isinstance(distribution, MultiCategorical):
        chosen = [xp.argmax(logits) for _, logits in distribution.choices(params)]
        return xp.concatenate([choice[:, None] for choice in chosen], axis=-1)
    return xp.asarray(params > np.float32(0.0), np.int64)


def _named(distribution: Distribution, params: Any) -> dict[str, Array]:
    """Return the distribution's parameters, one row per observation, by name."""
    if isinstance(distribution, DiagonalGaussian):
        return {"mean": params.mean, "log_std": params.mean * np.float32(0.0) + params.log_std}  # a copy for each row
    return {"logits": params}


def _to_environment(xp: Any, action: Single, chosen: Array, wide: np.dtype) -> Array:
    """Return environment actions [n, *shape]; the same as the action's own `to_environment`."""
    if isinstance(action, DiscreteAction):
        return xp.asarray(chosen + np.int64(action.start), np.dtype(action.dtype or np.int64))
    if isinstance(action, BoxAction):
        flat = _floats(xp, action, chosen, wide)
    elif isinstance(action, IntegerBoxAction):
        flat = _whole_numbers(xp, action, chosen, wide)
    elif isinstance(action, MultiDiscreteAction):
        flat = xp.asarray(chosen + np.array(action.starts, np.int64), np.dtype(action.dtype or np.int64))
    else:
        flat = xp.asarray(chosen, np.int8)
    return flat if len(action.shape) == 1 else xp.reshape(flat, [-1, *action.shape])


def _floats(xp: Any, action: BoxAction, chosen: Array, wide: np.dtype) -> Array:
    kind = _at_most(action.mapping[0].dtype, wide)
    least, most, half, middle, low, high = (x.astype(kind) for x in action.mapping)
    x = xp.maximum(xp.minimum(xp.asarray(chosen, kind), most), least)
    if action.maps:
        x = xp.maximum(xp.minimum(x * half + middle, high), low)  # rounding may have left the bounds
    return xp.asarray(x, np.dtype(action.dtype or np.float32))


def _whole_numbers(xp: Any, action: IntegerBoxAction, chosen: Array, wide: np.dtype) -> Array:
    most, half, shift = action.mapping.astype(wide)
    first, last = action.extent
    centres = np.array(action.centres, object) % 2**64
    clipped = xp.asarray(xp.maximum(xp.minimum(chosen, most.astype(np.float32)), -most.astype(np.float32)), wide)
    steps = xp.rint(clipped * half + shift)
    fitting = np.nextafter(wide.type(2.0**63), wide.type(0.0))  # beyond, it would be no int64
    inner = xp.asarray(xp.maximum(xp.minimum(steps, fitting), -fitting), np.int64)
    inner = xp.maximum(xp.minimum(inner, last), first)
    ends = xp.where(clipped > wide.type(0.0), last, first)  # float64 has not all whole numbers near the bounds
    from_centre = xp.where(xp.abs(clipped) < most, inner, ends)
    return xp.asarray(from_centre + centres.astype(np.uint64).view(np.int64), np.dtype(action.dtype))  # modulo 2**64
