"""Rows that are computed together, so that each one's result depends on that row alone.

Matrix products of different sizes are summed in different orders: the last bit of an action would depend on how many
environments share the rank. Products of one size are not enough either. In OpenBLAS's kernels for some processors, the
result of a row also depends on its place among the others, from 12 rows on. So products are made a few rows at a time
where that is needed, which is tried once for every size of weights, while all else is computed for many rows at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from baselines_ppo.common.policy.arrays import Array

Function = Callable[..., tuple[np.ndarray, ...]]

ROWS = 8  # of which batches are made up; their number is padded to a multiple
MOST_ROWS = 256  # in a pass: what lies between two layers stays in the cache
DRAWS = 8  # rows that are tried in every place: of sums over 3 numbers or more, nearly all show it


class BlockedWeights(np.ndarray):
    """Weights [K, N] whose product with rows [B, K] gives each row the same result whatever stands beside it."""

    def __rmatmul__(self, x: Any) -> Any:
        """Return x @ weights [B, N], in one call of numpy, which makes the products of small blocks one by one."""
        weights, count = self.view(np.ndarray), len(x)
        rows = product_rows(*weights.shape) if x.ndim == 2 else None
        if rows is None or rows == count:
            return np.matmul(x, weights)
        if count % rows:
            return in_fixed_rows(lambda block: (block @ weights,), x, rows=rows)[0]
        return np.matmul(x.reshape(-1, rows, x.shape[1]), weights).reshape(count, weights.shape[1])


def blocked(parts: Mapping[str, np.ndarray]) -> dict[str, Array]:
    """Return parameters by name, of which the matrices are `BlockedWeights`."""
    return {name: part.view(BlockedWeights) if part.ndim == 2 else part for name, part in parts.items()}


@functools.cache
def product_rows(inputs: int, outputs: int) -> int | None:
    """Return how many rows a product with weights [inputs, outputs] may take; None: any multiple of `ROWS`."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((inputs, outputs), np.float32)
    draws = rng.standard_normal((DRAWS, inputs), np.float32)

    def product(x: np.ndarray) -> tuple[np.ndarray, ...]:
        return (x @ weights,)

    few, all_sizes = (ROWS, 2 * ROWS, 5 * ROWS, MOST_ROWS), range(ROWS, MOST_ROWS + 1, ROWS)
    if _are_alike(product, (draws,), few) and _are_alike(product, (draws[:1],), all_sizes):
        return None
    return next(rows for rows in _halves(ROWS) if rows == 1 or _are_alike(product, (draws,), (rows,)))


def in_fixed_rows(function: Function, *batches: np.ndarray, rows: int) -> tuple[np.ndarray, ...]:
    """Return function(*batches), computed at most so many rows at a time; padded, to a multiple of `ROWS` or of rows.

    Args:
      rows: a multiple of `ROWS`, or less than that.
    """
    count, step = len(batches[0]), min(rows, ROWS)
    padded = -(-count // step) * step
    if padded != count:
        batches = tuple(_padded(x, padded) for x in batches)
    if padded <= rows:
        return tuple(x[:count] for x in function(*batches))
    blocks = [function(*(x[i : i + rows] for x in batches)) for i in range(0, padded, rows)]
    return tuple(np.concatenate(parts)[:count] for parts in zip(*blocks, strict=True))


def _padded(x: np.ndarray, count: int) -> np.ndarray:
    padded = np.zeros((count, *x.shape[1:]), x.dtype)
    padded[: len(x)] = x
    return padded


def independent_rows(function: Function, examples: tuple[np.ndarray, ...], most: int) -> int:
    """Return how many rows a pass may take, `most` or a half, a quarter, ... of them.

    In such a pass, and in shorter ones, neither a row's place nor their number matters.

    Args:
      examples: batches [n, ...] for the function, whose rows are tried in every place.
    """
    return next(rows for rows in _halves(most) if rows == 1 or _are_alike(function, examples, _sizes(rows)))


def _sizes(rows: int) -> tuple[int, ...]:
    """Return sizes of passes that stand for all that may happen where `rows` are the most."""
    return (*(size for size in (ROWS, 2 * ROWS, 5 * ROWS) if size < rows), rows)


def _halves(most: int) -> Iterator[int]:
    while most:
        yield most
        most //= 2


def _are_alike(function: Function, examples: tuple[np.ndarray, ...], sizes: Iterable[int]) -> bool:
    """Return whether a row gives one result in every place of batches of these sizes, for each of the examples."""
    for k in range(len(examples[0])):
        expected: list[bytes] | None = None
        for size in sizes:
            results = function(*(np.repeat(x[k : k + 1], size, axis=0) for x in examples))
            expected = expected or [result[0].tobytes() for result in results]
            for result, first in zip(results, expected, strict=True):
                if result.tobytes() != first * size:
                    return False
    return True
