"""How an iteration's transitions are dealt into minibatches, and advantages standardised over all ranks.

A rollout is what this rank learns from: its own steps, or those of all ranks (`plan.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.rollout import Rollout, by_environment
from baselines_ppo.common.seeding import Purpose, generator
from baselines_ppo.common.shards import Shards, tree_sum

SMALLEST_STD = 1e-8


def minibatch_indices(
    seed: int, environments: range, iteration: int, num_steps: int, num_epochs: int, num_minibatches: int
) -> np.ndarray:
    """Return indices [E, K, M] into the flattened rollout, where transition (t, i) has index t n + i.

    Each environment's T steps are shuffled by its own stream and dealt into K parts, so that a minibatch holds
    the same transitions over all ranks whatever their number. K must divide T.
    """
    steps = np.empty((num_epochs, num_steps, len(environments)), dtype=np.int32)
    for column, environment in enumerate(environments):
        rng = generator(seed, Purpose.SHUFFLE, environment, iteration)
        order = np.tile(np.arange(num_steps), (num_epochs, 1))
        steps[:, :, column] = rng.permuted(order, axis=1)
    indices = steps * len(environments) + np.arange(len(environments), dtype=np.int32)
    return indices.reshape(num_epochs, num_minibatches, -1)


def whole_environment_indices(
    seed: int, environments: range, iteration: int, num_epochs: int, num_minibatches: int
) -> np.ndarray:
    """Return indices [E, K, m] into the rollout's environments, as policies with memory need whole sequences.

    Every K neighbours are dealt to the K minibatches, in an order that the first of them draws: again the same over
    all ranks whatever their number. K must divide n.
    """
    indices = np.empty((num_epochs, len(environments) // num_minibatches, num_minibatches), dtype=np.int32)
    for group in range(indices.shape[1]):
        first = group * num_minibatches
        rng = generator(seed, Purpose.SHUFFLE, environments[first], iteration)
        neighbours = np.tile(np.arange(first, first + num_minibatches), (num_epochs, 1))
        indices[:, group] = rng.permuted(neighbours, axis=1)
    return indices.transpose(0, 2, 1)


class Passes(Protocol):
    """How often experience is gone through, and in how many parts each time."""

    @property
    def num_epochs(self) -> int: ...

    @property
    def num_minibatches(self) -> int: ...


def deal(
    seed: int, environments: range, rollout: Rollout, recurrent: bool, passes: Passes, shards: Shards
) -> np.ndarray:
    """Return which rows of a rollout make each minibatch of each epoch, [E, K, M], shard by shard."""
    num_epochs, num_minibatches = passes.num_epochs, passes.num_minibatches
    if recurrent:  # neighbours come first already
        return whole_environment_indices(seed, environments, rollout.iteration, num_epochs, num_minibatches)
    num_steps = len(rollout.rewards)
    dealt = minibatch_indices(seed, environments, rollout.iteration, num_steps, num_epochs, num_minibatches)
    by_step = dealt.reshape(num_epochs, num_minibatches, num_steps // num_minibatches, shards.own, -1)
    return np.ascontiguousarray(by_step.swapaxes(2, 3)).reshape(dealt.shape)


class Share(NamedTuple):
    """One environment's part in what a value function is fitted to, of any length L."""

    observations: np.ndarray  # [L, ...], normalised
    targets: np.ndarray  # [L] float32

    @staticmethod
    def empty(shape: tuple[int, ...]) -> Share:
        """Return a share of no steps."""
        return Share(np.zeros((0, *shape), np.float32), np.zeros(0, np.float32))

    def followed_by(self, other: Share) -> Share:
        """Return both shares as one."""
        if not len(self.targets):  # nothing was known before, not even whether there are bytes or numbers
            return other
        return Share(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


def deal_unequal(
    seed: int,
    environments: range,
    iteration: int,
    lengths: np.ndarray,
    num_epochs: int,
    size: int,
    comm: Comm,
    shards: Shards,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield each epoch's minibatches of about `size` transitions over all ranks, of environments of unequal lengths.

    Each environment's steps are shuffled by its own stream and dealt as evenly as they can be, so that a minibatch
    holds the same transitions over all ranks whatever their number. Yields indices [K, S m] into this rank's steps,
    one environment behind the other, shard by shard, each padded with -1; and weights [B] whose sum over a minibatch,
    averaged over shards, is 1.

    Args:
      lengths: steps of each environment that this rank learns from, [n].
    """
    count = int(lengths.sum())
    num_minibatches = max(int(comm.sum(np.array([count]), "transitions")[0]) // size, 1)
    streams = [generator(seed, Purpose.SHUFFLE, environment, iteration) for environment in environments]
    firsts = np.cumsum(lengths) - lengths
    for _ in range(num_epochs):
        parts: list[list[np.ndarray]] = [[] for _ in range(num_minibatches)]
        for stream, first, length in zip(streams, firsts, lengths, strict=True):
            offset = int(stream.integers(num_minibatches))  # who gets the odd ones
            for k, dealt in enumerate(np.array_split(first + stream.permutation(length), num_minibatches)):
                parts[(k + offset) % num_minibatches].append(dealt)
        totals = comm.sum(np.array([sum(map(len, part)) for part in parts]), "minibatch sizes")
        weights = np.zeros(count, np.float32)
        for k, part in enumerate(parts):
            weights[np.concatenate(part)] = shards.total / max(totals[k], 1)
        dealt = padded([rows for part in parts for rows in in_shards(part, shards.own)])
        yield dealt.reshape(num_minibatches, -1)[totals > 0], weights  # of few steps, a minibatch may get none


def in_shards(rows: list[np.ndarray], shards: int) -> list[np.ndarray]:
    """Return rows of environments [n] of any lengths as rows of shards, of neighbouring environments."""
    count = len(rows) // shards
    return [np.concatenate(rows[first : first + count]) for first in range(0, len(rows), count)]


def padded(rows: list[np.ndarray]) -> np.ndarray:
    """Return rows of any lengths as one array [S, m], the shorter ones followed by -1."""
    taken = np.full((len(rows), max(map(len, rows))), -1, np.int32)
    for place, own in zip(taken, rows, strict=True):
        place[: len(own)] = own
    return taken


def standardize(advantages: np.ndarray, made: np.ndarray, comm: Comm) -> np.ndarray:
    """Return advantages [T, n] with mean 0 and standard deviation 1 over those made in the iteration, of all ranks."""
    mean, variance, _ = comm.moments(by_environment(advantages, made))
    return ((advantages - mean) / (np.sqrt(variance) + SMALLEST_STD)).astype(np.float32)


def moments_per_minibatch(
    advantages: np.ndarray, indices: np.ndarray, comm: Comm, shards: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation, each [E, K], of the advantages of each global minibatch.

    Args:
      advantages: of what this rank learns from, [B] or with memory [n, T].
      indices: which minibatch takes which rows, [E, K, M], shard by shard. All E x K moments travel in one collective.
    """
    dealt = advantages.astype(np.float64)[indices].reshape(*indices.shape[:2], shards, -1)
    count = comm.size * shards * dealt.shape[-1]
    sums = tree_sum(np.moveaxis(np.stack([dealt.sum(-1), (dealt * dealt).sum(-1)]), -1, 0))
    mean, square = comm.sum(sums, "advantages") / count
    return mean, np.sqrt(np.maximum(square - mean * mean, 0.0))
