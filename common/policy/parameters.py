"""The flat parameter vector: what lies where in it, and what it starts from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from baselines_ppo.common.policy.arrays import Array


class Parameter(NamedTuple):
    """One named array of a network; weights start orthogonal times `gain`, all else at `start`."""

    name: str
    shape: tuple[int, ...]
    gain: float | None = None  # None: not weights
    start: float = 0.0


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


def initial_value(parameter: Parameter, rng: np.random.Generator) -> np.ndarray:
    """Return what a parameter starts from, float32."""
    if parameter.gain is None:
        return np.full(parameter.shape, parameter.start, np.float32)
    *inputs, outputs = parameter.shape
    return orthogonal(rng, (math.prod(inputs), outputs), parameter.gain).reshape(parameter.shape)


def orthogonal(rng: np.random.Generator, shape: tuple[int, int], gain: float) -> np.ndarray:
    """Return a float32 matrix with orthonormal rows or columns, times gain (Saxe et al. 2014)."""
    rows, columns = shape
    normal = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(normal)
    q = q * np.sign(np.diag(r))  # without it the distribution over matrices is not uniform
    return (gain * (q if rows >= columns else q.T)).astype(np.float32)
