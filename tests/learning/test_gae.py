"""Generalised advantage estimation."""

from __future__ import annotations

import numpy as np

from baselines_ppo.common.gae import explained_variance, gae
from tests.reference import advantage_by_definition


def random_rollout(steps: int = 40, envs: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    rewards, values = rng.standard_normal((2, steps, envs))
    terminated = rng.random((steps, envs)) < 0.1
    truncated = (rng.random((steps, envs)) < 0.1) & ~terminated
    next_values = np.concatenate([values[1:], rng.standard_normal((1, envs))])
    next_values = np.where(truncated, rng.standard_normal((steps, envs)), next_values)
    return rewards, values, np.where(terminated, 0.0, next_values), terminated | truncated


def test_ends_may_be_zeros_and_ones_and_lists() -> None:
    rng = np.random.default_rng(0)
    rewards, values, next_values = rng.standard_normal((3, 6, 2))
    ends = rng.random((6, 2)) < 0.4
    expected = gae(rewards, values, next_values, ends, 0.9, 0.8)
    for given in (ends.astype(np.int64), ends.astype(np.uint8), ends.astype(np.float32), ends.tolist()):
        for got, one in zip(gae(rewards, values, next_values, given, 0.9, 0.8), expected, strict=True):
            np.testing.assert_array_equal(got, one)


def test_equals_the_sum_over_the_rest_of_each_episode() -> None:
    rewards, values, next_values, ends = random_rollout()
    advantages, targets = gae(rewards, values, next_values, ends, 0.97, 0.9)
    for i in range(rewards.shape[1]):
        r, v, w, e = (x[:, i].tolist() for x in (rewards, values, next_values, ends))
        expected = advantage_by_definition(r, v, w, e, 0.97, 0.9)
        np.testing.assert_allclose(advantages[:, i], expected, rtol=1e-12)
    np.testing.assert_allclose(targets, advantages + values)


def test_lambda_0_is_the_one_step_error() -> None:
    rewards, values, next_values, ends = random_rollout()
    advantages, _ = gae(rewards, values, next_values, ends, 0.9, 0.0)
    np.testing.assert_allclose(advantages, rewards + 0.9 * next_values - values)


def test_lambda_1_is_the_return_minus_the_value() -> None:
    rewards, values = np.array([[1.0], [2.0], [4.0]]), np.array([[10.0], [20.0], [30.0]])
    next_values, ends = np.array([[20.0], [30.0], [0.0]]), np.array([[False], [False], [True]])
    _, targets = gae(rewards, values, next_values, ends, 0.5, 1.0)
    assert targets[:, 0].tolist() == [1 + 0.5 * 2 + 0.25 * 4, 2 + 0.5 * 4, 4]


def test_a_perfect_value_function_leaves_no_advantage() -> None:
    """Reward 1 for ever is worth 1 / (1 - gamma), also where a time limit cuts: the cut bootstraps."""
    worth = np.full((30, 2), 1 / (1 - 0.9))
    ends = np.zeros((30, 2), dtype=bool)
    ends[[9, 19], :] = True
    advantages, _ = gae(np.ones((30, 2)), worth, worth, ends, 0.9, 0.95)
    np.testing.assert_allclose(advantages, 0.0, atol=1e-12)


def test_nothing_leaks_over_the_end_of_an_episode() -> None:
    rewards, values, next_values, ends = random_rollout()
    ends[20] = True
    before, _ = gae(rewards, values, next_values, ends, 0.99, 0.95)
    rewards[21:] += 100.0
    after, _ = gae(rewards, values, next_values, ends, 0.99, 0.95)
    np.testing.assert_array_equal(before[:21], after[:21])
    assert np.all(before[21:] != after[21:])


def test_explained_variance_of_perfect_and_useless_values() -> None:
    assert explained_variance(0.0, 4.0) == 1.0
    assert explained_variance(4.0, 4.0) == 0.0
    assert np.isnan(explained_variance(0.0, 0.0))
