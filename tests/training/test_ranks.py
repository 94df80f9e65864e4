"""One process or several, the same result: runs whose minibatches are shared out, to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from baselines_ppo import configure
from baselines_ppo.common.envs.backends import make_backend
from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.gradient import sum_over_shards
from baselines_ppo.common.shards import WHOLE, Shards, rows_by_shard, shards_over, tree_sum
from baselines_ppo.experiments.columns import read_columns
from baselines_ppo.plan import REPLICATED, plan_of, sharings_of
from baselines_ppo.wiring import actor_critic_of
from tests.runs import COUNTING, LSTM, arrays, assert_same_bits, flags, run_all

SPLIT = ("--split-minibatches", "true")
# A preset as it is but for its size: chaos would enlarge a bit of difference within these iterations.
HOPPER = ("--env", "Hopper-v4", "--num-envs", 16, "--num-steps", 64, "--num-timesteps", 4 * 1024)
LARGE = ("--hidden-sizes", "160,160", "--value-minibatch-size", 1024)  # which ppo_kl shares out too
RUNS: dict[str, tuple[object, ...]] = {
    "preset": HOPPER,
    "ppo1": (*flags("HalfCheetah-v4", "ppo1", 2, num_envs=8), *SPLIT),
    "masks": (*flags("tests.envs.masked_tasks:AimedArms-v0", "ppo2", 2, num_envs=8), *SPLIT),
    "masks lstm": (*flags("tests.envs.masked_tasks:TwoArms-v0", "ppo2", 2, num_envs=8), *LSTM, *SPLIT),
    "moments": (*flags("Pendulum-v1", "ppo2", 2, num_envs=12), *SPLIT),
    "lstm": (*flags("CartPole-v1", "ppo2", 2, num_envs=8), *LSTM, "--num-minibatches", 2, *SPLIT),
    "cnn": (*flags("tests.environments:ShownByFrames-v0", "ppo2", 1, num_envs=4), "--num-epochs", 1),
    "trpo": (*flags("Pendulum-v1", "trpo", 2, num_envs=8), "--entropy-coef", 0.01),
    "ppo_kl": (*flags("CartPole-v1", "ppo_kl", 2, num_envs=8), *COUNTING, "--num-episodes", 8, "--num-timesteps", 300),
    "ppo_kl large": (*flags("Pendulum-v1", "ppo_kl", 2, num_envs=8), *LARGE),
}


QUICK = ("preset", "trpo")  # small steps of gradients, and a large one of conjugate gradients; the others are slow


def trained(folder: Path, ranks: int, names: Sequence[str]) -> None:
    """Make these runs on some ranks, one after the other."""
    run_all(ranks, [(*RUNS[name], "--logdir", folder / name) for name in names])


@pytest.mark.parametrize(
    ("ranks", "names"),
    [(2, QUICK), pytest.param(2, [*RUNS], marks=pytest.mark.slow), pytest.param(4, [*RUNS], marks=pytest.mark.slow)],
    ids=["2-quick", "2", "4"],
)
def test_what_is_shared_out_gives_the_same_bits_on_any_number_of_ranks_that_divides_the_shards(
    ranks: int, names: Sequence[str], tmp_path: Path
) -> None:
    for count in (1, ranks):
        trained(tmp_path / str(count), count, names)
    for name in names:
        assert_same_bits(arrays(tmp_path / "1" / name), arrays(tmp_path / str(ranks) / name))
        for count in (1, ranks):
            waiting, sent = (read_columns(tmp_path / str(count) / name)[key] for key in ("waiting_share", "sent_mb"))
            assert ((waiting > 0.0) == (sent > 0.0)).all() and ((waiting > 0.0) == (count > 1)).all()


@pytest.mark.parametrize(
    ("environments", "ranks", "expected"),
    [
        (64, 1, Shards(16, 16)),
        (64, 16, Shards(1, 16)),
        (64, 32, Shards(1, 32)),  # each rank's part is a shard: other roundings
        (12, 2, Shards(2, 4)),
        (12, 3, Shards(1, 3)),
        (20, 4, Shards(1, 4)),
        (7, 1, WHOLE),
    ],
)
def test_the_number_of_shards_does_not_depend_on_the_ranks_that_divide_it(
    environments: int, ranks: int, expected: Shards
) -> None:
    assert shards_over(environments, ranks) == expected


def test_a_tree_adds_neighbours_first() -> None:
    big, small = np.float32(1e8), np.float32(1.0)
    assert tree_sum(np.array([big, -big, small, small])) == 2
    assert tree_sum(np.array([big, small, -big, small])) == 0  # each small one is lost beside its big neighbour
    x = np.random.default_rng(0).standard_normal((16, 5))
    np.testing.assert_allclose(tree_sum(x), x.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_tree_in_a_tensorflow_program_adds_in_the_same_order(compiled: bool) -> None:
    """TensorFlow may make one sum of a chain of additions, and adds it up in an order of its own."""
    x = np.random.default_rng(2).standard_normal((16, 1000)).astype(np.float32)
    parts = tf.range(16)

    def function(x: tf.Tensor, own: tf.Tensor) -> tf.Tensor:
        return sum_over_shards(lambda k: [x[k]], 1, parts, own)[0]

    summed = tf.function(function, autograph=False, jit_compile=compiled)(tf.constant(x), tf.constant(16))
    np.testing.assert_array_equal(summed, tree_sum(x))


def test_each_branch_of_the_tree_is_the_sum_of_some_neighbours() -> None:
    x = np.random.default_rng(1).standard_normal((16, 1000)).astype(np.float32)
    for branches in (2, 4, 8):
        parts = np.stack([tree_sum(part) for part in np.split(x, branches)])
        np.testing.assert_array_equal(tree_sum(parts), tree_sum(x))


def test_a_shard_has_all_rows_of_its_environments_in_the_order_of_time() -> None:
    rows = rows_by_shard(5, 6, 3)
    assert rows[1].tolist() == [6 * t + i for t in range(5) for i in (2, 3)]
    assert sorted(rows.ravel()) == list(range(30))


def test_small_minibatches_of_whole_environments_are_of_all_ranks() -> None:
    """TRPO shares out its policy's step; the value function's minibatches are small, and every rank learns them all."""
    cartpole = make_backend(EnvironmentSpec("CartPole-v1"), 1)
    shape = {"num_envs": 16, "num_steps": 16, "num_minibatches": 16, "lstm_size": 8}
    config = configure("CartPole-v1", "trpo", preset="none", network="lstm", **shape)
    network = actor_critic_of(config, cartpole.observation, cartpole.action)
    for ranks in (1, 2, 16):
        assert plan_of(config, network, ranks).value_sharing == REPLICATED


def test_whether_two_numbers_of_ranks_are_alike_is_known_where_one_of_them_could_not_train() -> None:
    """A run of 2 ranks and 4 environments may go on with 6 on one rank; on 2 ranks, 3 do not make 2 minibatches."""
    cartpole = make_backend(EnvironmentSpec("CartPole-v1"), 1)
    shape: dict[str, Any] = {
        "num_envs": 6,
        "num_steps": 8,
        "num_minibatches": 2,
        "lstm_size": 4,
        "split_minibatches": True,
    }
    config = configure("CartPole-v1", preset="none", network="lstm", **shape)
    network = actor_critic_of(config, cartpole.observation, cartpole.action)
    assert plan_of(config, network, 1).same_bits
    assert [sharing.same_bits for sharing in sharings_of(config, network, 2)] == [False, False]
    with pytest.raises(UsageError, match="num_minibatches 2 does not divide the environments of a rank, 3"):
        plan_of(config, network, 2)
