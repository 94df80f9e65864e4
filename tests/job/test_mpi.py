"""Collectives over real ranks: each test runs this file under mpirun, whose ranks check themselves."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from baselines_ppo.common.failures import DataError, LoadError, UsageError
from baselines_ppo.common.mpi import Comm, world
from baselines_ppo.common.rollout import Rollout, of_all_ranks
from baselines_ppo.common.values import Cuts
from tests.conftest import Finished

ARRAYS = (
    "raw_observations", "observations", "actions", "outputs", "log_probs", "rewards", "discounted_returns", "values",
    "next_values",
)  # fmt: skip


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_collectives_over_ranks(ranks: int, mpi: Callable[..., Finished]) -> None:
    finished = mpi(ranks, __file__)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout.count("all checks passed") == ranks


def test_without_mpi_one_rank_talks_to_itself() -> None:
    check_all(Comm())


def test_ranks_of_a_foreign_launcher_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A launcher that says 4 ranks where MPI sees one would make four trainings of one folder."""
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "0")
    world.cache_clear()
    with pytest.raises(UsageError, match="Open MPI's mpirun started 4 ranks, which MPICH"):
        world()
    world.cache_clear()


def test_an_mpi_that_is_named_and_does_not_load_is_one_line_on_two_ranks(
    mpi: Callable[..., Finished], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPI4PY_LIBMPI", "/none/libmpi.so")
    finished = mpi(2, "-m", "baselines_ppo.run", "--env", "CartPole-v1")
    assert (finished.returncode, finished.stderr.count("\n")) == (2, 1), finished.stderr
    assert "started 2 ranks, but mpi4py does not load" in finished.stderr
    assert finished.stderr.endswith("; MPI4PY_LIBMPI is /none/libmpi.so: unset it, or name another\n")


def samples(rank: int) -> np.ndarray:
    """Return a different number of samples on each rank."""
    return np.random.default_rng(rank).normal(10.0 * rank, 1.0 + rank, (5 + 3 * rank, 4))


def moments_equal_numpy_on_the_union(comm: Comm) -> None:
    union = np.concatenate([samples(rank) for rank in range(comm.size)])
    moments = comm.moments([samples(comm.rank)])
    np.testing.assert_allclose(moments.mean, union.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.variance, union.var(axis=0), rtol=1e-12)
    assert moments.samples == len(union)


def sums_are_the_same_bits_on_all_ranks_every_time(comm: Comm) -> None:
    for size in (1, 1000, 60_000):
        x = np.random.default_rng(comm.rank).standard_normal(size).astype(np.float32)
        first = comm.sum(x)
        assert all(np.array_equal(comm.sum(x), first) for _ in range(10))
        assert all(np.array_equal(row, first) for row in comm.stack(first))
        np.testing.assert_allclose(first, comm.stack(x.astype(np.float64)).sum(axis=0), rtol=1e-4, atol=1e-5)


def what_was_received_stays_when_more_is_sent(comm: Comm) -> None:
    x = np.arange(1000, dtype=np.float32)
    comm.sum(np.ones(2000)), comm.stack(np.ones(2000))  # what comes later fits in the same memory
    total, rows = comm.sum(x), comm.stack(x)
    comm.sum(np.ones(2000)), comm.stack(np.ones(2000))
    np.testing.assert_array_equal(total, comm.size * x)
    np.testing.assert_array_equal(rows, [x] * comm.size)


def a_power_of_two_of_ranks_is_added_up_in_one_tree(comm: Comm) -> None:
    """Large and small numbers, so that another order would give another sum."""
    for size, dtype in ((1, np.float64), (7, np.float32), (60_000, np.float32), (3, np.int64)):
        rng = np.random.default_rng([comm.rank, size])
        x = (rng.standard_normal(size) * 10.0 ** rng.integers(0, 6, size)).astype(dtype)
        total, rows = comm.sum(x), [row.copy() for row in comm.stack(x)]
        if comm.size == 3:
            np.testing.assert_allclose(total, np.sum(rows, axis=0), rtol=1e-4, atol=1e-1)
            continue
        while len(rows) > 1:
            rows = [one + other for one, other in zip(rows[::2], rows[1::2], strict=True)]
        np.testing.assert_array_equal(total, rows[0])


def arrays_of_all_kinds_travel_as_one(comm: Comm) -> None:
    def of(rank: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(rank)
        numbers = rng.standard_normal((3, 2), dtype=np.float32)
        return {"flags": numbers > 0, "none": numbers[:, :0], "numbers": numbers.T, "steps": rng.integers(9, size=5)}

    stacked = comm.stack_all(of(comm.rank))
    for name, x in of(0).items():
        assert stacked[name].dtype == x.dtype
        np.testing.assert_array_equal(stacked[name], [of(rank)[name] for rank in range(comm.size)])


def objects_travel(comm: Comm) -> None:
    gathered = comm.gather({"rank": comm.rank})
    assert gathered == ([{"rank": rank} for rank in range(comm.size)] if comm.is_root else None)
    assert comm.broadcast(("from", comm.rank)) == ("from", 0)
    comm.messages.cost()
    arrays = comm.gather_all(np.full(1000 * (comm.rank + 1), comm.rank))
    assert [(len(x), x.max()) for x in arrays] == [(1000 * (rank + 1), rank) for rank in range(comm.size)]
    assert comm.messages.cost().sent >= 8000 * (comm.size - 1)  # each rank's own are told to the others


def arrays_of_other_lengths_are_not_stacked(comm: Comm) -> None:
    for x in (np.ones(4 + comm.rank), np.ones(4, np.float32 if comm.is_root else np.float64)):
        if comm.size > 1:
            with pytest.raises(DataError, match="ranks out of step at lengths"):
                comm.stack(x, "lengths")
    np.testing.assert_array_equal(comm.stack(np.full(2, comm.rank)), [[rank, rank] for rank in range(comm.size)])


def rollouts_of_other_lengths_are_joined(comm: Comm) -> None:
    """Where episodes are counted, each rank has made as many steps as its longest environment."""

    def own(rank: int) -> Rollout:
        length, rng = 3 + 2 * rank, np.random.default_rng(rank)
        drawn = {name: rng.standard_normal((length, 2)).astype(np.float32) for name in ARRAYS}
        made = np.arange(length)[:, None] < rng.integers(1, length + 1, 2)
        states, cuts = (
            np.full((2, 1), rank, np.float32),
            Cuts.at(rank, np.array([1]), drawn["rewards"][:1, :1], np.zeros((1, 1))),
        )
        others = {"iteration": 0, "episodes": [], "seconds": {}, "states": states, "cuts": cuts, "made": made}
        parts: dict[str, Any] = {**drawn, "ends": made, "dropped": ~made, **others}
        return Rollout(**parts)

    rollouts = [own(rank) for rank in range(comm.size)]
    joined = of_all_ranks(rollouts[comm.rank], comm)
    assert joined.num_transitions == sum(rollout.num_transitions for rollout in rollouts)
    for name in ("rewards", "observations", "made", "ends"):
        for rank, rollout in enumerate(rollouts):
            x = getattr(joined, name)[:, 2 * rank : 2 * rank + 2]
            np.testing.assert_array_equal(x[: 3 + 2 * rank], getattr(rollout, name))
            assert not x[3 + 2 * rank :].any()
    np.testing.assert_array_equal(joined.states[:, 0], np.repeat(np.arange(comm.size), 2))


def sums_of_small_numbers_are_refused(comm: Comm) -> None:
    for dtype in (np.int8, np.uint8, np.bool_, np.float16):
        with pytest.raises(TypeError, match="at least 32 bits"):
            comm.sum(np.ones(3, dtype))


def a_failure_on_root_is_raised_everywhere(comm: Comm) -> None:
    def fail() -> int:
        raise LoadError("no such file")

    with pytest.raises(LoadError, match="no such file"):
        comm.on_root(fail)
    assert comm.on_root(lambda: 7) == 7


def a_failure_of_one_rank_is_raised_everywhere(comm: Comm) -> None:
    def fail_on_the_last() -> int:
        if comm.rank == comm.size - 1:
            raise LoadError(f"rank {comm.rank} cannot")
        return comm.rank

    with pytest.raises(LoadError, match=f"rank {comm.size - 1} cannot"):
        comm.together(fail_on_the_last)
    assert comm.together(lambda: comm.rank) == comm.rank


def one_bit_of_difference_is_noticed(comm: Comm) -> None:
    x = np.ones(5, np.float32)
    comm.assert_equal({"x": x, "y": x}, "now")
    if comm.rank == comm.size - 1 > 0:
        x[3] = np.nextafter(x[3], np.float32(2))
    if comm.size > 1:
        with pytest.raises(DataError, match=f"ranks out of sync now: rank {comm.size - 1} differs"):
            comm.assert_equal({"x": x, "y": np.ones(5)}, "now")


def what_messages_cost_is_counted(comm: Comm) -> None:
    """Bytes of a sum of 999 numbers and the tag: in a tree once per floor, else 2 (R - 1) / R times."""
    x = np.zeros(999, np.float32)
    comm.messages.cost()
    comm.sum(x)
    waited, sent = comm.messages.cost()
    assert (waited > 0.0) == (comm.size > 1)
    assert sent == {1: 0, 2: 4_000, 3: 5_333, 4: 8_000}[comm.size]
    comm.stack(x)
    assert comm.messages.cost().sent == 999 * 4 * (comm.size - 1)
    assert comm.messages.cost() == (0.0, 0)


def check_all(comm: Comm) -> None:
    """Run every check on the ranks of a communicator."""
    for check in (
        moments_equal_numpy_on_the_union,
        sums_are_the_same_bits_on_all_ranks_every_time,
        what_was_received_stays_when_more_is_sent,
        a_power_of_two_of_ranks_is_added_up_in_one_tree,
        arrays_of_all_kinds_travel_as_one,
        arrays_of_other_lengths_are_not_stacked,
        rollouts_of_other_lengths_are_joined,
        objects_travel,
        a_failure_on_root_is_raised_everywhere,
        sums_of_small_numbers_are_refused,
        a_failure_of_one_rank_is_raised_everywhere,
        one_bit_of_difference_is_noticed,
        what_messages_cost_is_counted,
    ):
        check(comm)


if __name__ == "__main__":
    check_all(world())
    sys.stdout.write(f"rank {world().rank}: all checks passed\n")
