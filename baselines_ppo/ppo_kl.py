"""PPO with an adaptive KL penalty: full-batch passes, one setting for many robots.

Schulman et al. 2017, arXiv:1707.06347, section 4, and Heess et al. 2017, arXiv:1707.02286, in the form of Coady's
"AI Gym Workout". To be minimised over the whole iteration:

  L(theta) = -E[r A] + beta D + eta max(0, D - 2 D_target)^2                                (1)
  r = pi_theta(a|s) / pi_old(a|s),  D = E[KL(pi_old(.|s), pi_theta(.|s))]
  passes end early where D > 4 D_target                                                     (2)
  beta, and with it the step size, moves from iteration to iteration by D                   (3)

E is over all ranks, so D is too, and (1) is not a mean of the ranks' own losses. But its gradient is
-grad E[r A] + (beta + 2 eta max(0, D - 2 D_target)) grad D, which is: D is known from the pass before.

The value function is fitted apart, to this iteration's experience and that of the one before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from baselines_ppo.algorithm import Algorithm
from baselines_ppo.common.adam import prefixed, unprefixed
from baselines_ppo.common.adaptive_kl import Penalty, adapted_penalty
from baselines_ppo.common.batch import Batch, advantages_of, batch_of, explained_over_ranks, mean_of
from baselines_ppo.common.gradient import sum_over_shards
from baselines_ppo.common.minibatch_loop import LoopSettings, MinibatchLoop, NoNumbers
from baselines_ppo.common.minibatches import Share, deal_unequal, in_shards, padded, standardize
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.actor_critic import Inputs
from baselines_ppo.common.policy.arrays import tensorflow_arrays
from baselines_ppo.common.policy.networks import NetworkSettings
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.programs import made_of, program
from baselines_ppo.common.rollout import Rollout
from baselines_ppo.plan import ALL, OWN, Plan
from baselines_ppo.settings.algorithms import PPOKLConfig

METRICS = ("policy_loss", "entropy")


class Numbers(NamedTuple):
    """What the loss takes beside the transitions; it moves from one pass to the next."""

    kl_weight: tf.Tensor  # of D, in what has the gradient of equation 1


class PolicyBatch(NamedTuple):
    """This rank's transitions, and how much each counts."""

    batch: Batch
    weights: tf.Tensor  # [B]: their sum over a shard, averaged over shards, is 1


class ValueBatch(NamedTuple):
    """What the value function is fitted to."""

    inputs: Inputs
    value_targets: tf.Tensor  # [B]
    weights: tf.Tensor  # [B]


class PPOKL(Algorithm):
    """One policy's learner; every rank holds the same."""

    def __init__(self, plan: Plan, policy: Policy, comm: Comm, environments: range) -> None:
        config = plan.config
        assert isinstance(config.algorithm, PPOKLConfig)
        self.config, self.gamma, self.gae_lambda = config.algorithm, config.rollout.gamma, config.rollout.gae_lambda
        self.seed, self.policy, self.comm, self.environments = config.seed, policy, comm, environments
        network, epsilon = policy.network, self.config.adam_epsilon
        self.shards, self.values = plan.sharing.shards, plan.value_sharing
        self.penalty = Penalty(self.config.kl_coef, 1.0)
        parts = made_of(self.config, network, comm)
        settings = LoopSettings(epsilon, shards=self.shards, padded=True, parts=parts, compiled=False)
        own = settings._replace(step_scales=self._step_scales())
        self.policy_loop = MinibatchLoop(self.loss, METRICS, network.policy_layout, comm, own)
        self.value_loop = MinibatchLoop(
            self.value_loss,
            ("value_loss",),
            network.value_layout,
            comm if self.values.learns_from == OWN else Comm(),
            settings._replace(shards=self.values.shards),
        )
        self.kl = program(self._kl, parts, reduce_retracing=True)
        policy_parameters, value_parameters = np.split(policy.parameters, [network.policy_layout.size])
        self.policy_loop.start(policy_parameters)
        self.value_loop.start(value_parameters)
        self.before = [Share.empty(network.observation.shape) for _ in environments]  # the iteration before

    @property
    def learning_rate(self) -> float:
        """Adam's step size for the policy, before the penalty's factor."""
        return self.config.learning_rate / self._root(self.policy.network.policy_network)

    @property
    def value_learning_rate(self) -> float:
        """Adam's step size for the value function."""
        return self.config.value_learning_rate / self._root(self.policy.network.value_network)

    @property
    def updates(self) -> int:
        """Number of gradient steps made, of policy and value function."""
        return self.policy_loop.step + self.value_loop.step

    def loss(
        self, parameters: Mapping[str, tf.Tensor], data: PolicyBatch, numbers: Numbers
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Return what has the gradient of equation 1, and metrics."""
        distribution, batch, xp = self.policy.distribution, data.batch, tensorflow_arrays()
        params = self.policy.network.learn_policy(xp, parameters, batch.inputs)
        ratio = tf.exp(distribution.log_prob(xp, params, batch.actions) - batch.log_probs)

        policy_loss = -tf.reduce_sum(data.weights * ratio * batch.advantages)
        kl = tf.reduce_sum(data.weights * distribution.kl(xp, batch.params, params))
        entropy = tf.reduce_sum(data.weights * distribution.entropy(xp, params))
        return policy_loss + numbers.kl_weight * kl, {"policy_loss": policy_loss, "entropy": entropy}

    def value_loss(
        self, parameters: Mapping[str, tf.Tensor], data: ValueBatch, _: NoNumbers
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Return E[(V - V_target)^2], to be minimised."""
        value = self.policy.network.learn_value(tensorflow_arrays(), parameters, data.inputs)
        loss = tf.reduce_sum(data.weights * tf.square(value - data.value_targets))
        return loss, {"value_loss": loss}

    def update(self, rollout: Rollout, progress: float) -> dict[str, float]:
        """Fit policy and value function to one rollout; returns metrics over all ranks."""
        advantages, value_targets = advantages_of(rollout, self.gamma, self.gae_lambda)
        standard = standardize(advantages, rollout.made, self.comm)
        batch = batch_of(rollout, self.policy, standard, rollout.values, value_targets)
        metrics = self._fit_policy(batch, rollout.made)
        metrics |= self._fit_value_function(rollout, value_targets)
        self.policy.parameters = np.concatenate([self.policy_loop.parameters, self.value_loop.parameters])
        explained = explained_over_ranks(rollout.values, value_targets, rollout.made, self.comm)
        return {**metrics, "explained_variance": explained}

    def _fit_policy(self, batch: Batch, made: np.ndarray) -> dict[str, float]:
        """Make passes over all experience until D is too large, then adapt the penalty."""
        config, (kl_coef, factor) = self.config, self.penalty
        count = len(batch.log_probs)
        total = int(self.comm.sum(np.array([count]), "transitions")[0])
        data = PolicyBatch(batch, tf.fill([count], np.float32(self.shards.total / total)))
        rows, own, kl = self._rows_by_shard(made), tf.constant(self.shards.own), 0.0
        passes: list[dict[str, float]] = []
        while len(passes) < config.num_epochs and kl <= 4.0 * config.kl_target:
            kl_weight = kl_coef + 2.0 * config.hinge_coef * max(0.0, kl - 2.0 * config.kl_target)
            once = rows.reshape(1, 1, -1)
            fitted = self.policy_loop.epochs(data, once, self.learning_rate * factor, Numbers(kl_weight))
            passes.append(fitted.metrics)
            part = self.kl(tf.constant(self.policy_loop.parameters), data, tf.constant(rows), own).numpy()
            kl = float(self.comm.sum(part[None], "the KL")[0] / self.shards.total)
        self.penalty = adapted_penalty(self.penalty, kl, config.kl_target)
        return {
            **passes[-1],
            "kl": kl,
            "kl_coef": kl_coef,
            "epochs": float(len(passes)),
            "learning_rate": self.learning_rate * factor,
        }

    def _rows_by_shard(self, made: np.ndarray) -> np.ndarray:
        """Return which rows of a batch of the steps that were made [T, n] belong to each shard, [S, m]; -1: no more."""
        numbers = np.where(made, np.cumsum(made).reshape(made.shape) - 1, -1).astype(np.int32)
        return padded(in_shards([column[column >= 0] for column in numbers.T], self.shards.own))

    def _kl(self, parameters: tf.Tensor, data: PolicyBatch, rows: tf.Tensor, own_shards: tf.Tensor) -> tf.Tensor:
        """Return this rank's part of D."""
        xp, parts = tensorflow_arrays(), self.policy.network.policy_layout.split(parameters)

        def of_shard(rows: tf.Tensor) -> list[tf.Tensor]:
            taken = tf.boolean_mask(rows, rows >= 0)
            own = tf.nest.map_structure(lambda x: tf.gather(x, taken), data)
            params = self.policy.network.learn_policy(xp, parts, own.batch.inputs)
            return [tf.reduce_sum(own.weights * self.policy.distribution.kl(xp, own.batch.params, params))]

        (total,) = sum_over_shards(of_shard, 1, rows, own_shards)
        return total

    def _fit_value_function(self, rollout: Rollout, value_targets: np.ndarray) -> dict[str, float]:
        now = [Share(rollout.observations[made, i], value_targets[made, i]) for i, made in enumerate(rollout.made.T)]
        known = [before.followed_by(own) for before, own in zip(self.before, now, strict=True)]
        self.before = now
        environments, comm, shards = self.environments, self.comm, self.values.shards
        if self.values.learns_from == ALL:
            gathered = comm.gather_all(known, "the experience")
            known = [share for part in gathered for share in part]
            environments, comm = range(len(known)), Comm()
        lengths = np.array([len(share.targets) for share in known])
        dealt = deal_unequal(
            self.seed,
            environments,
            rollout.iteration,
            lengths,
            self.config.value_epochs,
            self.config.value_minibatch_size,
            comm,
            shards,
        )
        observations = np.concatenate([share.observations for share in known])
        count = len(observations)
        inputs = Inputs(tf.constant(observations), tf.zeros([count, 0]), tf.zeros([count], tf.bool))
        targets = tf.constant(np.concatenate([share.targets for share in known]))
        epochs = [
            self.value_loop.epochs(
                ValueBatch(inputs, targets, tf.constant(weights)), indices[None], self.value_learning_rate
            ).metrics
            for indices, weights in dealt
        ]
        return mean_of(epochs)

    def _root(self, settings: NetworkSettings | None) -> float:
        """Return the root of the units of the middle layer, by which step sizes are divided."""
        assert settings is not None, "policy and value function are apart"
        sizes = settings.hidden_sizes
        return math.sqrt(sizes[len(sizes) // 2]) if self.config.scale_learning_rates and sizes else 1.0

    def _step_scales(self) -> dict[str, float]:
        """Return how many times larger the steps of log std are: by the number of actions.

        Coady's log variance, twice log std, is a sum of 10/48 as many parameters as the last layer has units, and it
        has 10 per action: 100/96 A, rounded.
        """
        shape = dict(self.policy.network.policy_layout.shapes).get("log_std")
        return {"log_std": float(shape[0])} if shape and self.config.scale_learning_rates else {}

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the next update depends on that is the same on all ranks, besides statistics."""
        return {
            "parameters": self.policy.parameters,
            **prefixed("policy", self.policy_loop.state()),
            **prefixed("value", self.value_loop.state()),
            "kl_coef": np.array(self.penalty.kl_coef),
            "learning_rate_factor": np.array(self.penalty.learning_rate_factor),
        }

    def restore(self, state: Mapping[str, np.ndarray], changed: frozenset[str] = frozenset()) -> None:
        """Take the arrays of `state()`; a changed step size begins where the configuration has it, without a factor."""
        policy, value = np.split(state["parameters"], [self.policy.network.policy_layout.size])
        self.policy_loop.restore({**unprefixed("policy", state), "parameters": policy})
        self.value_loop.restore({**unprefixed("value", state), "parameters": value})
        factor = 1.0 if "learning_rate" in changed else float(state["learning_rate_factor"])
        self.penalty = Penalty(float(state["kl_coef"]), factor)
        self.policy.parameters = np.array(state["parameters"])

    def environment_state(self) -> list[dict[str, np.ndarray]]:
        """Return each environment's experience of the iteration before."""
        return [{"observations": share.observations, "value_targets": share.targets} for share in self.before]

    def restore_environments(self, states: list[dict[str, np.ndarray]]) -> None:
        """Take what `environment_state()` returned."""
        self.before = [Share(state["observations"], state["value_targets"]) for state in states]
