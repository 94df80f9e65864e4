"""The gradient of a loss over some rows of a batch, and its sum over the shards of a minibatch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from baselines_ppo.common.adam import sum_of_squares
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.shards import tree_sum

# parameters by name, a minibatch, its numbers (clip range, weight of a penalty) -> loss and metrics, scalars
Loss = Callable[[Mapping[str, tf.Tensor], Any, Any], tuple[tf.Tensor, dict[str, tf.Tensor]]]


def gradient_of(
    loss_of: Loss,
    metric_names: tuple[str, ...],
    parameters: Mapping[str, tf.Tensor],
    minibatch: Any,
    numbers: Any,
) -> list[tf.Tensor]:
    """Return the gradient by each parameter, and last the metrics and the loss, [k + 1].

    Args:
      minibatch, numbers: the loss's second and third argument.

    Raises:
      UsageError: the network does not use some of its parameters.
    """
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        loss, metrics = loss_of(parameters, minibatch, numbers)
    gradients = tape.gradient(loss, parameters)
    if unused := [name for name, gradient in gradients.items() if gradient is None]:
        raise UsageError(f"the network does not use its parameters {', '.join(unused)}; leave them out of it")
    return [*(gradients[name] for name in parameters), tf.stack([*(metrics[name] for name in metric_names), loss])]


def message_of(sums: Sequence[tf.Tensor]) -> tf.Tensor:
    """Return what `gradient_of` gave in one vector [P + k + 1], which is one message between ranks.

    Its last number is a flag in place of the loss: 0, or 1 where loss or gradient is not a finite number, or the
    gradient's square is too large to be one.
    """
    *gradients, metrics = sums
    gradient = tf.concat([tf.reshape(part, [-1]) for part in gradients], axis=0)
    finite = tf.math.is_finite(sum_of_squares(gradient)) & tf.math.is_finite(metrics[-1])
    return tf.concat([gradient, metrics[:-1], [1.0 - tf.cast(finite, tf.float32)]], axis=0)


def sum_over_shards(
    function: Callable[[tf.Tensor], Sequence[tf.Tensor]], num_outputs: int, rows: tf.Tensor, own_shards: tf.Tensor
) -> list[tf.Tensor]:
    """Return the tree sums of what a function gives for the rows of each of this rank's shards, [S, m].

    Args:
      function: from the rows [m] of a shard to `num_outputs` tensors.
      own_shards: S as a tensor. If XLA knew how often it goes around the loop, it would unroll or fuse it, and rounding
        would depend on S. So it makes one program for one shard; only additions follow.
    """
    shards = range(rows.shape[0])

    def body(k: tf.Tensor, *results: tf.TensorArray) -> tuple[Any, ...]:
        return k + 1, *(array.write(k, part) for array, part in zip(results, function(rows[k]), strict=True))

    start = (tf.constant(0), *(tf.TensorArray(tf.float32, size=len(shards)) for _ in range(num_outputs)))
    _, *results = tf.while_loop(lambda k, *_: k < own_shards, body, start, parallel_iterations=1)
    return [tree_sum(array.read(k) for k in shards) for array in results]
