"""The losses of PPO and the numbers that tell how far an update went; pure TensorFlow functions."""

from __future__ import annotations

import tensorflow as tf


def clipped_surrogate(
    log_prob: tf.Tensor, old_log_prob: tf.Tensor, advantage: tf.Tensor, clip_range: tf.Tensor
) -> tf.Tensor:
    """Return the pessimistic PPO objective to minimise, a scalar.

    -E[min(r A, clip(r, 1 - eps, 1 + eps) A)] with r = pi(a|s) / pi_old(a|s).

    Args:
      log_prob, old_log_prob: log pi(a|s) now and at collection, [M].
      advantage: standardised advantage, [M].
      clip_range: eps, a scalar.

    Source: Schulman et al. 2017, arXiv:1707.06347, equation 7.
    """
    ratio = tf.exp(log_prob - old_log_prob)
    clipped = tf.clip_by_value(ratio, 1.0 - clip_range, 1.0 + clip_range)
    return -tf.reduce_mean(tf.minimum(ratio * advantage, clipped * advantage))


def squared_error(value: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Return E[(V - target)^2], a scalar, from two [M]."""
    return tf.reduce_mean(tf.square(value - target))


def clipped_squared_error(
    value: tf.Tensor, old_value: tf.Tensor, target: tf.Tensor, clip_range: tf.Tensor
) -> tf.Tensor:
    """Return the squared error, no better than that of a value moved at most `clip_range` from the old one.

    E[max((V - target)^2, (V_clipped - target)^2)]; all arguments [M] but the scalar clip range. In the unit
    of the value. Source: OpenAI Baselines ppo2; it helps on few tasks (arXiv:2006.05990, figure 43).
    """
    clipped = old_value + tf.clip_by_value(value - old_value, -clip_range, clip_range)
    return tf.reduce_mean(tf.maximum(tf.square(value - target), tf.square(clipped - target)))


def approx_kl(log_prob: tf.Tensor, old_log_prob: tf.Tensor) -> tf.Tensor:
    """Return E[(r - 1) - log r] with r = pi / pi_old: KL(pi_old, pi) from its own samples.

    Never negative, but for rounding.
    """
    log_ratio = log_prob - old_log_prob
    return tf.reduce_mean(tf.exp(log_ratio) - 1.0 - log_ratio)


def clip_fraction(log_prob: tf.Tensor, old_log_prob: tf.Tensor, clip_range: tf.Tensor) -> tf.Tensor:
    """Return the share of samples whose ratio is outside 1 +- eps, a scalar."""
    outside = tf.abs(tf.exp(log_prob - old_log_prob) - 1.0) > clip_range
    return tf.reduce_mean(tf.cast(outside, log_prob.dtype))


def surrogate(log_prob: tf.Tensor, old_log_prob: tf.Tensor, advantage: tf.Tensor) -> tf.Tensor:
    """Return E[r A] with r = pi(a|s) / pi_old(a|s), a scalar to maximise, from three [M].

    Source: Schulman et al. 2015, arXiv:1502.05477, equation 14; Schulman et al. 2017, arXiv:1707.06347, equation 6.
    """
    return tf.reduce_mean(tf.exp(log_prob - old_log_prob) * advantage)
