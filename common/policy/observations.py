"""Which observation spaces are understood, and the way from an environment's observations to one array.

Everything becomes a vector [D], parts of a Dict or Tuple one behind the other, images among them; an image alone stays
an image [H, W, C].
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.policy.given_arrays import Limits, array_of, limits_of, named, working_dtype
from baselines_ppo.common.policy.images import ImageObservation, image_of

SWITCH = np.array(0, np.int8), np.array(1, np.int8)  # limits of what is on or off
AUTO, IMAGE, VECTOR = "auto", "image", "vector"  # what arrays are taken for: by their bounds, or as the user says


@dataclass(frozen=True)
class BoxObservation:
    """Numbers of any shape, flattened."""

    box: tuple[int, ...]
    dtype: str  # the environment's own
    limits: Limits | None = field(default=None, compare=False, repr=False)  # of whole numbers; an agent needs none

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """[D]"""
        return (math.prod(self.box),)

    def encode(self, observation: Any, lead: tuple[int, ...] = ()) -> np.ndarray:
        """Return observations [*lead, *box] as vectors [*lead, D] in the environment's own dtype.

        Raises:
          ValueError: they are of another shape, or not of the space's numbers.
        """
        if not lead:
            array = array_of(observation, self.box, self._dtype, self.limits)
            return array if array.ndim == 1 else array.reshape(-1)
        return array_of(observation, (*lead, *self.box), self._dtype, self.limits).reshape(*lead, *self.shape)

    @cached_property
    def _dtype(self) -> np.dtype:
        return np.dtype(self.dtype)


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
        index = array_of(observation, lead, np.dtype(np.int64), self._limits) - self.start
        return (index[..., None] == np.arange(self.size)).astype(np.float32)

    @cached_property
    def _limits(self) -> Limits:
        return np.array(self.start, np.int64), np.array(self.start + self.size - 1, np.int64)


@dataclass(frozen=True)
class MultiDiscreteObservation:
    """Several such states at once, their vectors one behind the other."""

    box: tuple[int, ...]
    sizes: tuple[int, ...]  # flattened, like the next
    starts: tuple[int, ...]
    dtype: str = "float32"

    @property
    def shape(self) -> tuple[int, ...]:
        """[D]"""
        return (sum(self.sizes),)

    def encode(self, observation: Any, lead: tuple[int, ...] = ()) -> np.ndarray:
        """Return states [*lead, *box] as vectors [*lead, D].

        Raises:
          ValueError: they are no whole numbers, of another shape, or out of range.
        """
        low, high, first = self._arrays
        states = array_of(observation, (*lead, *self.box), np.dtype(np.int64), (low, high))
        ones = first + (states - low).reshape(*lead, -1)
        encoded = np.zeros((*lead, *self.shape), np.float32)
        np.put_along_axis(encoded, ones, 1.0, axis=-1)
        return encoded

    @cached_property
    def _arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The lowest and highest states, of the environment's shape, and where the vector of each begins."""
        low, sizes = (np.array(x, np.int64) for x in (self.starts, self.sizes))
        return low.reshape(self.box), (low + sizes - 1).reshape(self.box), np.cumsum(sizes) - sizes


@dataclass(frozen=True)
class MultiBinaryObservation:
    """Switches of any shape, each 0 or 1, flattened."""

    box: tuple[int, ...]
    dtype: str = "int8"

    @property
    def shape(self) -> tuple[int, ...]:
        """[D]"""
        return (math.prod(self.box),)

    def encode(self, observation: Any, lead: tuple[int, ...] = ()) -> np.ndarray:
        """Return switches [*lead, *box] as vectors [*lead, D].

        Raises:
          ValueError: they are of another shape, or neither 0 nor 1.
        """
        return array_of(observation, (*lead, *self.box), np.dtype(np.int8), SWITCH).reshape(*lead, *self.shape)


@dataclass(frozen=True)
class GroupObservation:
    """A Dict (by name) or a Tuple of observations, flattened one behind the other."""

    names: tuple[str, ...] | None  # None: a Tuple
    parts: tuple[Observation, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """[D]"""
        return (sum(math.prod(part.shape) for part in self.parts),)

    @property
    def dtype(self) -> str:
        return str(np.result_type(*(part.dtype for part in self.parts))) if self.parts else "float32"

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the parts; of a Tuple's, their numbers."""
        return tuple(map(str, range(len(self.parts)))) if self.names is None else self.names

    def encode(self, observation: Any, lead: tuple[int, ...] = ()) -> np.ndarray:
        """Return groups of [*lead, ...] as vectors [*lead, D].

        Raises:
          ValueError: a part is missing or does not fit; names it.
        """
        encoded = []
        for name, part, given in zip(self.keys, self.parts, self._given(observation), strict=True):
            try:
                encoded.append(part.encode(given, lead).reshape(*lead, -1))
            except ValueError as error:
                raise type(error)(f"{error}, in its part {name}") from None
        return np.concatenate(encoded, axis=-1)

    def _given(self, observation: Any) -> list[Any]:
        """Return the parts that were given, in our order."""
        if self.names is None:
            if not isinstance(observation, tuple | list):
                raise ValueError(f"{named(observation)}, expected a tuple of {len(self.parts)} parts")
            if len(observation) != len(self.parts):
                raise ValueError(f"{len(observation)} parts, expected {len(self.parts)}")
            return list(observation)
        if not isinstance(observation, Mapping):
            raise ValueError(f"{named(observation)}, expected a dict of {len(self.parts)} parts")
        given = {str(name): part for name, part in observation.items()}
        if set(given) != set(self.names):
            raise ValueError(f"parts {', '.join(given) or 'none'}, expected {', '.join(self.names)}")
        return [given[name] for name in self.names]


Leaf = (
    BoxObservation | ImageObservation | DiscreteObservation | MultiDiscreteObservation | MultiBinaryObservation
)  # with nothing within it
Observation = Leaf | GroupObservation


class Part(NamedTuple):
    """One of the arrays that an observation is made of, and where it lies in the vector of all."""

    name: str  # such as arm.camera; empty where it is the whole observation
    begin: int
    leaf: Leaf

    @property
    def columns(self) -> slice:
        """Its place in [..., D]."""
        return slice(self.begin, self.begin + math.prod(self.leaf.shape))


def parts_of(observation: Observation, name: str = "", begin: int = 0) -> Iterator[Part]:
    """Yield all that an observation is made of, in order."""
    if not isinstance(observation, GroupObservation):
        yield Part(name, begin, observation)
        return
    for key, part in zip(observation.keys, observation.parts, strict=True):
        yield from parts_of(part, f"{name}.{key}" if name else key, begin)
        begin += math.prod(part.shape)


class ImagePart(NamedTuple):
    """An image among them; see `Part`."""

    columns: slice
    leaf: ImageObservation


def images_of(observation: Observation) -> list[ImagePart]:
    """Return the images that an observation holds, or is."""
    return [
        ImagePart(part.columns, part.leaf) for part in parts_of(observation) if isinstance(part.leaf, ImageObservation)
    ]


def learned_dtype(observation: Observation) -> np.dtype:
    """Return what observations are kept in until they are normalised or scaled: bytes where there are but images."""
    leaves = [part.leaf for part in parts_of(observation)]
    if all(isinstance(leaf, ImageObservation) and leaf.as_bytes for leaf in leaves):
        return np.dtype(np.uint8)
    return working_dtype(np.dtype(observation.dtype))


def observation_of(space: Any, env_id: str, taken_for: str | Observation = AUTO) -> Observation:
    """Return our description of an observation space.

    Args:
      taken_for: what arrays in it are: auto, image or vector; or the description of such a space that an agent was
        trained on, whose images and vectors are found again: how the space itself has them is returned.

    Raises:
      UsageError: the space, or one within it, is of another kind; it has no numbers; no part of it can be an image.
    """
    observation = _described(space, env_id, taken_for)
    if not math.prod(observation.shape):
        raise UsageError(f"environment {env_id} has the observation space {space}, in which there is nothing to see")
    if taken_for == IMAGE and not images_of(observation):
        raise UsageError(
            f"--observations image: environment {env_id} has the observation space {space}, and none of it is an array "
            "of two to four dimensions with bounds; leave the flag out"
        )
    return observation


def _described(space: Any, env_id: str, taken_for: str | Observation) -> Observation:
    from gymnasium import spaces  # an agent acts without Gymnasium

    if isinstance(space, spaces.Box):
        return _box(space, taken_for)
    if isinstance(space, spaces.Discrete):
        return DiscreteObservation(int(space.n), int(space.start))
    if isinstance(space, spaces.MultiDiscrete):
        sizes, starts = (tuple(map(int, np.ravel(x))) for x in (space.nvec, space.start))
        return MultiDiscreteObservation(tuple(space.shape), sizes, starts)
    if isinstance(space, spaces.MultiBinary):
        return MultiBinaryObservation(tuple(map(int, space.shape)))
    if isinstance(space, spaces.Dict | spaces.Tuple):
        named = dict(space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces))
        parts = (_described(part, env_id, _within(taken_for, str(name))) for name, part in named.items())
        return GroupObservation(tuple(map(str, named)) if isinstance(space, spaces.Dict) else None, tuple(parts))
    raise UsageError(
        f"environment {env_id} has the observation space {space}; only Box, Discrete, MultiDiscrete, MultiBinary, and "
        "Dict and Tuple of these are supported"
    )


def _box(space: Any, taken_for: str | Observation) -> BoxObservation | ImageObservation:
    chosen = taken_for == IMAGE or isinstance(taken_for, ImageObservation)
    vector = taken_for == VECTOR or isinstance(taken_for, BoxObservation)
    box, dtype = tuple(map(int, space.shape)), str(space.dtype)
    if isinstance(taken_for, ImageObservation) and not taken_for.said and taken_for.box == box and dtype == "uint8":
        return taken_for
    image = None if vector else image_of(space, chosen)
    return image or BoxObservation(box, dtype, limits_of(space.low, space.high))


def _within(taken_for: str | Observation, name: str) -> str | Observation:
    """Return what a part of this name is taken for."""
    if isinstance(taken_for, str):
        return taken_for
    known = dict(zip(taken_for.keys, taken_for.parts, strict=True)) if isinstance(taken_for, GroupObservation) else {}
    return known.get(name, AUTO)
