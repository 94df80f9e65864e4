"""Shards: the fixed parts, by environments, in which a minibatch's gradient is computed and added up.

Adding numbers in another order gives other rounding errors. A shard is the same whatever the number of ranks, and
shards are added up in one binary tree, neighbours first, ((0 + 1) + (2 + 3)) + ..., of which a rank that has a power
of two of neighbours computes its own branch; `Comm.sum` is the rest of the tree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from baselines_ppo.common.policy.arrays import Array

MOST_SHARDS = 16


class Shards(NamedTuple):
    """How many shards this rank computes, and how many there are over all ranks."""

    own: int
    total: int


WHOLE = Shards(1, 1)  # everything in one go


def shards_over(environments: int, ranks: int) -> Shards:
    """Return the shards of minibatches that so many environments share alike.

    There are as many as the largest power of two up to 16 that divides the environments, whatever the ranks; where
    the ranks do not divide that, each rank's part is one shard.
    """
    total = math.gcd(environments, MOST_SHARDS)
    return Shards(total // ranks, total) if total % ranks == 0 else Shards(1, ranks)


def tree_sum(parts: Iterable[Array]) -> Array:
    """Return the sum of a power of two of arrays of one shape, added up in a binary tree, neighbours first.

    TensorFlow makes one operation of additions that follow each other, which adds in an order of its own. So each
    level of the tree adds arrays of another shape.
    """
    level, depth = list(parts), 0
    while len(level) > 1:
        level = [(one + other)[None] for one, other in zip(level[0::2], level[1::2], strict=True)]
        depth += 1
    return level[0][(0,) * depth]


def rows_by_shard(num_steps: int, num_environments: int, shards: int) -> np.ndarray:
    """Return which of the rows t n + i belong to each shard of neighbouring environments, [S, T n / S]."""
    rows = np.arange(num_steps * num_environments, dtype=np.int32)
    return rows.reshape(num_steps, shards, -1).swapaxes(0, 1).reshape(shards, -1)
