"""What is seen, as a vector [D]: numbers, states, switches, and Dicts and Tuples of these and of images."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from baselines_ppo.common.policy.given_arrays import Limits, array_of, named
from baselines_ppo.common.policy.spaces.images import ImageObservation

SWITCH_LIMITS = np.array(0, np.int8), np.array(1, np.int8)  # limits of what is on or off


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


def check_states(states: Iterable[int]) -> None:
    """Check that states are numbers that an int64 holds.

    Raises:
      ValueError: names the first that is not.
    """
    most = np.iinfo(np.int64)
    for state in states:
        if not most.min <= state <= most.max:
            raise ValueError(f"state {state} is beyond int64; let a wrapper number the states from 0")


@dataclass(frozen=True)
class DiscreteObservation:
    """One of `size` states, numbered from `start`, as a vector of zeros and a one."""

    size: int
    start: int
    dtype: str = "float32"

    def __post_init__(self) -> None:
        """Raise ValueError if an int64 cannot hold the states."""
        check_states([self.start, self.start + self.size - 1])

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

    def __post_init__(self) -> None:
        """Raise ValueError if an int64 cannot hold the states."""
        check_states([*self.starts, *(start + size - 1 for start, size in zip(self.starts, self.sizes, strict=True))])

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
        return array_of(observation, (*lead, *self.box), np.dtype(np.int8), SWITCH_LIMITS).reshape(*lead, *self.shape)


@dataclass(frozen=True)
class GroupObservation:
    """A Dict (by name) or a Tuple of observations, flattened one behind the other."""

    names: tuple[str, ...] | None  # None: a Tuple
    parts: tuple[Seen, ...]

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
        encoded, labels = [], self.names or range(1, len(self.parts) + 1)  # a Tuple's parts are counted from 1
        for label, part, given in zip(labels, self.parts, self._given(observation), strict=True):
            try:
                encoded.append(part.encode(given, lead).reshape(*lead, -1))
            except ValueError as error:
                raise type(error)(f"{error}, in its part {label}") from None
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
Seen = Leaf | GroupObservation
