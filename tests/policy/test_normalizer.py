"""Running moments and normalisation."""

from __future__ import annotations

import numpy as np

from baselines_ppo.common.moments import Moments, merge_moments, moments_of
from baselines_ppo.common.policy.normalizer import Normalizer


def test_merged_moments_are_those_of_the_union() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(1000.0, 2.0, (17, 3)), rng.normal(-5.0, 0.1, (400, 3))
    merged = merge_moments(moments_of(a), moments_of(b))
    union = np.concatenate([a, b])
    np.testing.assert_allclose(merged.mean, union.mean(axis=0))
    np.testing.assert_allclose(merged.variance, union.var(axis=0))
    assert merged.samples == 417


def test_merging_is_associative() -> None:
    parts = [moments_of(np.random.default_rng(k).normal(k, k + 1, (10 + k, 2))) for k in range(3)]
    left = merge_moments(merge_moments(parts[0], parts[1]), parts[2])
    right = merge_moments(parts[0], merge_moments(parts[1], parts[2]))
    np.testing.assert_allclose(left.mean, right.mean)
    np.testing.assert_allclose(left.variance, right.variance)


def test_a_new_normalizer_changes_nothing_and_the_first_update_replaces_all() -> None:
    normalizer, samples = Normalizer((2,)), np.random.default_rng(0).normal(50, 3, (1000, 2)).astype(np.float32)
    np.testing.assert_allclose(normalizer.normalize(samples), samples, rtol=1e-6)
    normalizer.update(moments_of(samples))
    normalized = normalizer.normalize(samples)
    np.testing.assert_allclose(normalized.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(normalized.std(axis=0), 1.0, rtol=1e-4)
    np.testing.assert_allclose(normalizer.denormalize(normalized), samples, rtol=1e-4)


def test_normalized_values_are_clipped_and_scaling_keeps_the_sign() -> None:
    normalizer = Normalizer((), clip=5.0)
    normalizer.moments = Moments(np.array(100.0), np.array(4.0), 10.0)
    assert normalizer.normalize(np.array([90.0, 1000.0, 0.0])).tolist() == [-5.0, 5.0, -5.0]
    np.testing.assert_allclose(normalizer.scale(np.array([-4.0, 0.0, 40.0])), [-2.0, 0.0, 5.0])


def test_what_no_float_holds_once_it_is_scaled_is_clipped_without_a_warning() -> None:
    normalizer = Normalizer((), clip=5.0)
    normalizer.update(moments_of(np.array([0.001, 0.002])))
    with np.errstate(all="raise"):
        assert normalizer.normalize(np.array([1.5e308, -1.5e308])).tolist() == [5.0, -5.0]


def test_state_round_trip() -> None:
    before, after = Normalizer((3,)), Normalizer((3,))
    before.update(moments_of(np.random.default_rng(1).normal(2, 5, (100, 3))))
    after.restore(before.state())
    x = np.random.default_rng(2).normal(size=(7, 3))
    np.testing.assert_array_equal(before.normalize(x), after.normalize(x))
