"""What TFLite computes in place of float64, of which it has the type but no arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np

MANTISSA = 52  # bits of a float64
BEYOND = 29  # of these, the last that a float32 has not
HIGH = 20  # that are in the upper half of the 64


def difference(x: Any, subtracted: np.ndarray) -> Any:
    """Return x - subtracted as float32, for x [..., D] of float64 or what converts to it, and float64 [D].

    Each number is taken for the sum of two float32. The first halves are subtracted from each other, and the second
    ones; what the first leave is exact where the numbers are close, which is where the second ones matter.
    """
    upper, lower = _halves(x)
    first = subtracted.astype(np.float32)
    return (upper - first) + (lower - (subtracted - first).astype(np.float32))


def _halves(x: Any) -> tuple[Any, Any]:
    """Return float32 [..., D] twice: float64 cut off after the bits of a float32, and what was cut off."""
    import tensorflow as tf

    words = tf.bitcast(tf.cast(x, tf.float64), tf.int32)  # [..., D, 2], the lower half first
    low, high = words[..., 0], words[..., 1]
    kept = low // 2**BEYOND * 2**BEYOND
    unit = _float32(tf.zeros_like(high), high // 2**HIGH * 2**HIGH)  # sign and exponent alone
    rest = tf.cast(low - kept, tf.float32) * np.float32(2.0**-MANTISSA)
    return _float32(kept, high), rest * unit


def _float32(low: Any, high: Any) -> Any:
    import tensorflow as tf

    return tf.cast(tf.bitcast(tf.stack([low, high], axis=-1), tf.float64), tf.float32)
