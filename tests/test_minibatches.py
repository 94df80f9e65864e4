"""Dealing transitions into minibatches, and standardising advantages."""

from __future__ import annotations

import numpy as np

from baselines_ppo.common.minibatches import minibatch_indices, standardize, standardize_minibatches
from baselines_ppo.common.mpi import Comm


def test_every_transition_is_in_one_minibatch_of_each_epoch() -> None:
    indices = minibatch_indices(0, range(3), 5, 12, 4, 6)
    assert indices.shape == (4, 6, 6)
    for epoch in indices:
        assert sorted(epoch.ravel()) == list(range(36))


def test_every_minibatch_takes_as_many_steps_from_every_environment() -> None:
    for minibatch in minibatch_indices(0, range(3), 0, 12, 1, 6)[0]:
        assert np.bincount(minibatch % 3).tolist() == [2, 2, 2]


def test_a_minibatch_holds_the_same_transitions_on_any_number_of_ranks() -> None:
    """Transition (t, environment) is in the same minibatch with one rank of 6 environments as with 3 of 2."""

    def members(environments: range) -> list[list[set[tuple[int, int]]]]:
        indices = minibatch_indices(9, environments, 2, 8, 2, 4)
        count = len(environments)
        return [[{(k // count, environments[k % count]) for k in part} for part in epoch] for epoch in indices]

    whole, parts = members(range(6)), [members(range(first, first + 2)) for first in (0, 2, 4)]
    for epoch in range(2):
        for k in range(4):
            assert whole[epoch][k] == set().union(*(part[epoch][k] for part in parts))


def test_shuffles_differ_between_epochs_iterations_and_environments() -> None:
    first, second = minibatch_indices(0, range(2), 0, 64, 2, 1)
    assert (first != second).any()
    assert (minibatch_indices(0, range(2), 1, 64, 1, 1)[0] != first).any()
    assert (first.reshape(64, 2)[:, 0] // 2 != first.reshape(64, 2)[:, 1] // 2).any()


def test_standardized_advantages_have_mean_0_and_std_1() -> None:
    advantages = np.random.default_rng(0).normal(3.0, 7.0, 1000)
    standard = standardize(advantages, Comm())
    np.testing.assert_allclose([standard.mean(), standard.std()], [0.0, 1.0], atol=1e-5)


def test_standardized_minibatches_each_have_mean_0_and_std_1() -> None:
    advantages = np.random.default_rng(0).normal(3.0, 7.0, 60)
    indices = minibatch_indices(0, range(3), 0, 20, 2, 5)
    standard = standardize_minibatches(advantages, indices, Comm())
    for epoch in range(2):
        for part in indices[epoch]:
            x = standard[epoch, part].astype(np.float64)
            np.testing.assert_allclose([x.mean(), x.std()], [0.0, 1.0], atol=1e-5)
            np.testing.assert_array_equal(np.argsort(x), np.argsort(advantages[part]))


def test_equal_advantages_become_0_and_not_nan() -> None:
    assert standardize(np.full(10, 4.0), Comm()).tolist() == [0.0] * 10
    standard = standardize_minibatches(np.full(4, 1e4 / 3), np.arange(4).reshape(1, 2, 2), Comm())
    assert np.abs(standard).max() < 1e-3
