"""The fit: minus the mean log likelihood of the actions is minimised, and the value function's squared error.

  L(theta) = -E[log pi_theta(a|s)] + c E[(V_theta(s) - R)^2] / 2

R is the discounted return of the demonstration. Where that was cut off, the value function's own estimate of the last
observation takes the place of what is missing, made anew before each epoch. Source: Pomerleau 1991, "Efficient Training
of Artificial Neural Networks for Autonomous Navigation"; the likelihood of Gaussians is explained in `likelihood.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from baselines_ppo.cloning.likelihood import log_likelihood
from baselines_ppo.cloning.steps import Discounted, Steps
from baselines_ppo.common.failures import DataError
from baselines_ppo.common.gae import explained_variance
from baselines_ppo.common.losses import squared_error
from baselines_ppo.common.minibatch_loop import LoopSettings, MinibatchLoop, NoNumbers
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.actor_critic import Inputs
from baselines_ppo.common.policy.arrays import tensorflow_arrays
from baselines_ppo.common.policy.distributions import LOG_STD
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.seeding import Purpose, generator
from baselines_ppo.common.shards import MOST_SHARDS, shards_over
from baselines_ppo.settings.cloning import CloneConfig

# Gaussians get no narrower than this, in units of half the action range: demonstrations that never differ from the
# fit would let the std fall to 0, and with it every likelihood but theirs.
LEAST_LOG_STD = -3.0
METRICS = ("log_likelihood", "value_loss")
MAX_GRAD_NORM = 0.5
ROWS = 1024  # of held-out steps at once
ADAM_EPSILON = 1e-5


class Batch(NamedTuple):
    """This rank's steps, tensors [B, ...]."""

    inputs: Inputs
    actions: Any  # [B, ...]
    value_targets: Any  # [B], in the value network's unit


class Epoch(NamedTuple):
    """How good the fit is after an epoch."""

    number: int  # from 1
    log_likelihood: float  # mean over the steps learned from, during the epoch
    held_out: float | None  # likewise of those that are held out, after it
    explained_variance: float  # share of the returns' variance that the values explain

    @property
    def judged(self) -> float:
        """What tells how good it is: the log likelihood of what is held out, else of what was learned from."""
        return self.log_likelihood if self.held_out is None else self.held_out


class Fitted(NamedTuple):
    """What the fit came to."""

    epochs: list[Epoch]
    best: Epoch  # whose parameters are kept: that of the best held-out log likelihood, else the last


class Fit:
    """Fits a policy to steps by which its statistics are set already; all ranks hold the same."""

    def __init__(self, config: CloneConfig, seed: int, policy: Policy, comm: Comm) -> None:
        self.config, self.seed, self.policy, self.comm = config, seed, policy, comm
        size = config.minibatch_size
        self.shards = shards_over(max(size - size % math.lcm(MOST_SHARDS, comm.size), comm.size), comm.size)
        settings = LoopSettings(
            ADAM_EPSILON, MAX_GRAD_NORM, shards=self.shards, compiled=not policy.network.convolutional
        )
        self.loop = MinibatchLoop(self.loss, METRICS, policy.network.layout, comm, settings)
        self.loop.start(policy.parameters)

    def loss(
        self, parameters: Mapping[str, tf.Tensor], batch: Batch, _: NoNumbers
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Return what is minimised over a minibatch, and its metrics."""
        params, value = self.policy.network.learn(tensorflow_arrays(), _wide(tf.maximum, parameters), batch.inputs)
        likelihood = tf.reduce_mean(log_likelihood(self.policy.network.action, params, batch.actions))
        value_loss = 0.5 * squared_error(value, batch.value_targets)
        metrics = dict(zip(METRICS, (likelihood, value_loss), strict=True))
        return self.config.value_coef * value_loss - likelihood, metrics

    def fit(
        self, steps: Steps, discounted: Discounted, held_out: Steps | None, tell: Callable[[Epoch], None]
    ) -> Fitted:
        """Give the policy the parameters of the best epoch; returns how good each was.

        Args:
          held_out: what tells which is the best, and when to stop.
          tell: is told of each epoch, on every rank.

        Raises:
          DataError: there are too few steps, or a gradient was not finite.
        """
        each = len(steps.rewards) // self.shards.total  # steps of a shard; the few that remain are left out
        if not each:
            raise DataError(f"{len(steps.rewards)} steps are too few to learn from; give at least {self.shards.total}")
        batch, epochs, best, kept = self._batch(steps, each), list[Epoch](), 0, self.policy.parameters
        finals, targets = self.policy.normalize(steps.finals), self._own(discounted.returns, each)
        left, episode = self._own(discounted.left, each), self._own(discounted.episode, each)
        while len(epochs) < self.config.num_epochs and len(epochs) - best < self.config.patience:
            beyond = self.policy.values(finals, self.policy.initial_states(len(finals)))
            complete = self.policy.value_targets.normalize(targets + left * beyond[episode])
            given = batch._replace(value_targets=tf.constant(complete))
            fitted = self.loop.epochs(given, self._deal(len(epochs), each), self.config.learning_rate)
            self.policy.parameters = self._parameters()
            epochs.append(self._epoch(len(epochs) + 1, fitted.metrics, complete, held_out))
            tell(epochs[-1])
            if held_out is None or not best or epochs[-1].judged > epochs[best - 1].judged:
                best, kept = len(epochs), self.policy.parameters
        self.policy.parameters = kept
        return Fitted(epochs, epochs[best - 1])

    def _epoch(self, number: int, metrics: Mapping[str, float], targets: np.ndarray, held_out: Steps | None) -> Epoch:
        found = None if held_out is None else self.comm.on_root(lambda: self.likelihood(held_out), "the likelihood")
        over_ranks = self.comm.moments(np.split(targets, self.shards.own)).variance
        explained = explained_variance(2.0 * metrics["value_loss"], float(over_ranks))
        return Epoch(number, metrics["log_likelihood"], found, explained)

    def likelihood(self, steps: Steps) -> float:
        """Return the mean log likelihood of some steps' actions by the policy as it is."""
        network, total = self.policy.network, 0.0
        parts = {name: tf.constant(x) for name, x in network.layout.split(self.policy.parameters).items()}
        for first in range(0, len(steps.rewards), ROWS):
            rows = slice(first, first + ROWS)
            inputs = self._inputs(steps.observations[rows])
            params = network.learn_policy(tensorflow_arrays(), parts, inputs)
            total += float(tf.reduce_sum(log_likelihood(network.action, params, tf.constant(steps.actions[rows]))))
        return total / len(steps.rewards)

    def _batch(self, steps: Steps, each: int) -> Batch:
        """Return this rank's steps; the value targets change from epoch to epoch."""
        inputs = self._inputs(self._own(steps.observations, each))
        return Batch(inputs, tf.constant(self._own(steps.actions, each)), None)

    def _inputs(self, observations: np.ndarray) -> Inputs:
        count = len(observations)
        seen = tf.constant(self.policy.normalize(observations))
        return Inputs(seen, tf.zeros([count, 0]), tf.zeros([count], tf.bool))

    def _parameters(self) -> np.ndarray:
        """Return the parameters [P] that were found, with no std that is too small."""
        layout = self.policy.network.layout
        return layout.join(_wide(np.maximum, layout.split(self.loop.parameters)))

    def _own(self, x: np.ndarray, each: int) -> np.ndarray:
        """Return this rank's rows of [N, ...]: of S shards, shard k has the rows k, k + S, k + 2 S, ..."""
        first, total = self.comm.rank * self.shards.own, self.shards.total
        return np.concatenate([x[shard::total][:each] for shard in range(first, first + self.shards.own)])

    def _deal(self, epoch: int, each: int) -> np.ndarray:
        """Return which of this rank's rows make each minibatch of an epoch, [1, K, M], shard by shard.

        Each shard is shuffled by its own stream, so that a minibatch has the same steps whatever the number of ranks.
        """
        size = min(max(self.config.minibatch_size // self.shards.total, 1), each)
        count, first = each // size, self.comm.rank * self.shards.own
        streams = [generator(self.seed, Purpose.CLONING, 1 + first + k, epoch) for k in range(self.shards.own)]
        dealt = [k * each + stream.permutation(each)[: count * size] for k, stream in enumerate(streams)]
        return np.stack(dealt).reshape(self.shards.own, count, size).swapaxes(0, 1).reshape(1, count, -1)


def _wide(maximum: Callable[[Any, Any], Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters by name, with no Gaussian narrower than the narrowest."""
    least = np.float32(LEAST_LOG_STD)
    return {name: maximum(x, least) if name.endswith(LOG_STD) else x for name, x in parameters.items()}
