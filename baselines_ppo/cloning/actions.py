"""From the environment's actions back to the policy's, and how likely a policy is to send them.

Where both bounds are finite, a Gaussian policy's action is clipped to [-1, 1]. Of an action at a bound it is therefore
only known that the policy drew that or something beyond, and its likelihood is the probability of all that. This is
the likelihood of Tobin 1958, "Estimation of Relationships for Limited Dependent Variables". Inside of the bounds, with
a fixed standard deviation, what is left is the mean squared error.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from baselines_ppo.common.policy.actions import (
    Action,
    DiscreteAction,
    GroupAction,
    MultiBinaryAction,
    MultiDiscreteAction,
)
from baselines_ppo.common.policy.arrays import tensorflow_arrays
from baselines_ppo.common.policy.distributions import GaussianParams
from baselines_ppo.common.policy.given_arrays import array_of, named
from baselines_ppo.common.policy.spaces.box_actions import BoxAction, IntegerBoxAction

FAR = -5.0  # standard deviations, below which erfc gives way to its asymptotic series: float32 ends near -13
NEAR = 1e-6  # of a bound, in the policy's unit: rounding may have left that much


def to_policy(action: Action, given: Any, count: int) -> np.ndarray:
    """Return environment actions [n, *shape] as the policy's [n, ...], the inverse of `to_environment`.

    What is at a bound, or beyond it, is at a bound of the policy. Of a Dict or a Tuple of actions [n, ...], the numbers
    of all parts become one vector, as the policy draws them.

    Raises:
      ValueError: they are of another shape, not finite, or not of the space.
    """
    if isinstance(action, GroupAction):
        parts = zip(action.parts, _given(action, given), strict=True)
        return np.concatenate([to_policy(part, own, count).reshape(count, -1) for part, own in parts], axis=-1).astype(
            np.float32
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


def log_likelihood(action: Action, params: Any, actions: tf.Tensor) -> tf.Tensor:
    """Return how likely the environment's actions are, log pi, one number for each row, from `to_policy`'s actions."""
    distribution, xp = action.distribution, tensorflow_arrays()
    if isinstance(action, GroupAction):
        each = zip(action.parts, params, action.distribution.apart(xp, actions), strict=True)
        return sum(log_likelihood(part, own, drawn) for part, own, drawn in each)
    if not isinstance(params, GaussianParams):
        return distribution.log_prob(xp, params, actions)
    least, most = bounds(action)
    std = tf.exp(params.log_std)
    z = (actions - params.mean) / std
    density = -0.5 * tf.square(z) - params.log_std - 0.5 * math.log(2.0 * math.pi)
    below, above = actions <= least + NEAR, actions >= most - NEAR
    tail = log_normal_cdf(tf.where(above, -z, z))
    return tf.reduce_sum(tf.where(below | above, tail, density), axis=-1)


def log_normal_cdf(z: tf.Tensor) -> tf.Tensor:
    """Return log Phi(z), of the standard normal distribution, finite and with a gradient for any finite z.

    Source: Abramowitz and Stegun 1964, 26.2.12, for what is far below 0.
    """
    near, far = tf.maximum(z, FAR), tf.minimum(z, FAR)
    inverse = 1.0 / tf.square(far)
    series = 1.0 - inverse * (1.0 - 3.0 * inverse * (1.0 - 5.0 * inverse))
    beyond = -0.5 * tf.square(far) - tf.math.log(-far) - 0.5 * math.log(2.0 * math.pi) + tf.math.log(series)
    return tf.where(z > FAR, tf.math.log(0.5 * tf.math.erfc(-near / math.sqrt(2.0))), beyond)


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
    if not np.isfinite(numbers).all():
        raise ValueError(f"not finite in row {int(np.argwhere(~np.isfinite(numbers))[0][0])}")
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
            raise ValueError(f"{named(given)}, expected a tuple of {len(action.parts)} parts")
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
