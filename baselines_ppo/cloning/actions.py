"""From the environment's actions back to the policy's: the inverse of what is done before they are sent."""

from __future__ import annotations

from typing import Any

import numpy as np

from baselines_ppo.common.policy.actions import (
    Action,
    DiscreteAction,
    GroupAction,
    MultiBinaryAction,
    MultiDiscreteAction,
)
from baselines_ppo.common.policy.given_arrays import array_of, named, unlearnable
from baselines_ppo.common.policy.spaces.box_actions import BoxAction, IntegerBoxAction


def to_policy(action: Action, given: Any, count: int) -> np.ndarray:
    """Return environment actions [n, *shape] as the policy's [n, ...], the inverse of `to_environment`.

    What is at a bound, or beyond it, is at a bound of the policy. Of a Dict or a Tuple of actions [n, ...], the numbers
    of all parts become one vector, as the policy draws them.

    Raises:
      ValueError: they are of another shape, numbers that cannot be learned from, or not of the space.
    """
    if isinstance(action, GroupAction):
        return action.joined(
            _given(action, given), lambda part, own: to_policy(part, own, count).reshape(count, -1).astype(np.float32)
        )
    if isinstance(action, BoxAction | IntegerBoxAction):
        return _numbers(action, given, count)
    shape = () if isinstance(action, DiscreteAction) else action.shape
    actions = array_of(given, (count, *shape), np.dtype(np.int64))
    first, sizes = _choices(action)
    choices = actions.reshape(count, *np.shape(first)) - first
    if ((choices < 0) | (choices >= sizes)).any():
        raise ValueError(f"out of range: {actions[((choices < 0) | (choices >= sizes)).reshape(count, -1).any(1)][0]}")
    return choices


def bounds(action: Action) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the most that a Gaussian policy's action [A] passes on, float32; infinite without bounds."""
    if isinstance(action, BoxAction):
        least, most, *_ = action.mapping
    else:
        assert isinstance(action, IntegerBoxAction)
        most = action.mapping[0]
        least = -most
    return least.astype(np.float32), most.astype(np.float32)


def _numbers(action: BoxAction | IntegerBoxAction, given: Any, count: int) -> np.ndarray:
    """Return numbers [n, *shape] in the unit of a Gaussian policy, [n, A] float32."""
    dtype = np.dtype(action.dtype or np.float32)
    numbers = array_of(given, (count, *action.shape), dtype).reshape(count, -1).astype(np.float64)
    if (found := unlearnable(numbers)) is not None:
        raise ValueError(f"{found[1]} in row {found[0]}")
    if isinstance(action, BoxAction):
        _, _, half, middle, _, _ = action.mapping
    else:
        _, half, shift = action.mapping
        middle = np.array(action.centres, np.float64) + shift
    least, most = bounds(action)
    degenerate = half == 0.0  # low is high: nothing to choose
    scaled = (numbers - middle) / np.where(degenerate, 1.0, half)
    return np.clip(scaled, least, most).astype(np.float32)


def _given(action: GroupAction, given: Any) -> list[Any]:
    """Return the actions of a group's parts.

    Raises:
      ValueError: there are others.
    """
    if action.names is None:
        if not isinstance(given, tuple) or len(given) != len(action.parts):
            said = f"a tuple of {len(given)}" if isinstance(given, tuple) else named(given)
            raise ValueError(f"{said}, expected a tuple of {len(action.parts)} parts")
        return list(given)
    if not isinstance(given, dict) or set(given) != set(action.names):
        raise ValueError(f"{named(given)}, expected a dict of the parts {', '.join(action.names)}")
    return [given[name] for name in action.names]


def _choices(action: DiscreteAction | MultiDiscreteAction | MultiBinaryAction) -> tuple[Any, Any]:
    """Return where the choices of an action, flattened, begin, and how many each has."""
    if isinstance(action, DiscreteAction):
        return np.int64(action.start), action.size
    if isinstance(action, MultiDiscreteAction):
        return np.array(action.starts, np.int64), np.array(action.sizes, np.int64)
    return np.zeros(action.size, np.int64), 2
