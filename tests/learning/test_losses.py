"""The losses of PPO."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from baselines_ppo.common.losses import (
    approx_kl,
    clip_fraction,
    clipped_squared_error,
    clipped_surrogate,
    squared_error,
    surrogate,
)


def tensor(*values: float) -> tf.Tensor:
    return tf.constant(values, tf.float32)


def test_surrogate_of_four_hand_made_samples() -> None:
    """Ratios 1.5, 1.5, 0.5, 0.5 at epsilon 0.2; the clip counts only where it makes the objective worse."""
    old = tensor(0.0, 0.0, 0.0, 0.0)
    new = tf.math.log(tensor(1.5, 1.5, 0.5, 0.5))
    advantage = tensor(2.0, -2.0, 2.0, -2.0)
    objective = (1.2 * 2.0) + (1.5 * -2.0) + (0.5 * 2.0) + (0.8 * -2.0)
    np.testing.assert_allclose(clipped_surrogate(new, old, advantage, 0.2), -objective / 4, rtol=1e-6)


def test_surrogate_of_an_unchanged_policy_is_minus_the_mean_advantage() -> None:
    log_prob = tensor(-1.0, -2.0)
    assert float(clipped_surrogate(log_prob, log_prob, tensor(3.0, 5.0), 0.1)) == -4.0


def test_no_gradient_beyond_the_clip() -> None:
    log_prob = tf.constant([np.log(1.5), np.log(0.5)], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(log_prob)
        loss = clipped_surrogate(log_prob, tensor(0.0, 0.0), tensor(1.0, -1.0), 0.2)
    assert tape.gradient(loss, log_prob).numpy().tolist() == [0.0, 0.0]


def test_value_clipping_takes_the_worse_of_two_errors() -> None:
    value, old, target = tensor(3.0, 3.0, 1.05), tensor(1.0, 1.0, 1.0), tensor(3.0, -3.0, 2.0)
    expected = (np.square(1.2 - 3.0) + np.square(3.0 + 3.0) + np.square(1.05 - 2.0)) / 3
    np.testing.assert_allclose(clipped_squared_error(value, old, target, 0.2), expected, rtol=1e-6)
    assert float(squared_error(tensor(1.0, 2.0), tensor(3.0, 2.0))) == 2.0


def test_approx_kl_is_the_kl_of_two_gaussians_within_its_error() -> None:
    """KL(N(0, 1), N(m, 1)) = m^2 / 2."""
    x = np.random.default_rng(0).standard_normal(400_000).astype(np.float32)
    old, new = -0.5 * x**2, -0.5 * (x - 0.3) ** 2
    np.testing.assert_allclose(approx_kl(tf.constant(new), tf.constant(old)), 0.045, rtol=0.02)
    assert float(approx_kl(tensor(-1.0), tensor(-1.0))) == 0.0
    np.testing.assert_allclose(approx_kl(tensor(0.5), tensor(0.0)), np.exp(0.5) - 1.5, rtol=1e-5)  # never negative


def test_clip_fraction_counts_ratios_outside() -> None:
    log_ratio = tf.math.log(tensor(1.0, 1.19, 1.21, 0.81, 0.79))
    np.testing.assert_allclose(clip_fraction(log_ratio, tf.zeros(5), 0.2), 0.4)


def test_the_unclipped_surrogate_of_three_hand_made_samples() -> None:
    """Ratios 2, 0.5 and 1: (2 x 3 + 0.5 x 4 - 1 x 5) / 3."""
    log_ratio = tf.math.log(tensor(2.0, 0.5, 1.0))
    np.testing.assert_allclose(surrogate(log_ratio, tf.zeros(3), tensor(3.0, 4.0, -5.0)), 1.0, rtol=1e-6)
