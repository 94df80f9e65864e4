"""The simulation of many ranks: what it must give where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from baselines_ppo.run.bench.constants import Constants
from baselines_ppo.run.bench.simulation import Network, rows_of, simulated

FREE = Network(16, (0.0, 0.0), (0.0, 0.0))


def rank(environments: int, collecting: list[float], shares_out: bool = True) -> Constants:
    """Return a rank that learns in 1 ms per environment."""
    return Constants(environments, collecting, 1e-3 * environments, 0.0, 20.0, 128 * environments, 1000, 0, shares_out)


def test_ranks_that_share_all_and_need_no_messages_lose_nothing() -> None:
    rows = rows_of("x", rank(64, [0.64] * 3), rank(4, [0.04] * 3), FREE)
    assert {row["efficiency"] for row in rows} == {1.0}
    assert [row["environments"] for row in rows] == [64, 64, 64, 256, 1024, 4096]


def test_where_each_rank_learns_everything_learning_does_not_shrink() -> None:
    few = rank(4, [0.04], shares_out=False)
    found = simulated(rank(64, [0.64], shares_out=False), few, 16, 64, FREE, np.random.default_rng(0))
    assert (found.collecting, found.learning) == pytest.approx((0.04, 0.064))


def test_the_slowest_of_more_ranks_is_later() -> None:
    """Of ranks that take 3 or 5, the mean one takes 4, and the slowest 5 as soon as there are many."""
    whole, part = rank(64, [64.0]), rank(4, [3.0, 4.0, 5.0])
    waiting = [
        simulated(whole, part, ranks, 4 * ranks, FREE, np.random.default_rng(0)).waiting for ranks in (1, 4, 4096)
    ]
    assert waiting[0] == 0.0 < waiting[1] < waiting[2] == pytest.approx(1.0, abs=0.05)


def test_a_sum_costs_an_exchange_for_each_floor_within_hosts_and_between_them() -> None:
    network = Network(16, (10e-6, 1e-9), (30e-6, 2e-9))
    assert network.exchange(1, 1e6) == 0.0
    assert network.exchange(64, 1000.0) == pytest.approx(4 * 11e-6 + 2 * 32e-6)
