"""The array functions that networks and distributions are written over: numpy acts, TensorFlow learns.

Every such function takes `xp`, which is the numpy module itself or `tensorflow_arrays()`. Both know the names below.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

Array = Any  # a numpy array or a TensorFlow tensor


def tensorflow_arrays() -> SimpleNamespace:
    """Return TensorFlow under numpy's names; imports TensorFlow."""
    import tensorflow as tf  # numpy alone must be enough to load an agent and act

    return SimpleNamespace(
        tanh=tf.tanh,
        exp=tf.exp,
        log=tf.math.log,
        abs=tf.abs,
        maximum=tf.maximum,
        minimum=tf.minimum,
        where=tf.where,
        sum=tf.reduce_sum,
        max=tf.reduce_max,
        reshape=tf.reshape,
        concatenate=tf.concat,
        asarray=tf.cast,
    )
