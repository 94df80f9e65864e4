"""The loop over minibatches: gradient, average over the MPI ranks, Adam's step.

Every rank computes the gradient of its own part of a minibatch; all make the same step by the average. The part is
computed in shards, fixed groups of environments whose gradients are the same on any number of ranks:

    for epoch in range(E):
        for minibatch in epoch:
            own = gradient(parameters, minibatch)    # summed over this rank's shards
            average = sum over ranks(own) / shards   # the one message
            parameters = adam step(average)

These three lines are in `MinibatchLoop._epoch`. The rest makes TensorFlow programs of them. Where minibatches are
small, each rank learns from the steps of all ranks: the communicator then has one rank, and nothing is averaged
(`plan.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from baselines_ppo.common.adam import AdamState, adam_step, clip_by_norm, from_arrays, start_at, to_arrays
from baselines_ppo.common.failures import DataError
from baselines_ppo.common.gradient import Loss, gradient_of, message_of, sum_over_shards
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.parameters import ParameterLayout
from baselines_ppo.common.programs import program
from baselines_ppo.common.shards import WHOLE, Shards


class LoopSettings(NamedTuple):
    """What stays as it is over a run."""

    epsilon: float  # Adam's
    max_grad_norm: float | None = None  # longest gradient over all parameters; None: any
    step_scales: Mapping[str, float] = MappingProxyType({})  # what multiplies the step size, by parameters' names
    shards: Shards = WHOLE  # in which each minibatch is computed
    padded: bool = False  # whether minibatches are of changing lengths, and -1 stands for no row
    parts: Hashable = None  # by which learners of one process share their programs, see `made_of`; None: they do not
    compiled: bool = True  # else TensorFlow runs operation by operation: for convolutions and changing shapes


class NoNumbers(NamedTuple):
    """For losses that take none."""


class Minibatches(NamedTuple):
    """What all epochs of an iteration are made of; or one epoch, without the first axis."""

    rows: tf.Tensor  # [E, K, S, m], which of the batch
    numbers: Any  # NamedTuple of [E, K], the loss's third argument
    own_shards: tf.Tensor  # S again, see `sum_over_shards`

    def part(self, number: tf.Tensor) -> Minibatches:
        """Return those of one epoch, or of an epoch one minibatch."""
        numbers = tf.nest.map_structure(lambda x: x[number], self.numbers)
        return Minibatches(self.rows[number], numbers, self.own_shards)


class LoopState(NamedTuple):
    """How far the loop over the epochs is."""

    epochs: tf.Tensor  # made
    go_on: tf.Tensor  # whether there is to be another
    adam: AdamState
    learning_rate: tf.Tensor
    sums: tf.Tensor  # of metrics over all minibatches, and of a number above 0 for each that was bad, [k + 1]
    last: tf.Tensor  # means over the last epoch, [k + 1]
    own_bad: tf.Tensor  # minibatches of which this rank's gradient was not finite


class EpochState(NamedTuple):
    """How far the loop over the minibatches of one epoch is."""

    minibatches: tf.Tensor  # made
    adam: AdamState
    sums: tf.Tensor  # as above
    own_bad: tf.Tensor


class Fitted(NamedTuple):
    """What some epochs of minibatches gave; metrics are means over minibatches and ranks."""

    metrics: dict[str, float]  # of all epochs made
    last: dict[str, float]  # of the last one
    epochs: int
    learning_rate: float  # after the last one
    go_on: bool  # whether `between_epochs` would make another


# last epoch's metrics by name, step size -> next epoch's step size, whether there is to be one
BetweenEpochs = Callable[[Mapping[str, tf.Tensor], tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def unchanged(metrics: Mapping[str, tf.Tensor], learning_rate: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Keep the step size and make all epochs."""
    return learning_rate, tf.constant(True)


class MinibatchLoop:
    """Minimises a loss by minibatch steps that are the same on all ranks."""

    def __init__(
        self,
        loss: Loss,
        metric_names: tuple[str, ...],
        layout: ParameterLayout,
        comm: Comm,
        settings: LoopSettings,
        between_epochs: BetweenEpochs = unchanged,
    ) -> None:
        self._loss, self._metric_names, self._layout, self._comm = loss, metric_names, layout, comm
        self._settings, self._between_epochs, self._shards = settings, between_epochs, settings.shards
        self._failure: DataError | None = None  # of a reduction inside of the compiled program
        assert {*settings.step_scales} <= {name for name, _ in layout.shapes}, "a step scale of no parameter"
        scales = {name: np.full(shape, settings.step_scales.get(name, 1.0)) for name, shape in layout.shapes}
        self._step_scales = layout.join(scales) if settings.step_scales else np.float32(1.0)
        # Whole minibatches: all epochs are one compiled program. Shards: a graph loop around compiled pieces, the same
        # on any number of ranks, with the reduction between them. Either way one call for all of them.
        learner = type(getattr(loss, "__self__", None))  # whose loss and `between_epochs` they are
        parts = settings.parts and (learner, loss.__qualname__, settings.parts, settings.shards)
        options: dict[str, Any] = {"reduce_retracing": settings.padded}
        whole = settings.shards == WHOLE
        self._run = program(self._epochs, parts, jit_compile=settings.compiled and whole, **options)
        self._gradient = program(self._own_gradient, parts, jit_compile=settings.compiled, **options)
        self._step = program(self._step_unless_bad, parts, jit_compile=settings.compiled, **options)
        self._adam: AdamState

    def start(self, parameters: np.ndarray) -> None:
        """Begin at these parameters [P] with empty moments."""
        self._adam = start_at(parameters)

    @property
    def parameters(self) -> np.ndarray:
        """The current parameters [P]."""
        return self._adam.parameters.numpy()

    @property
    def step(self) -> int:
        """Number of steps made since `start`."""
        return int(self._adam.step)

    def epochs(self, batch: Any, indices: np.ndarray, learning_rate: float, numbers: Any = NoNumbers()) -> Fitted:  # noqa: B008
        """Make one step per minibatch, epoch after epoch, until all are made or `between_epochs` ends them.

        Args:
          batch: NamedTuple of tensors [B, ...], of what this rank learns from.
          indices: which rows of the batch make each minibatch of each epoch, [E, K, M], shard by shard, all of the
            same length; if padded, -1 stands for no row.
          numbers: NamedTuple of numbers, or of arrays [E, K]; a minibatch's own are the loss's third argument.

        Raises:
          DataError: a gradient was not finite on some rank; it and all later ones were not applied.
        """
        shape = indices.shape[:2]
        each = tf.nest.map_structure(lambda x: tf.constant(np.broadcast_to(np.float32(x), shape)), numbers)
        rate = tf.constant(np.float32(learning_rate))  # TensorFlow keeps a tensor of each Python number for ever
        rows = tf.constant(indices.reshape(*shape, self._shards.own, -1))
        minibatches = Minibatches(rows, each, tf.constant(self._shards.own))
        try:
            done = self._run(self._adam, batch, minibatches, rate)
        except tf.errors.OpError:
            if self._failure is not None:  # else TensorFlow would tell of an error of its own
                raise self._failure from None
            raise
        self._adam = done.adam
        sums, epochs = done.sums.numpy(), int(done.epochs)
        if sums[-1]:
            self._refuse(done.own_bad.numpy())
        means = self._named(sums / (epochs * shape[1]))
        return Fitted(means, self._named(done.last.numpy()), epochs, float(done.learning_rate), bool(done.go_on))

    def state(self) -> dict[str, np.ndarray]:
        """Return parameters, both moments and the step count as named arrays."""
        return to_arrays(self._adam)

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take the arrays of `state()`."""
        self._adam = from_arrays(state)

    def _epochs(self, adam: AdamState, batch: Any, minibatches: Minibatches, learning_rate: tf.Tensor) -> LoopState:
        """Loop over the epochs, until one is bad or `between_epochs` ends them."""
        zeros, most = tf.zeros([len(self._metric_names) + 1]), tf.shape(minibatches.rows)[0]

        def going(loop: LoopState) -> tf.Tensor:
            return (loop.epochs < most) & loop.go_on & (loop.sums[-1] == 0.0)

        def body(loop: LoopState) -> tuple[LoopState]:
            own = minibatches.part(loop.epochs)
            epoch = self._epoch(loop.adam, batch, own, loop.learning_rate)
            means = epoch.sums / tf.cast(tf.shape(own.rows)[0], tf.float32)
            by_name = dict(zip(self._metric_names, tf.unstack(means[:-1]), strict=True))
            rate, go_on = self._between_epochs(by_name, loop.learning_rate)
            sums, own_bad = loop.sums + epoch.sums, loop.own_bad + epoch.own_bad
            return (LoopState(loop.epochs + 1, go_on, epoch.adam, rate, sums, means, own_bad),)

        start = LoopState(tf.constant(0), tf.constant(True), adam, learning_rate, zeros, zeros, tf.constant(0.0))
        (done,) = tf.while_loop(going, body, (start,), maximum_iterations=most)
        return done

    def _epoch(self, adam: AdamState, batch: Any, minibatches: Minibatches, learning_rate: tf.Tensor) -> EpochState:
        """Loop over the minibatches of one epoch: here the ranks meet."""
        count = tf.shape(minibatches.rows)[0]

        def body(epoch: EpochState) -> tuple[EpochState]:
            minibatch = minibatches.part(epoch.minibatches)
            own = self._gradient(epoch.adam.parameters, batch, minibatch)
            average = self._average(own)
            adam, metrics = self._step(epoch.adam, average, learning_rate, epoch.sums[-1])
            return (EpochState(epoch.minibatches + 1, adam, epoch.sums + metrics, epoch.own_bad + own[-1]),)

        start = EpochState(tf.constant(0), adam, tf.zeros([len(self._metric_names) + 1]), tf.constant(0.0))
        (done,) = tf.while_loop(lambda epoch: epoch.minibatches < count, body, (start,), maximum_iterations=count)
        return done

    def _own_gradient(self, parameters: tf.Tensor, batch: Any, minibatch: Minibatches) -> tf.Tensor:
        """Return the sum over this rank's shards of gradients, metrics and a bad flag, [P + k + 1]."""
        rows, numbers, own_shards = minibatch
        parts = self._layout.split(parameters)

        def of_shard(rows: tf.Tensor) -> list[tf.Tensor]:
            rows = tf.boolean_mask(rows, rows >= 0) if self._settings.padded else rows
            own = tf.nest.map_structure(lambda x: tf.gather(x, rows), batch)
            return gradient_of(self._loss, self._metric_names, parts, own, numbers)

        if self._shards == WHOLE:
            return message_of(of_shard(rows[0]))
        return message_of(sum_over_shards(of_shard, len(parts) + 1, rows, own_shards))

    def _average(self, own: tf.Tensor) -> tf.Tensor:
        """Return the average over all ranks' shards: the one reduction per minibatch.

        A minibatch that is not divided into shards, `WHOLE`, has a communicator of one rank.
        """
        total = own
        if self._comm.size > 1:
            total = tf.ensure_shape(tf.numpy_function(self._sum_over_ranks, [own], tf.float32), own.shape)
        return total if self._shards == WHOLE else total / self._shards.total

    def _sum_over_ranks(self, vector: np.ndarray) -> np.ndarray:
        """Return the sum over ranks, called from within the compiled program."""
        try:
            return self._comm.sum(vector, "gradients")
        except DataError as error:
            self._failure = error
            raise

    def _step_unless_bad(
        self, adam: AdamState, average: tf.Tensor, learning_rate: tf.Tensor, bad_before: tf.Tensor
    ) -> tuple[AdamState, tf.Tensor]:
        """Make one step, unless this gradient or one before it in the epoch was not finite; returns metrics too."""
        gradient, metrics = average[: self._layout.size], average[self._layout.size :]
        rates = learning_rate * self._step_scales
        after = adam_step(adam, clip_by_norm(gradient, self._settings.max_grad_norm), rates, self._settings.epsilon)
        good = (metrics[-1] == 0.0) & (bad_before == 0.0)
        return AdamState(*(tf.where(good, new, old) for new, old in zip(after, adam, strict=True))), metrics

    def _refuse(self, own_bad: np.ndarray) -> None:
        """Name the ranks whose gradients were not finite.

        Raises:
          DataError: always.
        """
        ranks = np.flatnonzero(self._comm.stack(own_bad, "bad gradients")).tolist()
        where = f" of rank {', '.join(map(str, ranks))}" if self._comm.size > 1 else ""
        raise DataError(
            f"update {self.step + 1}: the gradient{where} has NaN or Inf; nothing was applied from it. "
            "Begin again with a smaller step size, or look at the environment's observations and rewards"
        )

    def _named(self, values: np.ndarray) -> dict[str, float]:
        return dict(zip(self._metric_names, map(float, values[:-1]), strict=True))
