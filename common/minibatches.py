"""How an iteration's transitions are dealt into minibatches, and advantages standardised over all ranks."""

from __future__ import annotations

import numpy as np

from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.seeding import Purpose, generator

SMALLEST_STD = 1e-8


def minibatch_indices(
    seed: int, environments: range, iteration: int, num_steps: int, num_epochs: int, num_minibatches: int
) -> np.ndarray:
    """Return indices [E, K, M] into this rank's flattened rollout, where transition (t, i) has index t n + i.

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


def standardize(advantages: np.ndarray, comm: Comm) -> np.ndarray:
    """Return advantages with mean 0 and standard deviation 1 over the whole iteration of all ranks."""
    mean, variance, _ = comm.moments(advantages.ravel())
    return ((advantages - mean) / (np.sqrt(variance) + SMALLEST_STD)).astype(np.float32)


def standardize_minibatches(advantages: np.ndarray, indices: np.ndarray, comm: Comm) -> np.ndarray:
    """Return advantages [E, B] standardised over the global minibatch that each falls into.

    Args:
      advantages: this rank's, flattened, [B].
      indices: which minibatch takes which, [E, K, M]. All E x K moments travel in one collective.
    """
    dealt = advantages.astype(np.float64)[indices]
    count, total = comm.size * dealt.shape[-1], np.stack([dealt.sum(-1), (dealt * dealt).sum(-1)])
    mean, square = comm.sum(total) / count
    std = np.sqrt(np.maximum(square - mean * mean, 0.0))
    standard = (dealt - mean[..., None]) / (std[..., None] + SMALLEST_STD)
    result = np.empty((len(indices), len(advantages)), dtype=np.float32)
    for epoch, chosen in enumerate(indices):
        result[epoch, chosen] = standard[epoch]
    return result
