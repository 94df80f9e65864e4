"""Networks: from observations to the features under the last layers of policy and value function.

A network is a function of one page that returns its parameters and how they are applied. The built-in ones are
`mlp`, `cnn`, `lstm` and `cnn_lstm`; `register_network` adds a user's own, and `module:function` names one by where
it is.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.common.failures import UsageError, nearest
from baselines_ppo.common.policy.arrays import Array
from baselines_ppo.common.policy.layers import (
    ACTIVATIONS,
    RELU_GAIN,
    convolution,
    dense,
    dense_parameters,
    lstm_parameters,
    lstm_step,
)
from baselines_ppo.common.policy.named import named_object
from baselines_ppo.common.policy.network_trial import check_network
from baselines_ppo.common.policy.observations import Observation, Part, images_of, learned_dtype, parts_of, seen_in
from baselines_ppo.common.policy.parameters import Parameter
from baselines_ppo.common.policy.spaces.images import SMALLEST_IMAGE, ImageObservation, large_enough
from baselines_ppo.common.policy.spaces.vectors import GroupObservation

# Filters, size and stride of each convolution: Mnih et al. 2015, "Human-level control through deep
# reinforcement learning", Nature 518.
NATURE = ((32, 8, 4), (64, 4, 2), (64, 3, 1))


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
        flat = _floats(xp, observations)
        if len(observation_shape) > 1:
            flat = xp.reshape(flat, [-1, sizes[0]])
        return dense(xp, parameters, "hidden", flat, settings.activation)

    return Network(dense_parameters("hidden", sizes), sizes[-1], encode)


def cnn(observation_shape: tuple[int, ...], settings: NetworkSettings, parts: Sequence[Part] | None = None) -> Network:
    """Return Nature's three convolutions over an image [H, W, C], bytes or 0 to 1, then hidden layers.

    Args:
      parts: where the observation is a vector [D], what lies in it: each image has convolutions of its own, whose
        results and the numbers beside them are joined before the hidden layers.

    Raises:
      UsageError: there is no image, or too small a one.
    """
    shapes = [part.leaf.shape for part in parts or () if isinstance(part.leaf, ImageObservation)] or [observation_shape]
    if any(len(shape) != 3 or not large_enough(shape) for shape in shapes):
        raise UsageError(
            f"network {settings.name} takes images of at least {SMALLEST_IMAGE} x {SMALLEST_IMAGE} pixels, "
            f"the observation is {', '.join(str(list(shape)) for shape in shapes)}; give --network mlp or lstm"
        )
    eyes = [_eye(f"{k}/" if len(shapes) > 1 else "", shape) for k, shape in enumerate(shapes)]
    others = [part.columns for part in parts or () if not isinstance(part.leaf, ImageObservation)]
    sizes = (sum(eye.features for eye in eyes) + sum(x.stop - x.start for x in others), *settings.hidden_sizes)

    def encode(xp: Any, parameters: Mapping[str, Array], observations: Array) -> Array:
        x = _floats(xp, observations)
        if parts is None:
            flat = eyes[0].encode(xp, parameters, x)
        else:
            images = [xp.reshape(x[:, columns], [-1, *shape]) for columns, shape in zip(seen, shapes, strict=True)]
            looked = [eye.encode(xp, parameters, image) for eye, image in zip(eyes, images, strict=True)]
            flat = xp.concatenate([*looked, *(x[:, columns] for columns in others)], axis=-1)
        return dense(xp, parameters, "hidden", flat, settings.activation)

    seen = [part.columns for part in parts or () if isinstance(part.leaf, ImageObservation)]
    parameters = [parameter for eye in eyes for parameter in eye.parameters]
    return Network([*parameters, *dense_parameters("hidden", sizes)], sizes[-1], encode, convolutional=True)


def _eye(scope: str, shape: tuple[int, ...]) -> Network:
    """Return the three convolutions alone, over images [B, H, W, C] from 0 to 1, flattened."""
    parameters, (height, width, channels) = [], shape
    for layer, (filters, size, stride) in enumerate(NATURE):
        parameters.append(Parameter(f"{scope}convolution/{layer}/weights", (size, size, channels, filters), RELU_GAIN))
        parameters.append(Parameter(f"{scope}convolution/{layer}/bias", (filters,)))
        height, width, channels = (height - size) // stride + 1, (width - size) // stride + 1, filters
    features = height * width * channels

    def encode(xp: Any, parameters: Mapping[str, Array], x: Array) -> Array:
        for layer, (_, _, stride) in enumerate(NATURE):
            x = convolution(x, parameters[f"{scope}convolution/{layer}/weights"], stride)
            x = xp.maximum(x + parameters[f"{scope}convolution/{layer}/bias"], 0.0)
        return xp.reshape(x, [-1, features])

    return Network(parameters, features, encode)


def lstm(observation_shape: tuple[int, ...], settings: NetworkSettings) -> Network:
    """Return an LSTM over the hidden layers of `mlp`."""
    return _with_memory(mlp(observation_shape, settings), settings)


def cnn_lstm(
    observation_shape: tuple[int, ...], settings: NetworkSettings, parts: Sequence[Part] | None = None
) -> Network:
    """Return an LSTM over `cnn`."""
    return _with_memory(cnn(observation_shape, settings, parts), settings)


def _with_memory(network: Network, settings: NetworkSettings) -> Network:
    return network._replace(
        parameters=[*network.parameters, *lstm_parameters(network.features, settings.lstm_size)],
        features=settings.lstm_size,
        step=lstm_step,
        state_size=2 * settings.lstm_size,
    )


def _floats(xp: Any, observations: Array) -> Array:
    """Return observations as float32; bytes, which are pixels that were not scaled yet, from 0 to 1."""
    x = xp.asarray(observations, np.float32)
    return x * np.float32(1.0 / 255.0) if observations.dtype == np.uint8 else x


NETWORKS: dict[str, Build] = {"mlp": mlp, "cnn": cnn, "lstm": lstm, "cnn_lstm": cnn_lstm}
BUILT_IN = frozenset(NETWORKS)
WITH_EYES = {"cnn": cnn, "cnn_lstm": cnn_lstm}  # that take the images out of a Dict or a Tuple


def register_network(name: str, build: Build) -> None:
    """Make a network of your own known by a name, for `--network` and for the agents that were trained with it.

    The same name once more, as when a cell of a notebook is run again, is the new network from then on.

    Args:
      build: a function like `mlp` above: from the shape of one observation and the settings to a Network. Its
        `encode` and `step` are written over the namespace `xp`, so that they act in numpy and learn in TensorFlow.

    Raises:
      UsageError: the name is that of a network of ours.

    >>> from baselines_ppo import Network, Parameter, configure, register_network
    >>> def linear(shape, settings):
    ...     weights = Parameter("weights", (shape[0], 8), gain=1.0)
    ...     return Network([weights], 8, lambda xp, parameters, x: x @ parameters["weights"])
    >>> register_network("linear", linear)
    >>> configure("CartPole-v1", network="linear").policy.network
    'linear'
    """
    if name in BUILT_IN or name == "auto":
        raise UsageError(f"the network {name} is built in; give yours another name")
    NETWORKS[name] = build


def find_network(name: str) -> Build:
    """Return the function of a network by its name; imports the module of a `module:function`.

    Raises:
      UsageError: there is none of that name.
    """
    if name not in NETWORKS and ":" in name:
        register_network(name, named_object("network", name, "module:function"))
    if name not in NETWORKS:
        raise UsageError(f"unknown network {name}{nearest(name, NETWORKS)}; known: {', '.join(NETWORKS)}")
    return NETWORKS[name]


def network_of(settings: NetworkSettings, observation: Observation) -> Network:
    """Return the network of a name that is known already, over all that is seen but a mask.

    Raises:
      UsageError: the name or the activation is unknown, or the network does not take such observations; or it is of a
        user's own and no good, see `check_network`.
    """
    if settings.activation not in ACTIVATIONS:
        raise UsageError(f"unknown activation {settings.activation}; known: {', '.join(ACTIVATIONS)}")
    if settings.name not in NETWORKS:
        raise UsageError(
            f"network {settings.name} is not known here; import what registers it, or add "
            f"--network {shlex.quote(settings.name)}"
        )
    observation = seen_in(observation)
    if settings.name in WITH_EYES and isinstance(observation, GroupObservation) and images_of(observation):
        return WITH_EYES[settings.name](observation.shape, settings, list(parts_of(observation)))
    build = NETWORKS[settings.name]
    if settings.name not in BUILT_IN:
        as_bytes, shape = learned_dtype(observation) == np.uint8, observation.shape
        check_network(settings.name, lambda: build(shape, settings), Network, shape, as_bytes)
    return build(observation.shape, settings)
