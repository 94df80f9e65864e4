"""Networks: from observations to the features under the last layers of policy and value function.

A network is a function of one page that returns its parameters and how they are applied. The built-in ones are
`mlp`, `cnn`, `lstm` and `cnn_lstm`; `register_network` adds a user's own, and `module:function` names one by where
it is.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.common.arrays import Array
from baselines_ppo.common.failures import UsageError, nearest
from baselines_ppo.common.layers import (
    ACTIVATIONS,
    RELU_GAIN,
    convolution,
    dense,
    dense_parameters,
    lstm_parameters,
    lstm_step,
)
from baselines_ppo.common.parameters import Parameter

# Filters, size and stride of each convolution: Mnih et al. 2015, "Human-level control through deep
# reinforcement learning", Nature 518.
NATURE = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
SMALLEST_IMAGE = 36  # pixels; what is smaller has nothing left after the three convolutions


@dataclass(frozen=True)
class NetworkSettings:
    """What a network is made by; strict JSON keeps it with an agent."""

    name: str
    hidden_sizes: tuple[int, ...]
    activation: str
    lstm_size: int


class Network(NamedTuple):
    """Parameters and functions of a network.

    `encode(xp, parameters, observations [B, ...])` returns features [B, F]. A recurrent network has a `step` too:
    `step(xp, parameters, features [B, F], states [B, S])` returns its output [B, features] and the next states,
    which are zero where an episode begins. Both get their own parameters by the names under `parameters`.
    """

    parameters: list[Parameter]
    features: int  # size of what is given to the last layers
    encode: Callable[[Any, Mapping[str, Array], Array], Array]
    step: Callable[[Any, Mapping[str, Array], Array, Array], tuple[Array, Array]] | None = None
    state_size: int = 0  # S
    convolutional: bool = False  # compiled otherwise: XLA is slow at convolutions on CPUs


Build = Callable[[tuple[int, ...], NetworkSettings], Network]


def mlp(observation_shape: tuple[int, ...], settings: NetworkSettings) -> Network:
    """Return hidden layers over the flat observation."""
    sizes = (int(np.prod(observation_shape)), *settings.hidden_sizes)

    def encode(xp: Any, parameters: Mapping[str, Array], observations: Array) -> Array:
        flat = _flat_float(xp, observations, sizes[0])
        return dense(xp, parameters, "hidden", flat, settings.activation)

    return Network(dense_parameters("hidden", sizes), sizes[-1], encode)


def cnn(observation_shape: tuple[int, ...], settings: NetworkSettings) -> Network:
    """Return Nature's three convolutions over an image [H, W, C] of bytes, then hidden layers.

    Raises:
      UsageError: the observation is no image, or too small a one.
    """
    if len(observation_shape) != 3 or min(observation_shape[:2]) < SMALLEST_IMAGE:
        raise UsageError(
            f"network {settings.name} takes images of at least {SMALLEST_IMAGE} x {SMALLEST_IMAGE} pixels, "
            f"the observation is {list(observation_shape)}; give --network mlp or lstm"
        )
    parameters, (height, width, channels) = [], observation_shape
    for layer, (filters, size, stride) in enumerate(NATURE):
        shape = (size, size, channels, filters)
        parameters.append(Parameter(f"convolution/{layer}/weights", shape, RELU_GAIN))
        parameters.append(Parameter(f"convolution/{layer}/bias", (filters,)))
        height, width, channels = (height - size) // stride + 1, (width - size) // stride + 1, filters
    sizes = (height * width * channels, *settings.hidden_sizes)

    def encode(xp: Any, parameters: Mapping[str, Array], observations: Array) -> Array:
        x = xp.asarray(observations, np.float32) * np.float32(1.0 / 255.0)
        for layer, (_, _, stride) in enumerate(NATURE):
            x = convolution(x, parameters[f"convolution/{layer}/weights"], stride)
            x = xp.maximum(x + parameters[f"convolution/{layer}/bias"], 0.0)
        return dense(xp, parameters, "hidden", xp.reshape(x, [-1, sizes[0]]), settings.activation)

    return Network([*parameters, *dense_parameters("hidden", sizes)], sizes[-1], encode, convolutional=True)


def lstm(observation_shape: tuple[int, ...], settings: NetworkSettings) -> Network:
    """Return an LSTM over the hidden layers of `mlp`."""
    return _with_memory(mlp(observation_shape, settings), settings)


def cnn_lstm(observation_shape: tuple[int, ...], settings: NetworkSettings) -> Network:
    """Return an LSTM over `cnn`."""
    return _with_memory(cnn(observation_shape, settings), settings)


def _with_memory(network: Network, settings: NetworkSettings) -> Network:
    return network._replace(
        parameters=[*network.parameters, *lstm_parameters(network.features, settings.lstm_size)],
        features=settings.lstm_size,
        step=lstm_step,
        state_size=2 * settings.lstm_size,
    )


def _flat_float(xp: Any, observations: Array, size: int) -> Array:
    """Return observations [B, ...] as float32 [B, size]; bytes, which are not normalised, scaled to 1."""
    scale = np.float32(1.0 / 255.0) if observations.dtype == np.uint8 else None
    flat = xp.reshape(xp.asarray(observations, np.float32), [-1, size])
    return flat if scale is None else flat * scale


NETWORKS: dict[str, Build] = {"mlp": mlp, "cnn": cnn, "lstm": lstm, "cnn_lstm": cnn_lstm}


def register_network(name: str, build: Build) -> None:
    """Make a network of your own known by a name, for `--network` and for the agents that were trained with it.

    Args:
      build: a function like `mlp` above: from the shape of one observation and the settings to a Network. Its
        `encode` and `step` are written over the namespace `xp`, so that they act in numpy and learn in TensorFlow.
    """
    NETWORKS[name] = build


def find_network(name: str) -> Build:
    """Return the function of a network by its name; imports the module of a `module:function`.

    Raises:
      UsageError: there is none of that name.
    """
    if name not in NETWORKS and ":" in name:
        module, _, function = name.partition(":")
        try:
            register_network(name, getattr(importlib.import_module(module), function))
        except (ImportError, AttributeError) as error:
            raise UsageError(f"network {name} not found: {error}") from None
    if name not in NETWORKS:
        raise UsageError(f"unknown network {name}{nearest(name, NETWORKS)}; known: {', '.join(NETWORKS)}")
    return NETWORKS[name]


def network_of(settings: NetworkSettings, observation_shape: tuple[int, ...]) -> Network:
    """Return the network of a name that is known already.

    Raises:
      UsageError: the name or the activation is unknown, or the network does not take such observations.
    """
    if settings.activation not in ACTIVATIONS:
        raise UsageError(f"unknown activation {settings.activation}; known: {', '.join(ACTIVATIONS)}")
    if settings.name not in NETWORKS:
        raise UsageError(
            f"network {settings.name} is not known here; import what registers it, or add --network {settings.name}"
        )
    return NETWORKS[settings.name](observation_shape, settings)
