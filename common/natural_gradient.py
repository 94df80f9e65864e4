"""The two pure functions that TRPO is made of: conjugate gradient and backtracking line search."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

SMALLEST_RESIDUAL = 1e-10


def conjugate_gradient(product: Callable[[np.ndarray], np.ndarray], b: np.ndarray, steps: int) -> np.ndarray:
    """Return x with A x close to b, after at most `steps` steps from zero.

    Args:
      product: v -> A v of a symmetric positive definite matrix, [P] -> [P].
      b: [P].

    Source: Hestenes and Stiefel 1952; Golub and Van Loan, "Matrix Computations", algorithm 11.3.3.
    """
    x = np.zeros_like(b)
    residual, direction = b.copy(), b.copy()
    square = residual @ residual
    for _ in range(steps):
        if square < SMALLEST_RESIDUAL:
            break
        image = product(direction)
        curvature = direction @ image
        if not curvature > 0.0:  # singular, or NaN
            break
        length = square / curvature
        x += length * direction
        residual -= length * image
        before, square = square, residual @ residual
        direction = residual + (square / before) * direction
    return x


class Tried(NamedTuple):
    """What a candidate gives."""

    improvement: float  # of the surrogate objective, over the policy that collected
    kl: float


class Accepted(NamedTuple):
    """The step that a line search took; `length` is 0 and `parameters` are unchanged if none was good."""

    parameters: np.ndarray
    length: float
    tried: Tried


def line_search(
    evaluate: Callable[[np.ndarray], Tried],
    parameters: np.ndarray,
    step: np.ndarray,
    kl_target: float,
    factor: float,
    steps: int,
) -> Accepted:
    """Return the first of parameters + factor^k step, k = 0, 1, ..., that improves within the trust region.

    Args:
      evaluate: candidate parameters [P] -> what they give, the same on all ranks.
      parameters, step: where to begin and the full step, [P].

    Source: Schulman et al. 2015, "Trust Region Policy Optimization", arXiv:1502.05477, appendix C.
    """
    length = 1.0
    for _ in range(steps):
        candidate = (parameters + length * step).astype(parameters.dtype)
        tried = evaluate(candidate)
        if tried.improvement > 0.0 and tried.kl <= kl_target:  # false for NaN too
            return Accepted(candidate, length, tried)
        length *= factor
    return Accepted(parameters, 0.0, Tried(0.0, 0.0))
