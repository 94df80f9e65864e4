"""The benchmark: its model of sums over ranks, and that its tables come out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from baselines_ppo.run.bench.scaling import cost_of_sum, fit
from tests.conftest import Finished


def test_the_fit_finds_the_latency_and_bandwidth_that_times_were_made_of() -> None:
    """30 us per doubling, 2 GB/s: four ranks sum 1,000 floats in 60 us + 2 x 3/4 x 4 kB / 2 GB/s = 63 us."""
    latency, per_byte = 30e-6, 1 / 2e9
    times = {
        ranks: {str(size): cost_of_sum(ranks, size, latency, per_byte) for size in (1_000, 100_000, 1_000_000)}
        for ranks in (2, 4, 8)
    }
    assert times[4]["1000"] == pytest.approx(63e-6)
    assert fit(times) == pytest.approx((latency, per_byte))


def test_a_sum_on_one_rank_costs_nothing() -> None:
    assert cost_of_sum(1, 10**6, 1e-3, 1e-9) == 0.0


def test_the_table_has_a_row_for_each_environment_and_number_of_ranks(trainer: Callable[..., Finished]) -> None:
    finished = trainer(1, "bench", "--env", "CartPole-v1", "--ranks", "1,2")
    assert finished.returncode == 0, finished.stderr
    rows = [line.split() for line in finished.stdout.splitlines() if line.startswith("CartPole-v1")]
    assert [row[1] for row in rows] == ["1", "2"]
    for row in rows:
        simulator, environments, collecting, learning, training = (float(x.replace(",", "")) for x in row[2:7])
        assert min(simulator, environments) > 0
        assert min(collecting, learning) > training > 0  # which is made of both


def test_bench_is_not_for_mpirun(trainer: Callable[..., Finished]) -> None:
    finished = trainer(2, "bench")
    assert finished.returncode == 2
    assert "run it without mpirun" in finished.stderr
