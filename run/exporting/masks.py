"""Masks of actions over an array namespace: the same as `encoded_mask`, in numbers of the networks' type."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from baselines_ppo.common.policy.actions import Action, GroupAction, MultiBinaryAction
from baselines_ppo.common.policy.arrays import Array


def allowed(xp: Any, action: Action, mask: Any, ones: Array) -> Array:
    """Return what is allowed, [n, M] float32: above 0 for each alternative of each choice that is.

    Args:
      mask: arrays [n, ...] in the parts that the environment has them in.
      ones: [n, 1] float32.
    """
    return xp.concatenate(list(_columns(xp, action, mask, ones)), axis=-1)


def ones_of(xp: Any, x: Array, size: int) -> Array:
    """Return [n, 1] float32 of ones, for any array of n rows with so many numbers each."""
    first = xp.reshape(xp.asarray(x, np.float32), [-1, size])[:, :1]
    one = np.ones((1, 1), np.float32)
    return xp.where(first > np.float32(0.0), one, one)  # even where it is NaN


def _columns(xp: Any, action: Action, mask: Any, ones: Array) -> Iterator[Array]:
    sizes = action.distribution.choice_sizes
    if not sizes:
        return
    if mask is None:
        yield ones * np.ones((1, sum(sizes)), np.float32)
    elif isinstance(action, GroupAction) and isinstance(mask, Mapping | tuple):
        names = action.names or ()
        given = [mask.get(name) for name in names] if isinstance(mask, Mapping) else mask
        for part, own in zip(action.parts, given, strict=True):
            yield from _columns(xp, part, own, ones)
    elif isinstance(mask, tuple):
        for choice in mask:  # of a MultiDiscrete, by its dimensions
            yield from _columns_of_choices(xp, choice)
    elif isinstance(action, MultiBinaryAction):
        yield _switches(xp, xp.asarray(xp.reshape(mask, [-1, math.prod(action.shape)]), np.float32))
    else:
        yield xp.asarray(mask, np.float32)


def _columns_of_choices(xp: Any, mask: Any) -> Iterator[Array]:
    if isinstance(mask, tuple):
        for inner in mask:
            yield from _columns_of_choices(xp, inner)
    else:
        yield xp.asarray(mask, np.float32)


def _switches(xp: Any, x: Array) -> Array:
    """Return whether off is allowed, and on, [n, 2 * size], of switches [n, size]: 0 off, 1 on, 2 either."""
    off, on = xp.abs(x - np.float32(1.0)), x  # of each, 0 where it is forbidden
    return xp.reshape(xp.concatenate([off[..., None], on[..., None]], axis=-1), [-1, 2 * x.shape[-1]])
