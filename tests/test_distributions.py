"""Action distributions in numpy and TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from baselines_ppo.common.arrays import tensorflow_arrays
from baselines_ppo.common.distributions import Categorical, DiagonalGaussian, Distribution, GaussianParams
from tests.reference import normal_log_density, softmax

SAMPLES = 200_000
GAUSSIAN = GaussianParams(np.array([[0.3, -1.0]], np.float32), np.array([-0.5, 0.4], np.float32))
LOGITS = np.array([[0.1, 2.0, -1.0, 0.0]], np.float32)
CASES = [(DiagonalGaussian(2), GAUSSIAN), (Categorical(4), LOGITS)]


def test_gaussian_log_prob_is_the_sum_of_normal_log_densities() -> None:
    action = np.array([[0.5, 0.25]], np.float32)
    means, stds = GAUSSIAN.mean[0], np.exp(GAUSSIAN.log_std)
    expected = sum(normal_log_density(*map(float, x)) for x in zip(action[0], means, stds, strict=True))
    np.testing.assert_allclose(DiagonalGaussian(2).log_prob(np, GAUSSIAN, action), [expected], rtol=1e-6)


def test_categorical_log_prob_is_the_log_of_the_softmax() -> None:
    got = [float(Categorical(4).log_prob(np, LOGITS, np.array([k]))[0]) for k in range(4)]
    np.testing.assert_allclose(got, np.log(softmax(LOGITS[0])), rtol=1e-6)


def test_categorical_survives_huge_logits() -> None:
    log_prob = Categorical(2).log_prob(np, np.array([[1000.0, -1000.0]], np.float32), np.array([0]))
    assert log_prob[0] == 0.0


@pytest.mark.parametrize(("distribution", "params"), CASES)
def test_entropy_is_the_mean_of_minus_log_prob_over_samples(distribution: Distribution, params: Any) -> None:
    noise = distribution.noise(np.random.default_rng(0), SAMPLES)
    log_probs = distribution.log_prob(np, params, distribution.sample(params, noise))
    error = log_probs.std() / np.sqrt(SAMPLES)
    assert abs(-log_probs.mean() - float(np.mean(distribution.entropy(np, params)))) < 4 * error


def test_samples_have_the_stated_frequencies() -> None:
    noise = Categorical(4).noise(np.random.default_rng(0), SAMPLES)
    drawn = np.bincount(Categorical(4).sample(LOGITS, noise), minlength=4) / SAMPLES
    np.testing.assert_allclose(drawn, softmax(LOGITS[0]), atol=4 * 0.5 / np.sqrt(SAMPLES))


def test_the_mode_is_the_likeliest_action() -> None:
    assert Categorical(4).mode(LOGITS).tolist() == [1]
    np.testing.assert_array_equal(DiagonalGaussian(2).mode(GAUSSIAN), GAUSSIAN.mean)


@pytest.mark.parametrize(("distribution", "params"), CASES)
def test_numpy_and_tensorflow_agree(distribution: Distribution, params: Any) -> None:
    tf = tensorflow_arrays()
    actions = distribution.sample(params, distribution.noise(np.random.default_rng(1), 64))
    np.testing.assert_allclose(
        distribution.log_prob(np, params, actions), distribution.log_prob(tf, params, actions).numpy(), rtol=1e-5
    )
    np.testing.assert_allclose(distribution.entropy(np, params), distribution.entropy(tf, params).numpy(), rtol=1e-5)
