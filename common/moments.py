"""Mean and variance of samples, and of the union of two sets of samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Moments(NamedTuple):
    """Mean [...], variance [...] (population) and number of samples, float64."""

    mean: np.ndarray
    variance: np.ndarray
    samples: float


def moments_of(samples: np.ndarray) -> Moments:
    """Return the moments of samples [B, ...] over their first axis."""
    samples = samples.astype(np.float64)
    return Moments(samples.mean(axis=0), samples.var(axis=0), float(len(samples)))


def merge_moments(a: Moments, b: Moments) -> Moments:
    """Return the moments of the union of two sets of samples (Chan, Golub and LeVeque 1979, equation 2.1)."""
    count = a.samples + b.samples
    if count == 0:
        return a
    delta = b.mean - a.mean
    mean = a.mean + delta * (b.samples / count)
    squares = a.variance * a.samples + b.variance * b.samples + delta * delta * (a.samples * b.samples / count)
    return Moments(mean, squares / count, count)
