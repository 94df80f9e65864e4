"""From the environment's actions back to the policy's, and the likelihood of what a policy sends."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from gymnasium import spaces

from baselines_ppo.cloning.actions import to_policy
from baselines_ppo.cloning.likelihood import log_likelihood, log_normal_cdf
from baselines_ppo.common.files.demonstrations import stacked
from baselines_ppo.common.policy.actions import action_of, as_sent
from baselines_ppo.common.policy.distributions import GaussianParams

SPACES: tuple[spaces.Space[Any], ...] = (
    spaces.Box(-2.0, 2.0, (2, 3)),
    spaces.Box(np.array([-1.0, 0.0, 3.0]), np.array([1.0, 10.0, 3.0]), dtype=np.float64),
    spaces.Box(np.array([0.0, -np.inf], np.float32), np.array([np.inf, np.inf], np.float32)),
    spaces.Box(0, 255, (4,), np.uint8),
    spaces.Box(-3, 4, (), np.int64),
    spaces.Discrete(4, start=-2),
    spaces.MultiDiscrete(np.array([[2, 3], [4, 5]]), start=np.array([[0, 7], [-1, 2]])),
    spaces.MultiBinary((2, 2)),
)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_what_goes_back_to_the_policy_is_sent_again(space: spaces.Space[Any]) -> None:
    """Whole numbers are the same, others equal up to the rounding of float32; the bounds among them."""
    space.seed(0)
    taken = [np.asarray(space.sample()) for _ in range(200)]
    if isinstance(space, spaces.Box):
        taken += [bound for bound in (space.low, space.high) if np.isfinite(bound).all()]
    action, given = action_of(space, "Any-v0"), np.stack(taken)
    sent = action.to_environment(to_policy(action, given, len(given)))
    assert (sent.shape, sent.dtype) == (given.shape, given.dtype)
    np.testing.assert_allclose(sent, given, rtol=1e-6, atol=1e-6 if given.dtype.kind == "f" else 0)


def test_the_parts_of_a_dict_go_back_each_by_itself() -> None:
    inner = spaces.Tuple((spaces.Box(-2.0, 2.0, (2,)), spaces.MultiDiscrete([2, 3])))
    space = spaces.Dict({"arm": inner, "gear": spaces.Discrete(3, start=5)})
    space.seed(0)
    action, given = action_of(space, "Any-v0"), stacked([space.sample() for _ in range(50)])
    sent = as_sent(action, action.to_environment(to_policy(action, given, 50)))
    np.testing.assert_allclose(sent["arm"][0], given["arm"][0], rtol=1e-6)
    assert np.array_equal(sent["arm"][1], given["arm"][1]) and np.array_equal(sent["gear"], given["gear"])
    params = action.distribution.from_network(
        tf.zeros([50, action.distribution.network_size]), {"log_std": tf.zeros([2])}
    )
    found = log_likelihood(action, params, tf.constant(to_policy(action, given, 50))).numpy()
    box = 0.125 * np.square(given["arm"][0]).sum(-1) + math.log(2.0 * math.pi)
    np.testing.assert_allclose(-found, box + math.log(2 * 3 * 3), rtol=1e-5)


def test_what_is_out_of_the_space_is_refused() -> None:
    for space, wrong in (
        (spaces.Discrete(3, start=5), 8),
        (spaces.MultiDiscrete([2, 3]), [1, 3]),
        (spaces.MultiBinary(2), [0, 2]),
        (spaces.Box(-1, 1, (2,)), [0.0, np.nan]),
        (spaces.Box(-1, 1, (2,)), [0.0]),
        (spaces.Box(-np.inf, np.inf, (2,), np.float64), [0.0, 1e300]),
    ):
        with pytest.raises(ValueError):
            to_policy(action_of(space, "Any-v0"), np.asarray(wrong)[None], 1)


def test_what_a_part_lacks_is_said_of_that_part() -> None:
    inner = spaces.Tuple((spaces.Discrete(2), spaces.Discrete(3)))
    action, zeros = action_of(spaces.Dict({"hand": inner}), "X"), np.zeros(4, np.int64)
    for given, words in (
        ((zeros, zeros + 3), "^part hand: part 2: out of range: 3"),
        ((zeros, zeros, zeros), "^part hand: a tuple of 3, expected a tuple of 2 parts"),
    ):
        with pytest.raises(ValueError, match=words):
            to_policy(action, {"hand": given}, 4)


def test_an_action_at_a_bound_is_as_likely_as_it_is_often_sent() -> None:
    """Of a Gaussian with mean 1.5 and std 0.8 on a Box of [-2, 2]: how often it sends 2, -2, or between 0 and 0.1."""
    action = action_of(spaces.Box(-2.0, 2.0, (1,)), "Any-v0")
    mean, std = np.float32(0.75), np.float32(0.4)  # in the policy's unit
    drawn = mean + std * np.random.default_rng(0).standard_normal((1_000_000, 1), np.float32)
    sent = action.to_environment(drawn)[:, 0]
    params = GaussianParams(tf.fill([3, 1], mean), tf.math.log([std]))
    given = to_policy(action, np.array([[2.0], [-2.0], [0.05]], np.float32), 3)
    found = np.exp(log_likelihood(action, params, tf.constant(given)).numpy())
    assert found[0] == pytest.approx((sent == 2.0).mean(), abs=2e-3)
    assert found[1] == pytest.approx((sent == -2.0).mean(), abs=1e-4)
    inside = ((sent > 0.0) & (sent < 0.1)).mean() / 0.05  # a density, for a width of 0.05 in the policy's unit
    assert found[2] == pytest.approx(inside, rel=3e-2)


def test_the_likeliest_gaussian_is_the_one_that_acted_though_half_of_its_actions_are_clipped() -> None:
    """The mean squared error would find the mean of what was sent, 0.69, and a std of 0.36."""
    action = action_of(spaces.Box(-1.0, 1.0, (1,)), "Any-v0")
    sent = action.to_environment(np.random.default_rng(1).normal(1.0, 0.5, (20_000, 1)).astype(np.float32))
    taken = tf.constant(to_policy(action, sent, len(sent)))
    means, stds = np.linspace(0.6, 1.2, 13), np.linspace(0.3, 0.7, 9)
    mean_likelihood = {
        (mean, std): float(
            tf.reduce_mean(
                log_likelihood(
                    action, GaussianParams(tf.fill([1, 1], np.float32(mean)), tf.math.log([np.float32(std)])), taken
                )
            )
        )
        for mean in means
        for std in stds
    }
    mean, std = max(mean_likelihood, key=lambda pair: mean_likelihood[pair])
    assert (mean, std) == (pytest.approx(1.0), pytest.approx(0.5))


def test_the_normal_distribution_is_that_of_erfc_and_has_its_gradient_everywhere() -> None:
    points = np.concatenate([np.linspace(-35, 8, 200), [-5.0, -5.0001, -4.9999]])
    z = tf.constant(points, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(z)
        found = log_normal_cdf(z)
    exact = [math.log(0.5 * math.erfc(-float(x) / math.sqrt(2.0))) for x in z.numpy()]
    np.testing.assert_allclose(found.numpy(), exact, rtol=2e-4, atol=1e-6)
    slope = [
        math.exp(-0.5 * float(x) ** 2 - e) / math.sqrt(2.0 * math.pi) for x, e in zip(z.numpy(), exact, strict=True)
    ]
    np.testing.assert_allclose(tape.gradient(found, z).numpy(), slope, rtol=3e-3, atol=1e-6)
    far = tf.constant([-1e6, 1e6])
    assert np.isfinite(log_normal_cdf(far).numpy()).all()
