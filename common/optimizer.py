"""Adam on one flat parameter vector, its gradients averaged over MPI ranks; epochs of minibatches in one call."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from baselines_ppo.common.failures import DataError, UsageError
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.parameters import ParameterLayout
from baselines_ppo.common.programs import program
from baselines_ppo.common.shards import WHOLE, Shards, tree_sum

BETA1, BETA2 = 0.9, 0.999
ROW = 64  # numbers that are summed as one row

# parameters by name, a minibatch, what else moves [S] (clip range, weight of a penalty) -> loss and metrics, scalars
Loss = Callable[[Mapping[str, tf.Tensor], Any, tf.Tensor], tuple[tf.Tensor, dict[str, tf.Tensor]]]


class AdamState(NamedTuple):
    """Parameters and their two moment estimates, each [P] float32, and the number of steps made."""

    parameters: tf.Tensor
    first_moment: tf.Tensor
    second_moment: tf.Tensor
    step: tf.Tensor


def adam_step(state: AdamState, gradient: tf.Tensor, learning_rate: tf.Tensor, epsilon: float) -> AdamState:
    """Return the state after one Adam step, of one size for all parameters or one for each.

    Source: Kingma and Ba 2015, arXiv:1412.6980, algorithm 1 in the order of computation given at the end of
    its section 2, whose epsilon is the paper's "epsilon hat".
    """
    step = state.step + 1
    t = tf.cast(step, tf.float32)
    first = BETA1 * state.first_moment + (1.0 - BETA1) * gradient
    second = BETA2 * state.second_moment + (1.0 - BETA2) * tf.square(gradient)
    rate = learning_rate * tf.sqrt(1.0 - tf.pow(BETA2, t)) / (1.0 - tf.pow(BETA1, t))
    return AdamState(state.parameters - rate * first / (tf.sqrt(second) + epsilon), first, second, step)


def sum_of_squares(x: tf.Tensor) -> tf.Tensor:
    """Return the sum of the squares of a vector [P].

    It is summed by a matrix product in rows, for which there is fast code; XLA's own sums on CPUs are slow.
    """
    rows = tf.reshape(tf.pad(tf.square(x), [[0, -x.shape[0] % ROW]]), [-1, ROW])
    return tf.reduce_sum(tf.linalg.matvec(rows, tf.ones([ROW])))


def clip_by_norm(gradient: tf.Tensor, max_norm: float | None) -> tf.Tensor:
    """Return the gradient [P], shortened to the norm `max_norm` if it is longer."""
    if max_norm is None:
        return gradient
    return gradient * (max_norm / tf.maximum(tf.sqrt(sum_of_squares(gradient)), max_norm))


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


class AdamSettings(NamedTuple):
    """What stays as it is over a run."""

    epsilon: float
    max_grad_norm: float | None = None  # longest gradient over all parameters; None: any
    step_scales: Mapping[str, float] = MappingProxyType({})  # what multiplies the step size, by parameters' names
    shards: Shards = WHOLE  # in which each minibatch is computed
    padded: bool = False  # whether minibatches are of changing lengths, and -1 stands for no row
    parts: Hashable = None  # what the loss is made of, where learners with the same may share their programs


class Minibatches(NamedTuple):
    """What all epochs of an iteration are made of; or one epoch, without the first axis."""

    rows: tf.Tensor  # [E, K, S, m], which of the batch
    settings: tf.Tensor  # [E, K, n], the loss's third argument
    own_shards: tf.Tensor  # S again, see `sum_over_shards`

    def epoch(self, e: tf.Tensor) -> Minibatches:
        """Return those of one epoch."""
        return self._replace(rows=self.rows[e], settings=self.settings[e])


class Fitted(NamedTuple):
    """What some epochs of minibatches gave; metrics are means over minibatches and ranks."""

    metrics: dict[str, float]  # of all epochs made
    last: dict[str, float]  # of the last one
    epochs: int
    learning_rate: float  # after the last one


# last epoch's metrics by name, step size -> next epoch's step size, whether there is to be one
BetweenEpochs = Callable[[Mapping[str, tf.Tensor], tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def unchanged(metrics: Mapping[str, tf.Tensor], learning_rate: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Keep the step size and make all epochs."""
    return learning_rate, tf.constant(True)


class MpiAdam:
    """Minimises a loss by minibatch steps that are the same on all ranks."""

    def __init__(
        self,
        loss: Loss,
        metric_names: tuple[str, ...],
        layout: ParameterLayout,
        comm: Comm,
        settings: AdamSettings,
        compiled: bool = True,
        between_epochs: BetweenEpochs = unchanged,
    ) -> None:
        """Without `compiled`, TensorFlow runs operation by operation: for convolutions and changing shapes."""
        self._shards = settings.shards
        self._loss, self._metric_names, self._layout, self._comm = loss, metric_names, layout, comm
        self._failure: DataError | None = None  # of a reduction inside of the compiled program
        assert {*settings.step_scales} <= {name for name, _ in layout.shapes}, "a step scale of no parameter"
        self._settings, self._between_epochs = settings, between_epochs
        scales = {name: np.full(shape, settings.step_scales.get(name, 1.0)) for name, shape in layout.shapes}
        self._step_scales = layout.join(scales) if settings.step_scales else np.float32(1.0)
        # Whole minibatches: all epochs are one compiled program. Shards: a graph loop around compiled pieces, the same
        # on any number of ranks, with the reduction between them. Either way one call for all of them.
        parts = settings.parts and (loss.__qualname__, settings.parts, settings.shards)
        options: dict[str, Any] = {"reduce_retracing": settings.padded}
        whole = settings.shards == WHOLE
        self._run_epochs = program(self._epochs, parts, jit_compile=compiled and whole, **options)
        self._run_gradient = program(self._gradient, parts, jit_compile=compiled, **options)
        self._run_step = program(self._step, parts, jit_compile=compiled, **options)
        self._state: AdamState

    def start(self, parameters: np.ndarray) -> None:
        """Begin at these parameters [P] with empty moments."""
        zeros = np.zeros_like(parameters)
        self.restore({"parameters": parameters, "adam/m": zeros, "adam/v": zeros, "adam/step": np.int64(0)})

    @property
    def parameters(self) -> np.ndarray:
        """The current parameters [P]."""
        return self._state.parameters.numpy()

    @property
    def step(self) -> int:
        """Number of steps made since `start`."""
        return int(self._state.step)

    def epochs(self, batch: Any, indices: np.ndarray, learning_rate: float, *settings: Any) -> Fitted:
        """Make one step per minibatch, epoch after epoch, until all are made or `between_epochs` ends them.

        Args:
          batch: NamedTuple of this rank's tensors [B, ...].
          indices: which rows of the batch make each minibatch of each epoch, [E, K, M], shard by shard, all of the
            same length; if padded, -1 stands for no row.
          settings: numbers, or arrays [E, K]; those of a minibatch are the loss's third argument.

        Raises:
          DataError: a gradient was not finite on some rank; it and all later ones were not applied.
        """
        shape = indices.shape[:2]
        each = np.stack([np.broadcast_to(np.float32(x), shape) for x in settings] or [np.zeros(shape, np.float32)], -1)
        rate = tf.constant(np.float32(learning_rate))  # TensorFlow keeps a tensor of each Python number for ever
        rows = indices.reshape(*shape, self._shards.own, -1)
        minibatches = Minibatches(*map(tf.constant, (rows, each, self._shards.own)))
        try:
            self._state, *taken = self._run_epochs(self._state, batch, minibatches, rate)
        except tf.errors.OpError:
            if self._failure is not None:  # else TensorFlow would tell of an error of its own
                raise self._failure from None
            raise
        epochs, rate, sums, last, own_bad = (x.numpy() for x in taken)
        if sums[-1]:
            ranks = np.flatnonzero(self._comm.stack(own_bad, "bad gradients")).tolist()
            where = f" of rank {', '.join(map(str, ranks))}" if self._comm.size > 1 else ""
            raise DataError(
                f"update {self.step + 1}: the gradient{where} has NaN or Inf; nothing was applied from it. "
                "Begin again with a smaller step size, or look at the environment's observations and rewards"
            )
        return Fitted(self._named(sums / (epochs * shape[1])), self._named(last), int(epochs), float(rate))

    def state(self) -> dict[str, np.ndarray]:
        """Return parameters, both moments and the step count as named arrays."""
        names = ("parameters", "adam/m", "adam/v", "adam/step")
        return {name: x.numpy() for name, x in zip(names, self._state, strict=True)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take the arrays of `state()`."""
        parameters, first, second = (
            tf.constant(state[name], tf.float32) for name in ("parameters", "adam/m", "adam/v")
        )
        self._state = AdamState(parameters, first, second, tf.constant(state["adam/step"], tf.int64))

    def _epochs(
        self, state: AdamState, batch: Any, minibatches: Minibatches, learning_rate: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        """Loop over the epochs; returns state, epochs made, step size, sums and last means of metrics, own bad."""
        zeros, most = tf.zeros([len(self._metric_names) + 1]), tf.shape(minibatches.rows)[0]

        def going(
            e: tf.Tensor, go_on: tf.Tensor, state: AdamState, rate: tf.Tensor, sums: tf.Tensor, *_: Any
        ) -> tf.Tensor:
            return (e < most) & go_on & (sums[-1] == 0.0)

        def body(
            e: tf.Tensor, _: tf.Tensor, state: AdamState, rate: tf.Tensor, sums: tf.Tensor, __: Any, bad: tf.Tensor
        ) -> tuple[Any, ...]:
            state, own, own_bad = self._epoch(state, batch, minibatches.epoch(e), rate)
            means = own / tf.cast(tf.shape(minibatches.rows)[1], tf.float32)
            rate, go_on = self._between_epochs(dict(zip(self._metric_names, tf.unstack(means[:-1]), strict=True)), rate)
            return e + 1, go_on, state, rate, sums + own, means, bad + own_bad

        start = (tf.constant(0), tf.constant(True), state, learning_rate, zeros, zeros, tf.constant(0.0))
        e, _, state, rate, sums, means, bad = tf.while_loop(going, body, start, maximum_iterations=most)
        return state, e, rate, sums, means, bad

    def _epoch(
        self, state: AdamState, batch: Any, minibatches: Minibatches, learning_rate: tf.Tensor
    ) -> tuple[AdamState, tf.Tensor, tf.Tensor]:
        """Loop over the minibatches; returns the state, the sums of metrics, and how often this rank was bad."""
        rows, settings, own_shards = minibatches

        def body(k: tf.Tensor, state: AdamState, sums: tf.Tensor, own_bad: tf.Tensor) -> tuple[Any, ...]:
            own = self._run_gradient(state.parameters, batch, rows[k], settings[k], own_shards)
            state, metrics = self._run_step(state, self._average(own), learning_rate, sums[-1])
            return k + 1, state, sums + metrics, own_bad + own[-1]

        count = tf.shape(rows)[0]
        start = (tf.constant(0), state, tf.zeros([len(self._metric_names) + 1]), tf.constant(0.0))
        _, state, sums, own_bad = tf.while_loop(lambda k, *_: k < count, body, start, maximum_iterations=count)
        return state, sums, own_bad

    def _named(self, values: np.ndarray) -> dict[str, float]:
        return dict(zip(self._metric_names, map(float, values[:-1]), strict=True))

    def _gradient(
        self, parameters: tf.Tensor, batch: Any, rows: tf.Tensor, settings: tf.Tensor, own_shards: tf.Tensor
    ) -> tf.Tensor:
        """Return the sum over this rank's shards, rows [S, m], of gradients, metrics and not-finite flags."""
        if self._shards == WHOLE:
            return self._shard_gradient(parameters, batch, rows[0], settings)
        return sum_over_shards(lambda own: self._shard_gradient(parameters, batch, own, settings), rows, own_shards)

    def _shard_gradient(self, parameters: tf.Tensor, batch: Any, rows: tf.Tensor, settings: tf.Tensor) -> tf.Tensor:
        """Return gradient, metrics and not-finite flag of some rows [m] in one vector [P + k + 1]."""
        rows = tf.boolean_mask(rows, rows >= 0) if self._settings.padded else rows
        minibatch = tf.nest.map_structure(lambda x: tf.gather(x, rows), batch)
        parts = self._layout.split(parameters)
        with tf.GradientTape() as tape:
            tape.watch(parts)
            loss, metrics = self._loss(parts, minibatch, settings)
        gradients = tape.gradient(loss, parts)
        if unused := [name for name, gradient in gradients.items() if gradient is None]:
            raise UsageError(f"the network does not use its parameters {', '.join(unused)}; leave them out of it")
        gradient = tf.concat([tf.reshape(gradients[name], [-1]) for name, _ in self._layout.shapes], axis=0)
        tail = [metrics[name] for name in self._metric_names]
        finite = tf.math.is_finite(sum_of_squares(gradient)) & tf.math.is_finite(loss)  # numbers, and not too large
        return tf.concat([gradient, tf.stack([*tail, 1.0 - tf.cast(finite, tf.float32)])], axis=0)

    def _average(self, vector: tf.Tensor) -> tf.Tensor:
        """Return the average over all ranks' shards: the one reduction per minibatch."""
        total = vector
        if self._comm.size > 1:
            total = tf.ensure_shape(tf.numpy_function(self._summed, [vector], tf.float32), vector.shape)
        return total if self._shards == WHOLE else total / self._shards.total

    def _summed(self, vector: np.ndarray) -> np.ndarray:
        """Return the sum over ranks, called from within the compiled program."""
        try:
            return self._comm.sum(vector, "gradients")
        except DataError as error:
            self._failure = error
            raise

    def _step(
        self, state: AdamState, average: tf.Tensor, learning_rate: tf.Tensor, bad_before: tf.Tensor
    ) -> tuple[AdamState, tf.Tensor]:
        """Make one step, unless this gradient or one before it in the epoch was not finite."""
        gradient, metrics = average[: self._layout.size], average[self._layout.size :]
        rates = learning_rate * self._step_scales
        after = adam_step(state, clip_by_norm(gradient, self._settings.max_grad_norm), rates, self._settings.epsilon)
        good = (metrics[-1] == 0.0) & (bad_before == 0.0)
        return AdamState(*(tf.where(good, new, old) for new, old in zip(after, state, strict=True))), metrics


def prefixed(name: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return one of several optimisers' state under names of its own, without the parameters, which all share."""
    return {f"{name}_{key}": x for key, x in state.items() if key != "parameters"}


def unprefixed(name: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return what `prefixed` was given."""
    return {key.removeprefix(f"{name}_"): x for key, x in state.items() if key.startswith(f"{name}_adam/")}
