"""Dealing transitions into minibatches, and standardising advantages."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from baselines_ppo import configure
from baselines_ppo.common.minibatches import (
    Share,
    deal_unequal,
    minibatch_indices,
    moments_per_minibatch,
    standardize,
    whole_environment_indices,
)
from baselines_ppo.common.mpi import Comm, world
from baselines_ppo.common.policy.actions import BoxAction
from baselines_ppo.common.policy.observations import BoxObservation
from baselines_ppo.common.shards import WHOLE, Shards, shards_over
from baselines_ppo.plan import OWN, plan_of
from baselines_ppo.settings.config import resolve
from baselines_ppo.wiring import actor_critic_of
from tests.conftest import Finished

LENGTHS = np.array([37, 5, 0, 18, 61, 40])  # steps of six environments


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
    standard = standardize(advantages, np.ones(1000, bool), Comm())
    np.testing.assert_allclose([standard.mean(), standard.std()], [0.0, 1.0], atol=1e-5)


@pytest.mark.parametrize("whole", [False, True], ids=["steps", "sequences"])
def test_the_moments_of_minibatches_are_those_of_their_own_rows(whole: bool) -> None:
    advantages = np.random.default_rng(0).normal(3.0, 7.0, (6, 9) if whole else 60)
    indices = whole_environment_indices(0, range(6), 0, 2, 3) if whole else minibatch_indices(0, range(3), 0, 20, 2, 5)
    mean, std = moments_per_minibatch(advantages, indices, Comm())
    for place in np.ndindex(*mean.shape):
        rows = advantages[indices[place]]
        np.testing.assert_allclose([mean[place], std[place]], [rows.mean(), rows.std()], rtol=1e-9)


def test_equal_advantages_become_0_and_not_nan() -> None:
    assert standardize(np.full(10, 4.0), np.ones(10, bool), Comm()).tolist() == [0.0] * 10


def test_advantages_of_steps_that_were_not_made_do_not_count() -> None:
    made = np.array([[True, True], [True, False], [True, False]])
    standard = standardize(np.array([[1.0, 2.0], [3.0, 1e6], [6.0, -1e6]]), made, Comm())
    np.testing.assert_allclose([standard[made].mean(), standard[made].std()], [0.0, 1.0], atol=1e-6)


def test_every_whole_environment_is_in_one_minibatch_of_each_epoch() -> None:
    indices = whole_environment_indices(3, range(8, 20), 1, 50, 4)
    assert indices.shape == (50, 4, 3)
    for epoch in indices:
        assert sorted(epoch.ravel()) == list(range(12))
    assert len({epoch.tobytes() for epoch in indices}) > 40
    assert (whole_environment_indices(3, range(8, 20), 2, 50, 4) != indices).any()


@pytest.mark.parametrize("ranks", [2, 4])
def test_whole_environments_share_minibatches_alike_on_any_number_of_ranks(ranks: int) -> None:
    whole, count = whole_environment_indices(5, range(16), 7, 3, 4), 16 // ranks
    parts = [
        whole_environment_indices(5, range(first, first + count), 7, 3, 4) + first for first in range(0, 16, count)
    ]
    together = np.concatenate(parts, axis=2)
    np.testing.assert_array_equal(np.sort(together, axis=2), np.sort(whole, axis=2))


@pytest.mark.parametrize("shards", [1, 2])
def test_unequal_environments_are_dealt_each_step_once_with_weights_of_one_in_all(shards: int) -> None:
    count, firsts = int(LENGTHS.sum()), np.cumsum(LENGTHS) - LENGTHS
    members = []
    for indices, weights in deal_unequal(0, range(6), 3, LENGTHS, 4, 20, Comm(), Shards(shards, shards)):
        assert len(indices) == count // 20
        assert weights.shape == (count,)
        assert sorted(indices[indices >= 0]) == list(range(count))
        sizes = (indices >= 0).sum(axis=1)
        assert abs(sizes - count / len(indices)).max() <= len(LENGTHS)
        for minibatch in indices.reshape(len(indices), shards, -1):
            taken = minibatch[minibatch >= 0]
            assert weights[taken].sum() / shards == pytest.approx(1.0, rel=1e-5)
            assert np.ptp(weights[taken]) == 0  # equal within a minibatch
            for shard, rows in enumerate(minibatch):  # neighbours: of two shards the first has the first three
                environments = np.searchsorted(firsts, rows[rows >= 0], "right") - 1
                assert set(environments * shards // 6) <= {shard}
        members.append(indices.tobytes())
    assert len(set(members)) == 4


def test_few_steps_make_one_minibatch() -> None:
    ((indices, weights),) = deal_unequal(0, range(2), 0, np.array([2, 3]), 1, 256, Comm(), WHOLE)
    assert sorted(indices[0]) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(weights, [0.2] * 5)


def test_no_minibatch_is_empty_however_short_the_environments_are() -> None:
    for iteration in range(30):
        for indices, weights in deal_unequal(0, range(3), iteration, np.array([2, 2, 2]), 1, 2, Comm(), WHOLE):
            np.testing.assert_allclose([weights[rows[rows >= 0]].sum() for rows in indices], 1.0, rtol=1e-5)


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_unequal_minibatches_hold_the_same_steps_with_the_same_weights_on_any_number_of_ranks(
    ranks: int, mpi: Callable[..., Finished]
) -> None:
    finished = mpi(ranks, __file__)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout.count("checked") == ranks


def test_shares_grow_one_behind_the_other() -> None:
    share = Share(np.ones((2, 3), np.float32), np.array([1.0, 2.0], np.float32))
    both = Share.empty((3,)).followed_by(share).followed_by(share)
    assert both.observations.shape == (4, 3)
    assert both.targets.tolist() == [1.0, 2.0, 1.0, 2.0]


def dealt(comm: Comm) -> np.ndarray:
    """Return minibatch and share of the whole [E, n, L, 2] of each step of all environments, on every rank."""
    count, shards = len(LENGTHS) // comm.size, shards_over(len(LENGTHS), comm.size)
    own = range(comm.rank * count, (comm.rank + 1) * count)
    lengths, places = LENGTHS[own.start : own.stop], np.zeros((2, len(LENGTHS), LENGTHS.max(), 2))
    for epoch, (indices, weights) in enumerate(deal_unequal(1, own, 4, lengths, 2, 20, comm, shards)):
        number = np.full(lengths.sum(), -1)
        for k, minibatch in enumerate(indices):
            number[minibatch[minibatch >= 0]] = k
        first = 0
        for environment, length in zip(own, lengths, strict=True):
            rows = slice(first, first + length)
            places[epoch, environment, :length] = np.stack([number[rows] + 1, weights[rows] / shards.total], axis=1)
            first += length
    return comm.sum(places)


if __name__ == "__main__":
    np.testing.assert_allclose(dealt(world()), dealt(Comm()), rtol=1e-6)
    sys.stdout.write("checked\n")


@pytest.mark.parametrize(
    ("alg", "fields", "split"),
    [
        ("ppo2", {}, False),  # 64 x 11,085
        ("ppo2", {"num_minibatches": 2}, False),  # 1,024 x 11,085
        ("ppo2", {"num_minibatches": 1}, True),  # 2,048 x 11,085
        ("ppo2", {"hidden_sizes": (512, 512)}, True),
        ("ppo2", {"split_minibatches": True}, True),
        ("ppo2", {"num_minibatches": 1, "split_minibatches": False}, False),
        ("trpo", {}, True),
        ("ppo_kl", {}, True),
    ],
)
def test_small_minibatches_are_not_shared_out(alg: str, fields: dict[str, Any], split: bool) -> None:
    config = configure("HalfCheetah-v4", alg, preset="none", **fields)
    network = actor_critic_of(config, BoxObservation((17,), "float64"), BoxAction((-1.0,) * 6, (1.0,) * 6, (6,)))
    assert (plan_of(resolve(config, 1), network, 1).sharing.learns_from == OWN) == split
