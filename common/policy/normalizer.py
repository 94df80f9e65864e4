"""Running moments over everything seen by all ranks, and normalisation by them.

Statistics are frozen while an iteration collects and learns, so that the probability ratio is 1 before the first
gradient step; they are merged over the ranks at its end.
"""

from __future__ import annotations

import numpy as np

from baselines_ppo.common.moments import Moments, merge_moments
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

    def normalize(self, x: np.ndarray) -> np.ndarray:
        """Return (x - mean) / std, clipped, float32, for x [..., *shape]; computed in the working dtype of x."""
        x = np.asarray(x)
        working = working_dtype(x.dtype)
        mean, inverse_std = self.constants(working)
        if working == np.float32:
            return self._clipped((x.astype(np.float32, copy=False) - mean) * inverse_std)
        with np.errstate(over="ignore"):  # where nothing is clipped, what float32 does not hold is Inf
            return self._clipped((x - mean) * inverse_std).astype(np.float32)

    def constants(self, working: np.dtype) -> tuple[np.ndarray, np.ndarray]:
        """Return what is subtracted and what is multiplied by, in a working dtype: mean and 1 / std [*shape]."""
        if working == np.float32:
            return self._mean, self._inverse_std
        return self.moments.mean, self._exact_inverse_std

    def denormalize(self, y: np.ndarray) -> np.ndarray:
        """Return y std + mean, the inverse of `normalize` without its clip."""
        return y * self._std + self._mean

    def scale(self, x: np.ndarray) -> np.ndarray:
        """Return x / std, clipped, float32, for x [..., *shape]; keeps the sign and the zero."""
        return self._clipped(np.asarray(x, np.float32) * self._inverse_std)

    def _clipped(self, y: np.ndarray) -> np.ndarray:
        return y if self.clip is None else np.maximum(np.minimum(y, self.clip), -self.clip)  # faster than np.clip

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
