"""Running moments over everything seen by all ranks, and normalisation by them.

Statistics are frozen while an iteration collects and learns, so that the probability ratio is 1 before the first
gradient step; they are merged over the ranks at its end.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from baselines_ppo.common.moments import Moments, merge_moments
from baselines_ppo.common.policy.arrays import ACTING, Array, computed_in
from baselines_ppo.common.policy.given_arrays import working_dtype

EPSILON = 1e-8  # added to the variance


class Normalizer:
    """Normalises by moments that change only when `update` is called."""

    def __init__(self, shape: tuple[int, ...], clip: float | None = None) -> None:
        """Start as the identity: mean 0, variance 1, nothing counted."""
        self.clip = clip
        self.moments = Moments(np.zeros(shape), np.ones(shape), 0.0)

    @property
    def moments(self) -> Moments:
        return self._moments

    @moments.setter
    def moments(self, moments: Moments) -> None:
        self._moments = moments
        largest = np.finfo(np.float32).max
        self._mean = np.clip(moments.mean, -largest, largest).astype(np.float32)
        self._std = np.minimum(np.sqrt(moments.variance + EPSILON), largest).astype(np.float32)
        self._exact_inverse_std = 1.0 / np.sqrt(moments.variance + EPSILON)
        self._inverse_std = self._exact_inverse_std.astype(np.float32)

    def update(self, seen: Moments) -> None:
        """Merge moments that are the same on all ranks."""
        self.moments = merge_moments(self._moments, seen)

    def normalize(self, x: Array, xp: Any = ACTING, working: np.dtype | None = None, columns: Any = ...) -> Array:
        """Return (x - mean) / std, clipped, float32, for x [..., *shape].

        Args:
          working: the dtype in which this is computed; None: that of x.
          columns: which of the numbers x is; all by default.
        """
        working = working_dtype(x.dtype) if working is None else working
        narrow, kind = working == np.float32, computed_in(xp, working)
        mean, inverse_std = (self._mean, self._inverse_std) if narrow else (self.moments.mean, self._exact_inverse_std)
        centred = xp.asarray(x, np.float32) - mean[columns] if narrow else xp.difference(x, mean[columns])
        with np.errstate(over="ignore"):  # what is too large is Inf, and clipped, unless nothing is
            y = self._clipped(centred * inverse_std[columns].astype(kind, copy=False), kind, xp)
            return xp.asarray(y, np.float32)

    def denormalize(self, y: np.ndarray) -> np.ndarray:
        """Return y std + mean, the inverse of `normalize` without its clip."""
        return y * self._std + self._mean

    def scale(self, x: np.ndarray) -> np.ndarray:
        """Return x / std, clipped, float32, for x [..., *shape]; keeps the sign and the zero."""
        return self._clipped(np.asarray(x, np.float32) * self._inverse_std, np.dtype(np.float32))

    def _clipped(self, y: Array, kind: np.dtype, xp: Any = ACTING) -> Array:
        if self.clip is None:
            return y
        limit = kind.type(self.clip)
        return xp.maximum(xp.minimum(y, limit), -limit)  # in numpy faster than its clip

    def state(self) -> dict[str, np.ndarray]:
        """Return the moments as named arrays."""
        return {
            "mean": self.moments.mean,
            "variance": self.moments.variance,
            "count": np.array(self.moments.samples),
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Take the moments of `state()`."""
        self.moments = Moments(state["mean"], state["variance"], float(state["count"]))


def clipped(rewards: np.ndarray, limit: float | None) -> np.ndarray:
    """Return raw rewards, none beyond the limit."""
    return rewards if limit is None else np.clip(rewards, -limit, limit)


def scaled(rewards: np.ndarray, scaler: Normalizer | None) -> np.ndarray:
    """Return rewards as the learner sees them, float32."""
    return rewards.astype(np.float32) if scaler is None else scaler.scale(rewards)
