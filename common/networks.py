"""Networks as pure functions of one flat parameter vector, written over an array namespace."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from baselines_ppo.common.arrays import Array


def _elu(xp: Any, x: Array) -> Array:
    return xp.maximum(x, 0.0) + (xp.exp(xp.minimum(x, 0.0)) - 1.0)


def _silu(xp: Any, x: Array) -> Array:
    return 0.5 * x * (1.0 + xp.tanh(0.5 * x))  # x sigmoid(x), without the overflow of exp(-x)


ACTIVATIONS: dict[str, Callable[[Any, Array], Array]] = {
    "tanh": lambda xp, x: xp.tanh(x),
    "relu": lambda xp, x: xp.maximum(x, 0.0),
    "elu": _elu,
    "silu": _silu,
}


@dataclass(frozen=True)
class ParameterLayout:
    """Where each named parameter lies in the flat vector."""

    shapes: tuple[tuple[str, tuple[int, ...]], ...]

    @cached_property
    def size(self) -> int:
        """P, the number of parameters."""
        return sum(math.prod(shape) for _, shape in self.shapes)

    def split(self, vector: Array) -> dict[str, Array]:
        """Return views of the flat vector [P] by name, each of its own shape."""
        parts, offset = {}, 0
        for name, shape in self.shapes:
            length = math.prod(shape)
            part = vector[offset : offset + length]
            parts[name] = part.reshape(shape) if isinstance(part, np.ndarray) else _tf_reshape(part, shape)
            offset += length
        return parts

    def join(self, parts: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the flat float32 vector [P] of named arrays."""
        return np.concatenate([np.ravel(parts[name]).astype(np.float32) for name, _ in self.shapes])


def _tf_reshape(tensor: Array, shape: tuple[int, ...]) -> Array:
    import tensorflow as tf  # only reached with a tensor at hand

    return tf.reshape(tensor, shape)


def dense_shapes(scope: str, sizes: tuple[int, ...]) -> list[tuple[str, tuple[int, ...]]]:
    """Return names and shapes of the layers that lead through `sizes`, from input to output."""
    shapes: list[tuple[str, tuple[int, ...]]] = []
    for layer, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        shapes += [(f"{scope}/{layer}/weights", (inputs, outputs)), (f"{scope}/{layer}/bias", (outputs,))]
    return shapes


def dense(xp: Any, parameters: Mapping[str, Array], scope: str, x: Array, activation: str | None) -> Array:
    """Return x [..., inputs] led through one scope's layers, each followed by the activation.

    With `activation` None there is one linear layer and nothing after it.
    """
    layer = 0
    while (weights := parameters.get(f"{scope}/{layer}/weights")) is not None:
        x = x @ weights + parameters[f"{scope}/{layer}/bias"]
        if activation is not None:
            x = ACTIVATIONS[activation](xp, x)
        layer += 1
    return x


def orthogonal(rng: np.random.Generator, shape: tuple[int, int], gain: float) -> np.ndarray:
    """Return a float32 matrix with orthonormal rows or columns, times gain (Saxe et al. 2014)."""
    rows, columns = shape
    normal = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(normal)
    q = q * np.sign(np.diag(r))  # without it the distribution over matrices is not uniform
    return (gain * (q if rows >= columns else q.T)).astype(np.float32)
