"""The gradient of a loss over some rows of a batch, and its sum over the shards of a minibatch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from baselines_ppo.common.adam import sum_of_squares
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.policy.parameters import ParameterLayout
from baselines_ppo.common.shards import tree_sum

# parameters by name, a minibatch, its settings (clip range, weight of a penalty) -> loss and metrics, scalars
Loss = Callable[[Mapping[str, tf.Tensor], Any, Any], tuple[tf.Tensor, dict[str, tf.Tensor]]]


def gradient_of(
    loss_of: Loss,
    metric_names: tuple[str, ...],
    layout: ParameterLayout,
    parameters: tf.Tensor,
    minibatch: Any,
    settings: Any,
) -> tf.Tensor:
    """Return gradient, metrics and bad flag in one vector [P + k + 1], which is one message between ranks.

    The flag is 0, or 1 where loss or gradient is not a finite number, or the gradient's square is too large to be one.

    Args:
      minibatch, settings: the loss's second and third argument.

    Raises:
      UsageError: the network does not use some of its parameters.
    """
    parts = layout.split(parameters)
    with tf.GradientTape() as tape:
        tape.watch(parts)
        loss, metrics = loss_of(parts, minibatch, settings)
    gradients = tape.gradient(loss, parts)
    if unused := [name for name, gradient in gradients.items() if gradient is None]:
        raise UsageError(f"the network does not use its parameters {', '.join(unused)}; leave them out of it")
    gradient = tf.concat([tf.reshape(gradients[name], [-1]) for name, _ in layout.shapes], axis=0)
    finite = tf.math.is_finite(sum_of_squares(gradient)) & tf.math.is_finite(loss)
    tail = [*(metrics[name] for name in metric_names), 1.0 - tf.cast(finite, tf.float32)]
    return tf.concat([gradient, tf.stack(tail)], axis=0)


def sum_over_shards(function: Callable[[tf.Tensor], tf.Tensor], rows: tf.Tensor, own: tf.Tensor) -> tf.Tensor:
    """Return the tree sum of a function [P] of each of this rank's shards, which are some rows each, [S, m].

    Args:
      own: S again, as a tensor. XLA must not know how often it goes around the loop: so what it makes of the function
        is one program for one shard, with the same rounding however many shards a rank has. Only additions follow.
    """

    def body(k: tf.Tensor, results: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        return k + 1, results.write(k, function(rows[k]))

    start = (tf.constant(0), tf.TensorArray(tf.float32, size=rows.shape[0]))
    _, results = tf.while_loop(lambda k, _: k < own, body, start, parallel_iterations=1)
    return tree_sum(results.stack())
