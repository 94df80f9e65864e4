"""Which observation spaces are understood, and the way from an environment's observations to one array.

Everything becomes a vector [D], parts of a Dict or Tuple one behind the other; an image alone stays an image
[H, W, C] of bytes.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from baselines_ppo.common.failures import UsageError


@dataclass(frozen=True)
class BoxObservation:
    """Numbers of any shape, flattened."""

    box: tuple[int, ...]
    dtype: str  # the environment's own

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """[D]"""
        return (math.prod(self.box),)

    def encode(self, observation: Any, lead: tuple[int, ...] = ()) -> np.ndarray:
        """Return observations [*lead, *box] as vectors [*lead, D] in the environment's own dtype.

        Raises:
          ValueError: it is no array of this shape; numpy would broadcast some others silently.
        """
        return _array(observation, (*lead, *self.box)).reshape(*lead, *self.shape)


@dataclass(frozen=True)
class ImageObservation:
    """An image of bytes; its channels, or the frames stacked in their place, may come first in the environment."""

    image: tuple[int, int, int]  # height, width, channels
    channels_first: bool
    dtype: str = "uint8"

    @property
    def shape(self) -> tuple[int, ...]:
        """[H, W, C]"""
        return self.image

    def encode(self, observation: Any, lead: tuple[int, ...] = ()) -> np.ndarray:
        """Return images [*lead, H, W, C].

        Raises:
          ValueError: it is no array of this shape.
        """
        height, width, channels = self.image
        if not self.channels_first:
            return _array(observation, (*lead, height, width, channels))
        return np.moveaxis(_array(observation, (*lead, channels, height, width)), -3, -1)


@dataclass(frozen=True)
class DiscreteObservation:
    """One of `size` states, numbered from `start`, as a vector of zeros and a one."""

    size: int
    start: int
    dtype: str = "float32"

    @property
    def shape(self) -> tuple[int, ...]:
        """[D]"""
        return (self.size,)

    def encode(self, observation: Any, lead: tuple[int, ...] = ()) -> np.ndarray:
        """Return states [*lead] as vectors [*lead, D].

        Raises:
          ValueError: it is no whole number, or out of range.
        """
        state = np.asarray(observation)
        if state.shape != lead or state.dtype.kind not in "iu":
            raise ValueError(f"{observation!r}, expected a whole number")
        index = state.astype(np.int64) - self.start
        if (index < 0).any() or (index >= self.size).any():
            raise ValueError(f"{observation!r}, expected {self.start} to {self.start + self.size - 1}")
        return (index[..., None] == np.arange(self.size)).astype(np.float32)


@dataclass(frozen=True)
class GroupObservation:
    """A Dict (by name) or a Tuple of observations, flattened one behind the other."""

    names: tuple[str, ...] | None  # None: a Tuple
    parts: tuple[VectorObservation, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """[D]"""
        return (sum(part.shape[0] for part in self.parts),)

    @property
    def dtype(self) -> str:
        return str(np.result_type(*(part.dtype for part in self.parts)))

    def encode(self, observation: Any, lead: tuple[int, ...] = ()) -> np.ndarray:
        """Return groups of [*lead, ...] as vectors [*lead, D].

        Raises:
          ValueError: a part is missing or does not fit.
        """
        if not isinstance(observation, tuple if self.names is None else dict) or len(observation) != len(self.parts):
            raise ValueError(f"{observation!r}, expected {len(self.parts)} parts")
        if self.names is not None and set(observation) != set(self.names):
            raise ValueError(f"parts {', '.join(map(str, observation))}, expected {', '.join(self.names)}")
        keys: Any = range(len(self.parts)) if self.names is None else self.names
        encoded = [part.encode(observation[key], lead) for part, key in zip(self.parts, keys, strict=True)]
        return np.concatenate(encoded, axis=-1)


VectorObservation = BoxObservation | DiscreteObservation | GroupObservation
Observation = VectorObservation | ImageObservation


def observation_of(space: Any, env_id: str) -> Observation:
    """Return our description of an observation space.

    Raises:
      UsageError: the space, or one within it, is of another kind.
    """
    from gymnasium import spaces  # an agent acts without Gymnasium

    if isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) == 3:
        first, last = space.shape[0], space.shape[2]
        height, width, channels = space.shape if first >= last else (*space.shape[1:], first)
        return ImageObservation((height, width, channels), first < last)
    return _vector_of(space, env_id)


def _vector_of(space: Any, env_id: str) -> VectorObservation:
    from gymnasium import spaces

    if isinstance(space, spaces.Box):
        return BoxObservation(tuple(space.shape), str(space.dtype))
    if isinstance(space, spaces.Discrete):
        return DiscreteObservation(int(space.n), int(space.start))
    if isinstance(space, spaces.Dict):
        names = tuple(map(str, space.spaces))
        return GroupObservation(names, tuple(_vector_of(space[name], env_id) for name in space.spaces))
    if isinstance(space, spaces.Tuple):
        return GroupObservation(None, tuple(_vector_of(part, env_id) for part in space.spaces))
    raise UsageError(
        f"environment {env_id} has the observation space {space}; only Box, Discrete, and Dict and Tuple of these "
        "are supported"
    )


def observation_to_json(observation: Observation) -> dict[str, Any]:
    """Return the observation as strict JSON; `observation_from_json` is its inverse."""
    if isinstance(observation, GroupObservation):
        parts = [observation_to_json(part) for part in observation.parts]
        return {"kind": "group", "names": observation.names and list(observation.names), "parts": parts}
    return {"kind": next(kind for kind, cls in KINDS.items() if type(observation) is cls), **asdict(observation)}


def observation_from_json(data: dict[str, Any]) -> Observation:
    """Return the observation that `observation_to_json` wrote."""
    if data["kind"] == "group":
        names = None if data["names"] is None else tuple(map(str, data["names"]))
        parts = tuple(observation_from_json(part) for part in data["parts"])
        return GroupObservation(names, parts)  # type: ignore[arg-type]  # an image in a group would not fit the network
    fields: dict[str, Any] = {
        name: tuple(x) if isinstance(x, list) else x for name, x in data.items() if name != "kind"
    }
    return KINDS[data["kind"]](**fields)


KINDS: dict[str, type[BoxObservation] | type[ImageObservation] | type[DiscreteObservation]] = {
    "box": BoxObservation,
    "image": ImageObservation,
    "discrete": DiscreteObservation,
}


def _array(observation: Any, shape: tuple[int, ...]) -> np.ndarray:
    if not isinstance(observation, np.ndarray) or observation.shape != shape:
        got = observation.shape if isinstance(observation, np.ndarray) else repr(observation)
        raise ValueError(f"{got}, expected shape {shape}")
    return observation
