"""Masks: which of the alternatives of an action are allowed, as environments say it and as one array.

An environment says it in the form in which Gymnasium's spaces take it: `action_space.sample(mask)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from baselines_ppo.common.policy.actions import (
    Action,
    GroupAction,
    MultiBinaryAction,
    MultiDiscreteAction,
    action_of,
    one_of,
)
from baselines_ppo.common.policy.distributions import at_first
from baselines_ppo.common.policy.given_arrays import array_of, named

MASK = "action_mask"  # its name in an `info`, and among the parts of a Dict
EITHER = 2  # in the mask of a switch: it may be 0 or 1; 0 and 1 themselves say that it must be that
MASK_LIMITS = np.array(0, np.int8), np.array(EITHER, np.int8)
ONE_OR_ZERO = np.dtype(np.bool_)


def encoded_mask(action: Action, mask: Any, lead: tuple[int, ...] = ()) -> np.ndarray:
    """Return what is allowed, [*lead, M] bool: the alternatives of each choice, one choice behind the other.

    Args:
      mask: None: everything is allowed. By the kind of the action space:
        Discrete: [*lead, n], 1 where an action is allowed.
        MultiDiscrete: a tuple with such a mask for each choice, or one array of them all, one behind the other.
        MultiBinary: [*lead, *shape]; 0 or 1: the switch must be that; 2: it may be either.
        Dict, Tuple: a mask for each part, by its name or its place.

    Raises:
      ValueError: it is of another shape, or has other numbers.
    """
    size = sum(action.distribution.choice_sizes)
    if mask is None or not size:
        return np.ones((*lead, size), np.bool_)
    if isinstance(action, GroupAction) and isinstance(mask, Mapping | tuple):
        return action.joined(_given(action, mask), lambda part, own: encoded_mask(part, own, lead))
    if isinstance(action, MultiBinaryAction):
        switches = array_of(mask, (*lead, *action.shape), np.dtype(np.int8), MASK_LIMITS)
        return np.stack([switches != 1, switches != 0], axis=-1).reshape(*lead, size)
    if isinstance(action, MultiDiscreteAction) and isinstance(mask, tuple):
        own = list(_flat(mask))
        if len(own) != len(action.sizes):
            raise ValueError(f"a tuple of {len(own)} masks, expected {len(action.sizes)}, one for each choice")
        each = zip(own, action.sizes, strict=True)
        return np.concatenate([array_of(part, (*lead, n), ONE_OR_ZERO) for part, n in each], axis=-1)
    return array_of(mask, (*lead, size), ONE_OR_ZERO)


def nothing_allowed(action: Action, allowed: np.ndarray) -> tuple[int, str] | None:
    """Return the first row of masks [n, M] in which a choice has no alternative, and this in words; or None."""
    sizes = action.distribution.choice_sizes
    begins = np.cumsum((0, *sizes[:-1]))
    choices = np.logical_or.reduceat(allowed > 0, begins, axis=-1)
    if choices.all():
        return None
    row, choice = (int(place) for place in np.argwhere(~choices)[0])
    of = f" for choice {choice + 1} of {len(sizes)}" if len(sizes) > 1 else ""
    return row, f"the {MASK} allows nothing{of}"


def untrained_actions(action: Action, noise: np.ndarray | None, allowed: np.ndarray | None) -> np.ndarray:
    """Return environment actions [n, ...] of a network whose outputs are 0: all that is allowed is alike to it.

    Args:
      noise: from which they are drawn, [n, network_size]; None: the most likely ones, of choices the first.
      allowed: [n, M] bool; None: everything, for as many rows as there is noise for.
    """
    distribution, given = action.distribution, noise if allowed is None else allowed
    outputs = np.zeros((0 if given is None else len(given), distribution.network_size), np.float32)
    if allowed is not None:
        outputs = distribution.forbid(np, outputs, allowed)
    params = distribution.from_network(outputs, at_first(distribution))
    return action.to_environment(distribution.mode(params) if noise is None else distribution.sample(params, noise))


def random_action(space: Any, mask: Any, rng: np.random.Generator) -> Any:
    """Return one of a space's actions, drawn among what a mask allows; without a mask from the space's own stream."""
    if mask is None:
        return space.sample()
    action = action_of(space, "of a random agent")
    allowed = encoded_mask(action, mask)[None]
    return one_of(action, untrained_actions(action, action.distribution.noise(rng, 1), allowed), 0)


def _given(action: GroupAction, mask: Any) -> list[Any]:
    """Return the masks of a group's parts, None where there is none."""
    if action.names is None:
        if not isinstance(mask, tuple) or len(mask) != len(action.parts):
            given = f"a tuple of {len(mask)}" if isinstance(mask, tuple) else named(mask)
            raise ValueError(f"{given}, expected a tuple of {len(action.parts)} masks, None where all is allowed")
        return list(mask)
    if not isinstance(mask, Mapping) or not set(mask) <= set(action.names):
        raise ValueError(f"{named(mask)}, expected a dict of masks of {', '.join(action.names)}")
    return [mask.get(name) for name in action.names]


def _flat(masks: tuple[Any, ...]) -> Iterator[Any]:
    """Yield the masks of nested tuples, as a MultiDiscrete of several dimensions has them."""
    for mask in masks:
        yield from _flat(mask) if isinstance(mask, tuple) else (mask,)
