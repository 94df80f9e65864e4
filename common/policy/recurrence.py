"""Leading a recurrent network through sequences, in TensorFlow; acting takes single steps in numpy."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def unroll(
    step: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    sequences: tf.Tensor,
    states: tf.Tensor,
    starts: tf.Tensor,
) -> tf.Tensor:
    """Return a recurrent step's outputs [m, T, F] over sequences of inputs.

    Args:
      step: from inputs [m, I] and states [m, S] to outputs [m, F] and the next states.
      sequences: [m, T, I].
      states: before the first step, [m, S].
      starts: whether an episode begins with a step, which then remembers nothing, [m, T] bool.
    """
    inputs, kept = tf.transpose(sequences, [1, 0, 2]), tf.cast(~tf.transpose(starts), tf.float32)[..., None]
    length = inputs.shape[0]

    def body(t: tf.Tensor, state: tf.Tensor, outputs: tf.TensorArray) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
        output, state = step(inputs[t], state * kept[t])
        return t + 1, state, outputs.write(t, output)

    outputs = tf.TensorArray(tf.float32, size=length)
    start = (tf.constant(0), states, outputs)
    *_, outputs = tf.while_loop(lambda t, *_: t < length, body, start, maximum_iterations=length)
    return tf.transpose(outputs.stack(), [1, 0, 2])
