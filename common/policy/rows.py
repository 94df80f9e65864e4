"""Blocks of rows: how many may be computed at once, so that each row's result depends on that row alone.

Matrix products of different sizes are summed in different orders: the last bit of an action would depend on how many
environments share the rank. Blocks of one size are not enough either. In OpenBLAS's kernels for some processors, the
result of a row also depends on its place in the block, from 12 rows on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator

import numpy as np

Function = Callable[..., tuple[np.ndarray, ...]]

DRAWS = 8  # rows that are tried in every place: of sums over 3 numbers or more, nearly all show it


def in_fixed_rows(function: Function, *batches: np.ndarray, rows: int) -> tuple[np.ndarray, ...]:
    """Return function(*batches), computed so many rows at a time, the last ones padded."""
    count = len(batches[0])
    padded = -(-count // rows) * rows
    if padded != count:
        batches = tuple(np.concatenate([x, np.zeros((padded - count, *x.shape[1:]), x.dtype)]) for x in batches)
    if padded == rows:
        return tuple(x[:count] for x in function(*batches))
    blocks = [function(*(x[i : i + rows] for x in batches)) for i in range(0, padded, rows)]
    return tuple(np.concatenate(parts)[:count] for parts in zip(*blocks, strict=True))


def independent_rows(
    function: Function, examples: tuple[np.ndarray, ...], products: Iterable[tuple[int, int]], most: int
) -> int:
    """Return the largest block, `most` rows or a half, a quarter, ... of them, in which a row's place is no matter.

    Args:
      examples: batches [n, ...] for the function, whose rows are tried in every place.
      products: sizes (K, N) of its matrix products [rows, K] x [K, N], each of which is tried by itself: later layers
        hide a difference in most cases.
    """
    sizes = list(products)
    return next(
        rows
        for rows in _halves(most)
        if rows == 1 or (all(_product_is_alike(*size, rows) for size in sizes) and _is_alike(function, examples, rows))
    )


@functools.cache
def _product_is_alike(inputs: int, outputs: int, rows: int) -> bool:
    """Return whether in a product of these sizes a row's place is no matter."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((inputs, outputs), np.float32)
    return _is_alike(lambda x: (x @ weights,), (rng.standard_normal((DRAWS, inputs), np.float32),), rows)


def _halves(most: int) -> Iterator[int]:
    while most:
        yield most
        most //= 2


def _is_alike(function: Function, examples: tuple[np.ndarray, ...], rows: int) -> bool:
    """Return whether a block that is filled with one row gives one result, for each of the examples."""
    for k in range(len(examples[0])):
        for result in function(*(np.repeat(x[k : k + 1], rows, axis=0) for x in examples)):
            if any(place.tobytes() != result[0].tobytes() for place in result[1:]):
                return False
    return True
