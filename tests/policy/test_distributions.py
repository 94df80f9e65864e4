"""Action distributions in numpy and TensorFlow."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from baselines_ppo.common.policy.arrays import tensorflow_arrays
from baselines_ppo.common.policy.distributions import (
    Bernoulli,
    Categorical,
    DiagonalGaussian,
    Distribution,
    GaussianParams,
    MultiCategorical,
)
from tests.reference import normal_log_density, softmax

SAMPLES = 200_000
GAUSSIAN = GaussianParams(np.array([[0.3, -1.0]], np.float32), np.array([-0.5, 0.4], np.float32))
OTHER_GAUSSIAN = GaussianParams(np.array([[0.0, -0.4]], np.float32), np.array([-0.3, 0.1], np.float32))
LOGITS = np.array([[0.1, 2.0, -1.0, 0.0]], np.float32)
OTHER_LOGITS = np.array([[0.4, 0.7, -2.0, 0.3]], np.float32)
# each with parameters of two policies
CASES: list[tuple[Distribution, Any, Any]] = [
    (DiagonalGaussian(2), GAUSSIAN, OTHER_GAUSSIAN),
    (Categorical(4), LOGITS, OTHER_LOGITS),
    (MultiCategorical((2, 1, 3)), np.array([[1, 0, 7, 0.5, 2, -1]], np.float32), np.zeros((1, 6), np.float32)),
    (Bernoulli(3), np.array([[0.0, 2.0, -0.7]], np.float32), np.array([[-0.5, 1.0, 0.4]], np.float32)),
]
COUNTABLE = CASES[1:]


def drawn(distribution: Distribution, params: Any, seed: int = 0) -> np.ndarray:
    return distribution.sample(params, distribution.noise(np.random.default_rng(seed), SAMPLES))


def all_actions(distribution: Distribution) -> np.ndarray:
    """Return every action of a distribution that has finitely many."""
    if isinstance(distribution, Categorical):
        return np.arange(distribution.size)
    sizes = distribution.sizes if isinstance(distribution, MultiCategorical) else (2,) * distribution.network_size
    return np.array(list(itertools.product(*map(range, sizes))))


def test_gaussian_log_prob_is_the_sum_of_normal_log_densities() -> None:
    action = np.array([[0.5, 0.25]], np.float32)
    means, stds = GAUSSIAN.mean[0], np.exp(GAUSSIAN.log_std)
    expected = sum(normal_log_density(*map(float, x)) for x in zip(action[0], means, stds, strict=True))
    np.testing.assert_allclose(DiagonalGaussian(2).log_prob(np, GAUSSIAN, action), [expected], rtol=1e-6)


def test_correlated_noise_is_standard_normal_and_forgets_step_by_step() -> None:
    many = DiagonalGaussian(3).noise(np.random.default_rng(0), SAMPLES, 0.9)
    assert many.dtype == np.float32
    np.testing.assert_allclose(many.mean(axis=0), 0.0, atol=0.04)  # it counts as SAMPLES / 19 independent ones
    np.testing.assert_allclose(np.cov(many.T), np.eye(3), atol=0.05)
    np.testing.assert_allclose((many**4).mean(axis=0), 3.0, rtol=0.1)
    for apart in (1, 5, 20):
        together = (many[apart:] * many[:-apart]).mean(axis=0)
        np.testing.assert_allclose(together, 0.9**apart, atol=0.04)
    first = np.stack([DiagonalGaussian(1).noise(np.random.default_rng(seed), 2, 0.9) for seed in range(5000)])
    np.testing.assert_allclose(first.std(axis=0), 1.0, rtol=0.05)  # from the first step on


@pytest.mark.parametrize("distribution", [case[0] for case in COUNTABLE])
def test_the_noise_of_choices_does_not_correlate(distribution: Distribution) -> None:
    white, other = (distribution.noise(np.random.default_rng(0), 9, correlation) for correlation in (0.0, 0.9))
    np.testing.assert_array_equal(white, other)


def test_categorical_log_prob_is_the_log_of_the_softmax() -> None:
    got = [float(Categorical(4).log_prob(np, LOGITS, np.array([k]))[0]) for k in range(4)]
    np.testing.assert_allclose(got, np.log(softmax(LOGITS[0])), rtol=1e-6)


def test_categorical_survives_huge_logits() -> None:
    log_prob = Categorical(2).log_prob(np, np.array([[1000.0, -1000.0]], np.float32), np.array([0]))
    assert log_prob[0] == 0.0


@pytest.mark.parametrize(("distribution", "params", "_"), CASES)
def test_entropy_is_the_mean_of_minus_log_prob_over_samples(distribution: Distribution, params: Any, _: Any) -> None:
    log_probs = distribution.log_prob(np, params, drawn(distribution, params))
    error = log_probs.std() / np.sqrt(SAMPLES)
    assert abs(-log_probs.mean() - float(np.mean(distribution.entropy(np, params)))) < 4 * error


@pytest.mark.parametrize(("distribution", "params", "_"), COUNTABLE)
def test_samples_have_the_stated_frequencies(distribution: Distribution, params: Any, _: Any) -> None:
    actions = all_actions(distribution)
    stated = np.exp(distribution.log_prob(np, params, actions))
    assert stated.sum() == pytest.approx(1.0, rel=1e-5)
    sampled = drawn(distribution, params)
    for action, probability in zip(actions, stated, strict=True):
        same = (sampled == action).all(axis=-1) if actions.ndim > 1 else sampled == action
        error = np.sqrt(probability * (1 - probability) / SAMPLES)
        assert abs(same.mean() - probability) <= 4 * error


def test_gaussian_samples_fall_into_a_box_as_often_as_the_density_integrates_to() -> None:
    sampled = drawn(DiagonalGaussian(2), GAUSSIAN)
    np.testing.assert_allclose(sampled.mean(axis=0), GAUSSIAN.mean[0], atol=0.02)
    np.testing.assert_allclose(sampled.std(axis=0), np.exp(GAUSSIAN.log_std), rtol=0.01)
    (left, right), (bottom, top) = (0.0, 1.0), (-1.5, 0.5)
    x, y = (low + (np.arange(100) + 0.5) * (high - low) / 100 for low, high in ((left, right), (bottom, top)))
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(np.float32)
    integral = np.exp(DiagonalGaussian(2).log_prob(np, GAUSSIAN, grid)).mean() * (right - left) * (top - bottom)
    inside = ((sampled > (left, bottom)) & (sampled < (right, top))).all(axis=1).mean()
    assert abs(inside - integral) < 4 * 0.5 / np.sqrt(SAMPLES)


@pytest.mark.parametrize(("distribution", "old", "new"), CASES)
def test_kl_is_the_mean_of_the_log_ratio_over_samples_of_the_first(
    distribution: Distribution, old: Any, new: Any
) -> None:
    actions = drawn(distribution, old)
    log_ratio = distribution.log_prob(np, old, actions) - distribution.log_prob(np, new, actions)
    kl = float(distribution.kl(np, old, new)[0])
    assert kl > 0.01
    assert abs(log_ratio.mean() - kl) < 4 * log_ratio.std() / np.sqrt(SAMPLES)
    assert abs(kl - float(distribution.kl(np, new, old)[0])) > 1e-3  # the order counts
    np.testing.assert_allclose(distribution.kl(np, old, old), 0.0, atol=1e-7)


def test_kl_and_entropy_have_values_known_by_hand() -> None:
    def unit(mean: float) -> GaussianParams:
        return GaussianParams(np.array([[mean]], np.float32), np.zeros(1, np.float32))

    assert DiagonalGaussian(1).kl(np, unit(0.0), unit(1.0)) == pytest.approx(0.5)
    assert DiagonalGaussian(1).entropy(np, unit(3.0)) == pytest.approx(1.4189385)
    fair, three_to_one = np.zeros((1, 2), np.float32), np.log(np.array([[3.0, 1.0]], np.float32))
    # sum of 1/2 log(1/2 / 3/4) + 1/2 log(1/2 / 1/4) = log 2 - 1/2 log 3
    assert Categorical(2).kl(np, fair, three_to_one) == pytest.approx(np.log(2) - 0.5 * np.log(3), rel=1e-5)
    assert Bernoulli(1).kl(np, fair[:, :1], np.log(np.array([[3.0]]))) == pytest.approx(0.1438410, rel=1e-5)
    assert MultiCategorical((4, 2)).entropy(np, np.zeros((1, 6))) == pytest.approx(np.log(8))
    assert Bernoulli(3).entropy(np, np.zeros((1, 3))) == pytest.approx(3 * np.log(2))


@pytest.mark.parametrize(("distribution", "params", "_"), CASES)
def test_the_mode_is_at_least_as_likely_as_any_sample(distribution: Distribution, params: Any, _: Any) -> None:
    best = distribution.log_prob(np, params, distribution.mode(params))
    assert (distribution.log_prob(np, params, drawn(distribution, params)) <= best + 1e-6).all()


def test_the_mode_is_the_likeliest_action() -> None:
    assert Categorical(4).mode(LOGITS).tolist() == [1]
    np.testing.assert_array_equal(DiagonalGaussian(2).mode(GAUSSIAN), GAUSSIAN.mean)


@pytest.mark.parametrize(("distribution", "params", "other"), CASES)
def test_numpy_and_tensorflow_agree(distribution: Distribution, params: Any, other: Any) -> None:
    xp = tensorflow_arrays()
    actions = distribution.sample(params, distribution.noise(np.random.default_rng(1), 64))
    np.testing.assert_allclose(
        distribution.log_prob(np, params, actions), distribution.log_prob(xp, params, actions).numpy(), rtol=1e-5
    )
    np.testing.assert_allclose(distribution.entropy(np, params), distribution.entropy(xp, params).numpy(), rtol=1e-5)
    kl = distribution.kl(xp, *(tf.nest.map_structure(tf.constant, x) for x in (params, other)))
    np.testing.assert_allclose(distribution.kl(np, params, other), kl.numpy(), rtol=1e-4)


@pytest.mark.parametrize("distribution", [Categorical(4), MultiCategorical((2, 2)), Bernoulli(4)])
def test_everything_stays_finite_at_huge_logits(distribution: Distribution) -> None:
    xp = tensorflow_arrays()
    sure, other = (tf.constant([[1000.0, -1000.0, sign * 1000.0, 1000.0]]) for sign in (-1.0, 1.0))
    for action in (distribution.mode(sure.numpy()), distribution.mode(-sure.numpy())):
        with tf.GradientTape() as tape:
            tape.watch(sure)
            log_prob = distribution.log_prob(xp, sure, action)
            total = log_prob + distribution.entropy(xp, sure) + distribution.kl(xp, sure, other)
        assert np.isfinite(total).all()
        assert np.isfinite(tape.gradient(total, sure)).all()
    np.testing.assert_allclose(distribution.entropy(np, sure.numpy()), 0.0, atol=2.0)


@pytest.mark.parametrize(("distribution", "params", "_"), COUNTABLE)
@pytest.mark.parametrize("at_zero", [False, True])
def test_the_expected_gradient_of_log_prob_is_zero(
    distribution: Distribution, params: Any, _: Any, at_zero: bool
) -> None:
    """It is for every distribution, since probabilities always sum to 1; equal logits are where kinks would be."""
    logits, actions = tf.constant(params * (not at_zero)), all_actions(distribution)
    probabilities = np.exp(distribution.log_prob(np, logits.numpy(), actions))
    with tf.GradientTape() as tape:
        tape.watch(logits)
        expected = tf.reduce_sum(probabilities * distribution.log_prob(tensorflow_arrays(), logits, actions))
    np.testing.assert_allclose(tape.gradient(expected, logits), 0.0, atol=1e-6)


def test_a_switch_at_even_odds_has_the_gradient_of_a_half() -> None:
    """d log sigmoid(x) / dx = 1 - sigmoid(x), which is 1/2 at 0."""
    logit = tf.zeros([1, 1])
    with tf.GradientTape() as tape:
        tape.watch(logit)
        log_prob = Bernoulli(1).log_prob(tensorflow_arrays(), logit, np.array([[1]]))
    assert float(tape.gradient(log_prob, logit)[0, 0]) == pytest.approx(0.5)
