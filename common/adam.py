"""Adam on one flat parameter vector: the pure step, and its state as named arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

BETA1, BETA2 = 0.9, 0.999
ROW = 64  # numbers that are summed as one row
NAMES = ("parameters", "adam/m", "adam/v", "adam/step")  # of the state's arrays, in checkpoints


class AdamState(NamedTuple):
    """Parameters and their two moment estimates, each [P] float32, and the number of steps made."""

    parameters: tf.Tensor
    first_moment: tf.Tensor
    second_moment: tf.Tensor
    step: tf.Tensor


def start_at(parameters: np.ndarray) -> AdamState:
    """Return the state at these parameters [P] before the first step."""
    zeros = np.zeros_like(parameters)
    return from_arrays(dict(zip(NAMES, (parameters, zeros, zeros, np.int64(0)), strict=True)))


def adam_step(state: AdamState, gradient: tf.Tensor, learning_rate: tf.Tensor, epsilon: float) -> AdamState:
    """Return the state after one Adam step, of one size for all parameters or one for each.

    Source: Kingma and Ba 2015, arXiv:1412.6980, algorithm 1 in the order of computation given at the end of
    its section 2, whose epsilon is the paper's "epsilon hat".
    """
    step = state.step + 1
    t = tf.cast(step, tf.float32)
    first = BETA1 * state.first_moment + (1.0 - BETA1) * gradient
    second = BETA2 * state.second_moment + (1.0 - BETA2) * tf.square(gradient)
    rate = learning_rate * tf.sqrt(1.0 - tf.pow(BETA2, t)) / (1.0 - tf.pow(BETA1, t))
    return AdamState(state.parameters - rate * first / (tf.sqrt(second) + epsilon), first, second, step)


def clip_by_norm(gradient: tf.Tensor, max_norm: float | None) -> tf.Tensor:
    """Return the gradient [P], shortened to the norm `max_norm` if it is longer."""
    if max_norm is None:
        return gradient
    return gradient * (max_norm / tf.maximum(tf.sqrt(sum_of_squares(gradient)), max_norm))


def sum_of_squares(x: tf.Tensor) -> tf.Tensor:
    """Return the sum of the squares of a vector [P].

    It is summed by a matrix product in rows, for which there is fast code; XLA's own sums on CPUs are slow.
    """
    rows = tf.reshape(tf.pad(tf.square(x), [[0, -x.shape[0] % ROW]]), [-1, ROW])
    return tf.reduce_sum(tf.linalg.matvec(rows, tf.ones([ROW])))


def to_arrays(state: AdamState) -> dict[str, np.ndarray]:
    """Return the state as named arrays; `from_arrays` is the inverse."""
    return {name: x.numpy() for name, x in zip(NAMES, state, strict=True)}


def from_arrays(arrays: Mapping[str, np.ndarray]) -> AdamState:
    """Return the state that `to_arrays` was given."""
    types = (tf.float32, tf.float32, tf.float32, tf.int64)
    return AdamState(*(tf.constant(arrays[name], dtype) for name, dtype in zip(NAMES, types, strict=True)))


def prefixed(name: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return one of several optimisers' arrays under names of its own, without the parameters, which all share."""
    return {f"{name}_{key}": x for key, x in arrays.items() if key != "parameters"}


def unprefixed(name: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what `prefixed` was given."""
    return {key.removeprefix(f"{name}_"): x for key, x in arrays.items() if key.startswith(f"{name}_adam/")}
