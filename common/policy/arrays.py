"""The array functions that policies are written over: numpy acts, TensorFlow learns.

Every network takes `xp`, which is `NUMPY` or `tensorflow_arrays()`. Both know the same names and no others, so that a
network that acts can learn too. An exported one is written over a third kind, see `run/exporting`; so is all that is
between an observation, the network and the action, which in numpy is written over `ACTING`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np

from baselines_ppo.common.failures import UsageError

Array = Any  # a numpy array, a TensorFlow tensor, or a node of a graph that is exported


class Arrays(SimpleNamespace):
    """Array functions by numpy's names."""

    def __getattr__(self, name: str) -> NoReturn:
        """Refuse what is not there.

        Raises:
          UsageError: names what there is.
        """
        if name.startswith("__"):
            raise AttributeError(name)
        raise UsageError(f"a network's xp has no {name}; it has {', '.join(sorted(vars(self)))}")


NUMPY = Arrays(
    tanh=np.tanh,
    exp=np.exp,
    log=np.log,
    abs=np.abs,
    maximum=np.maximum,
    minimum=np.minimum,
    where=np.where,
    sum=np.sum,
    max=np.max,
    reshape=np.reshape,
    concatenate=np.concatenate,
    asarray=np.asarray,
)

# What a whole policy takes beside these, whose networks are a part of it: on the way from an observation to an action.
# `difference` subtracts float64 from numbers whose working dtype that is; `wide` is in what that is computed then:
# float64, or float32 where a runtime has no other.
ACTING = Arrays(
    **vars(NUMPY),
    argmax=np.argmax,
    rint=np.rint,
    transpose=np.transpose,
    difference=np.subtract,
    wide=np.dtype(np.float64),
)


def computed_in(xp: Any, dtype: np.dtype) -> np.dtype:
    """Return in what numbers of a working dtype are computed: the same, or what stands for float64."""
    return xp.wide if dtype == np.float64 else dtype


def tensorflow_arrays() -> Arrays:
    """Return TensorFlow under numpy's names; imports TensorFlow."""
    import tensorflow as tf  # numpy alone must be enough to load an agent and act

    return Arrays(
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
