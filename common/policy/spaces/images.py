"""Images among observations: what is taken for one, where its rows, columns and channels are, how it is scaled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from baselines_ppo.common.policy.arrays import ACTING, Array, computed_in
from baselines_ppo.common.policy.given_arrays import Limits, array_of, limits_of, working_dtype

SMALLEST_IMAGE = 36  # pixels; what is smaller has nothing left after Nature's three convolutions
LARGEST_BOUND = 2.0**53  # of pixels; whole numbers are exact up to here


@dataclass(frozen=True)
class ImageObservation:
    """An image; every axis of the environment's that counts neither rows nor columns becomes channels."""

    box: tuple[int, ...]  # the environment's own shape, of two to four dimensions
    rows: int  # the axis that counts them; the next one counts columns
    dtype: str = "uint8"  # the environment's own
    low: float = 0.0  # black
    high: float = 255.0  # white
    said: bool = True  # whether these are the environment's; at first, all bytes were taken for pixels from 0 to 255

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """[H, W, C]"""
        height, width = self.box[self.rows : self.rows + 2]
        return height, width, math.prod(self.box) // (height * width)

    @property
    def as_bytes(self) -> bool:
        """Whether it stays as it is until a network scales it, to save memory."""
        return self.dtype == "uint8" and (self.low, self.high) == (0.0, 255.0)

    def encode(self, observation: Any, lead: tuple[int, ...] = ()) -> np.ndarray:
        """Return images [*lead, *box] as [*lead, H, W, C] in the environment's own dtype.

        Raises:
          ValueError: they are none, or of another shape.
        """
        return self.arranged(array_of(observation, (*lead, *self.box), self._dtype, self._limits), lead)

    def arranged(self, images: Array, lead: tuple[int, ...], xp: Any = ACTING) -> Array:
        """Return images [*lead, *box] as [*lead, H, W, C]; of `lead`, one size may be -1."""
        if self.box == self.shape:
            return images
        first, rows = len(lead), len(lead) + self.rows
        others = [axis for axis in range(first, first + len(self.box)) if axis not in (rows, rows + 1)]
        return xp.reshape(xp.transpose(images, [*range(first), rows, rows + 1, *others]), [*lead, *self.shape])

    def scaled(self, pixels: Array, xp: Any = ACTING, working: np.dtype | None = None) -> Array:
        """Return pixels of any shape as float32, 0 for black and 1 for white.

        Args:
          working: the dtype in which this is computed; None: that of the pixels.
        """
        if (self.low, self.high) == (0.0, 1.0):
            return xp.asarray(pixels, np.float32)
        kind = computed_in(xp, working_dtype(pixels.dtype) if working is None else working)
        low, factor = kind.type(self.low), kind.type(1.0 / (self.high - self.low))
        return xp.asarray((xp.asarray(pixels, kind) - low) * factor, np.float32)

    @cached_property
    def _dtype(self) -> np.dtype:
        return np.dtype(self.dtype)

    @cached_property
    def _limits(self) -> Limits | None:
        if self._dtype.kind not in "iu":
            return None
        return limits_of(np.array(int(self.low), self._dtype), np.array(int(self.high), self._dtype))


def image_of(space: Any, chosen: bool) -> ImageObservation | None:
    """Return what a Box shows, if its shape and bounds are those of an image; else None.

    Pixels are bytes or other numbers from 0 to 255, or floats from 0 to 1. The two neighbouring axes whose fellows
    are fewest count rows and columns; the others are channels, or a stack of frames, before or behind.

    Args:
      chosen: whether the user takes it for one, whatever its size and its bounds, where these are finite.
    """
    box, dtype = tuple(map(int, space.shape)), np.dtype(space.dtype)
    if not 2 <= len(box) <= 4 or 0 in box or dtype.kind == "b":
        return None
    rows = min(range(len(box) - 1), key=lambda axis: math.prod(box) // (box[axis] * box[axis + 1]))
    low, high = float(space.low.min()), float(space.high.max())
    if chosen:
        seen = low < high and max(-low, high) < LARGEST_BOUND
    else:
        constant = (space.low == low).all() and (space.high == high).all()
        pixels = (low, high) == (0.0, 255.0) or (dtype.kind == "f" and (low, high) == (0.0, 1.0))
        seen = constant and pixels and large_enough(box[rows : rows + 2])
    return ImageObservation(box, rows, str(dtype), low, high) if seen else None


def large_enough(shape: Sequence[int]) -> bool:
    """Return whether an image [H, W, ...] is one for convolutions."""
    return min(shape[:2]) >= SMALLEST_IMAGE
