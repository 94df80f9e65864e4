"""Layers as pure functions of their parameters, written over an array namespace: dense, convolution, LSTM."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from baselines_ppo.common.policy.arrays import Array
from baselines_ppo.common.policy.parameters import Parameter

RELU_GAIN = math.sqrt(2.0)  # of orthogonal weights before a rectifier, and by custom before tanh too


def _elu(xp: Any, x: Array) -> Array:
    return xp.maximum(x, xp.exp(xp.minimum(x, 0.0)) - 1.0)  # exp(x) - 1 is never below x


def _sigmoid(xp: Any, x: Array) -> Array:
    return 0.5 * (1.0 + xp.tanh(0.5 * x))  # without the overflow of exp(-x)


ACTIVATIONS: dict[str, Callable[[Any, Array], Array]] = {
    "tanh": lambda xp, x: xp.tanh(x),
    "relu": lambda xp, x: xp.maximum(x, 0.0),
    "elu": _elu,
    "silu": lambda xp, x: x * _sigmoid(xp, x),
}


def dense_parameters(scope: str, sizes: tuple[int, ...], gain: float = RELU_GAIN) -> list[Parameter]:
    """Return the parameters of the layers that lead through `sizes`, from input to output."""
    parameters: list[Parameter] = []
    for layer, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        parameters.append(Parameter(f"{scope}/{layer}/weights", (inputs, outputs), gain))
        parameters.append(Parameter(f"{scope}/{layer}/bias", (outputs,)))
    return parameters


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


@functools.singledispatch
def convolution(x: Array, weights: Array, stride: int) -> Array:
    """Return images x [B, H, W, C] convolved with weights [k, k, C, F], without padding: [B, h, w, F].

    This is TensorFlow's; each other kind of arrays registers its own.
    """
    import tensorflow as tf  # only reached with a tensor at hand

    return tf.nn.conv2d(x, weights, stride, "VALID")


@convolution.register(np.ndarray)
def _convolution_of_numpy(x: np.ndarray, weights: np.ndarray, stride: int) -> np.ndarray:
    size, _, channels, filters = weights.shape
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))[:, ::stride, ::stride]
    patches = windows.transpose(0, 1, 2, 4, 5, 3)
    count, height, width = patches.shape[:3]
    # A product for each image, so that none depends on those beside it.
    flat = patches.reshape(count, height * width, size * size * channels) @ weights.reshape(-1, filters)
    return flat.reshape(count, height, width, filters)


def lstm_parameters(inputs: int, size: int) -> list[Parameter]:
    """Return the parameters of one LSTM cell; its four gates are input, forget, output and candidate."""
    return [Parameter("lstm/weights", (inputs + size, 4 * size), 1.0), Parameter("lstm/bias", (4 * size,))]


def lstm_step(xp: Any, parameters: Mapping[str, Array], x: Array, state: Array) -> tuple[Array, Array]:
    """Return the output h [B, size] and the state (c, h) [B, 2 size] after inputs x [B, inputs].

    Source: Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000 opened by a bias of 1.
    """
    size = parameters["lstm/bias"].shape[0] // 4
    cell, hidden = state[:, :size], state[:, size:]
    gates = xp.concatenate([x, hidden], axis=-1) @ parameters["lstm/weights"] + parameters["lstm/bias"]
    admit, forget, emit, candidate = (gates[:, i * size : (i + 1) * size] for i in range(4))
    cell = _sigmoid(xp, forget + 1.0) * cell + _sigmoid(xp, admit) * xp.tanh(candidate)
    hidden = _sigmoid(xp, emit) * xp.tanh(cell)
    return hidden, xp.concatenate([cell, hidden], axis=-1)
