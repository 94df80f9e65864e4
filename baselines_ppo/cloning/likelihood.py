"""How likely a policy is to send the actions of demonstrations; in TensorFlow.

Where both bounds are finite, a Gaussian policy's action is clipped to [-1, 1]. Of an action at a bound it is therefore
only known that the policy drew that or something beyond, and its likelihood is the probability of all that. This is
the likelihood of Tobin 1958, "Estimation of Relationships for Limited Dependent Variables". Inside of the bounds, with
a fixed standard deviation, what is left is the mean squared error.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from baselines_ppo.cloning.actions import bounds
from baselines_ppo.common.policy.actions import Action, GroupAction
from baselines_ppo.common.policy.arrays import tensorflow_arrays
from baselines_ppo.common.policy.distributions import GaussianParams

FAR = -5.0  # standard deviations, below which erfc gives way to its asymptotic series: float32 ends near -13
NEAR = 1e-6  # of a bound, in the policy's unit: rounding may have left that much


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
