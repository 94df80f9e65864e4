"""Continuous actions: the way from a Gaussian policy to the numbers of a Box, be they floats or whole numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from baselines_ppo.common.failures import DataError
from baselines_ppo.common.policy.arrays import ACTING, Array, computed_in
from baselines_ppo.common.policy.distribution_contract import Distribution
from baselines_ppo.common.policy.distributions import DiagonalGaussian

LARGEST = 2**63 - 1  # of int64


@dataclass(frozen=True)
class BoxAction:
    """A continuous action: the policy's range [-1, 1] maps to [low, high]; None stands for no bound.

    With one bound or none there is no range to map to: the action passes unchanged, up to that bound.
    """

    low: tuple[float | None, ...]  # like the next, the space's own, flattened
    high: tuple[float | None, ...]
    shape: tuple[int, ...]
    dtype: str | None = None  # the space's own; None: not known, float32 is sent

    @property
    def distribution(self) -> Distribution:
        return DiagonalGaussian(len(self.low))

    def to_environment(self, actions: Array, xp: Any = ACTING) -> Array:
        """Return environment actions [n, *shape]: clipped and rescaled where both bounds are finite."""
        kind = computed_in(xp, self.mapping[0].dtype)
        least, most, half, middle, low, high = (x.astype(kind, copy=False) for x in self.mapping)
        scaled = xp.maximum(xp.minimum(xp.asarray(actions, kind), most), least)
        if self.maps:
            scaled = xp.maximum(xp.minimum(scaled * half + middle, high), low)  # rounding may have left the bounds
        return shaped(xp, xp.asarray(scaled, np.dtype(self.dtype or np.float32)), self.shape)

    @cached_property
    def maps(self) -> bool:
        """Whether there is more to do than to clip: some range is not [-1, 1]."""
        _, _, half, middle, _, _ = self.mapping
        return bool((half != 1.0).any() or (middle != 0.0).any())

    @cached_property
    def mapping(self) -> tuple[np.ndarray, ...]:
        """Where to clip, what to multiply by and to add, and the bounds; six of [A], float64 if the space is."""
        far = 65504.0 if self.dtype == "float16" else np.inf  # the largest of that type
        columns = [
            (lower := -far if low is None else low, upper := far if high is None else high, 1.0, 0.0, lower, upper)
            if low is None or high is None
            else (-1.0, 1.0, high / 2 - low / 2, high / 2 + low / 2, low, high)
            for low, high in zip(self.low, self.high, strict=True)
        ]
        kind = np.float64 if self.dtype == "float64" else np.float32
        least, most, half, middle, low, high = (np.array(row, kind) for row in zip(*columns, strict=True))
        room = np.nextafter(np.finfo(kind).max - np.abs(middle), kind(0))  # rounded, their sum may pass the largest
        return least, most, np.minimum(half, room), middle, low, high


@dataclass(frozen=True)
class IntegerBoxAction:
    """Whole numbers between bounds; None stands for no bound.

    The policy is the Gaussian of `BoxAction`: its range [-1, 1] maps to [low, high], or passes where there are not
    both bounds, and is rounded to the nearest whole number.
    """

    low: tuple[int | None, ...]
    high: tuple[int | None, ...]
    shape: tuple[int, ...]
    dtype: str

    @property
    def distribution(self) -> Distribution:
        return DiagonalGaussian(len(self.low))

    def to_environment(self, actions: Array, xp: Any = ACTING) -> Array:
        """Return environment actions [n, *shape] in the space's own type.

        Raises:
          DataError: an action is not a number, which would be rounded to one.
        """
        if isinstance(actions, np.ndarray) and np.isnan(actions).any():
            raise DataError("the policy's action is NaN")
        most, half, shift = self.mapping.astype(xp.wide, copy=False)
        first, last = self.extent
        limit = most.astype(np.float32)
        clipped = xp.asarray(xp.maximum(xp.minimum(xp.asarray(actions, np.float32), limit), -limit), xp.wide)
        steps, beyond = xp.rint(clipped * half + shift), xp.wide.type(2.0**63)  # which is no int64
        fitting = xp.maximum(xp.minimum(steps, np.nextafter(beyond, xp.wide.type(0.0))), -beyond)
        inner = xp.maximum(xp.minimum(xp.asarray(fitting, np.int64), last), first)
        inner = xp.where(steps < beyond, inner, last)
        ends = xp.where(clipped > xp.wide.type(0.0), last, first)  # float64 has not all whole numbers near the bounds
        from_centre = xp.where(xp.abs(clipped) < most, inner, ends)
        return shaped(xp, xp.asarray(from_centre + wrapped(self.centres), np.dtype(self.dtype)), self.shape)

    @cached_property
    def _limits(self) -> list[tuple[int, int, bool]]:
        """The lowest and highest numbers, those of the type where there is no bound; and whether there are both."""
        information = None if self.dtype == "bool" else np.iinfo(self.dtype)
        least, most = (0, 1) if information is None else (int(information.min), int(information.max))
        return [
            (least if low is None else low, most if high is None else high, low is not None and high is not None)
            for low, high in zip(self.low, self.high, strict=True)
        ]

    @cached_property
    def centres(self) -> list[int]:
        """From where numbers are counted, so that those of every type are within int64."""
        return [-(-(low + high) // 2) if both else max(0, low - LARGEST) for low, high, both in self._limits]

    @cached_property
    def extent(self) -> np.ndarray:
        """The lowest and highest numbers from the centre: rows of [2, A] int64."""
        pairs = zip(self._limits, self.centres, strict=True)
        return np.array([(low - centre, min(high - centre, LARGEST)) for (low, high, _), centre in pairs], np.int64).T

    @cached_property
    def mapping(self) -> np.ndarray:
        """Where to clip, what to multiply by and to add, to come to steps from the centre: rows of [3, A]."""
        columns = [
            (1.0, (high - low) / 2, -((low + high) % 2) / 2) if both else (np.inf, 1.0, -centre)
            for (low, high, both), centre in zip(self._limits, self.centres, strict=True)
        ]
        return np.array(columns, np.float64).T


def shaped(xp: Any, flat: Array, shape: tuple[int, ...]) -> Array:
    """Return numbers [n, A] in a space's own shape, [n, *shape]."""
    return flat if len(shape) == 1 else xp.reshape(flat, [-1, *shape])


def wrapped(numbers: Iterable[int]) -> np.ndarray:
    """Return whole numbers of any size as int64, modulo 2**64: added to others, they give what their type holds."""
    return np.array([number % 2**64 for number in numbers], np.uint64).view(np.int64)
