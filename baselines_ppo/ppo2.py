"""PPO2: clipped PPO over vector environments, with value clipping, gradient clipping and a KL-held step size.

Schulman et al. 2017, "Proximal Policy Optimization Algorithms", arXiv:1707.06347. In its symbols:

  L(theta) = L_CLIP + c1 L_VF - c2 S                                                        (equation 9)
  L_CLIP   = -E[min(r A, clip(r, 1 - eps, 1 + eps) A)],  r = pi_theta(a|s) / pi_old(a|s)    (equation 7)
  L_VF     = E[(V_theta(s) - V_target)^2] / 2,  V_target = A_GAE + V_old                    (equations 9, 11)

The half is Baselines'; with `value_clip_range` the value may not gain by moving further than that from V_old.
With `kl_coef`, beta E[KL(pi_old, pi_theta)] is added (equation 8) and beta moves as its section 4 has it.
With `recompute_advantages`, each epoch begins with V_theta in place of V_old (Andrychowicz et al. 2021,
arXiv:2006.05990, section 3.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from baselines_ppo.algorithm import Algorithm
from baselines_ppo.common.adaptive_kl import adapted_kl_coef, adapted_learning_rate
from baselines_ppo.common.batch import (
    METRICS,
    Batch,
    advantages_of,
    batch_of,
    explained_over_ranks,
    mean_of,
    metrics_of,
    rows_of,
)
from baselines_ppo.common.losses import clipped_squared_error, clipped_surrogate, squared_error
from baselines_ppo.common.minibatch_loop import Fitted, LoopSettings, MinibatchLoop
from baselines_ppo.common.minibatches import SMALLEST_STD, deal, moments_per_minibatch
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.arrays import tensorflow_arrays
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.programs import made_of
from baselines_ppo.common.rollout import Rollout, by_environment, revalued
from baselines_ppo.plan import Plan
from baselines_ppo.settings.algorithms import PPO2Config


class Numbers(NamedTuple):
    """What the loss takes beside the transitions, one of each for every minibatch."""

    clip_range: tf.Tensor  # eps
    entropy_coef: tf.Tensor  # c2
    kl_coef: tf.Tensor  # beta
    advantage_mean: tf.Tensor
    advantage_std: tf.Tensor


class PPO2(Algorithm):
    """One policy's learner; every rank holds the same."""

    def __init__(self, plan: Plan, policy: Policy, comm: Comm, environments: range) -> None:
        config = plan.config
        assert isinstance(config.algorithm, PPO2Config)
        self.config, self.gamma, self.gae_lambda = config.algorithm, config.rollout.gamma, config.rollout.gae_lambda
        self.seed, self.policy, self.comm, self.environments = config.seed, policy, comm, environments
        self.shards = plan.sharing.shards
        self.learning_rate = self.config.learning_rate  # moves from iteration to iteration unless constant
        self.kl_coef = self.config.kl_coef
        settings = LoopSettings(
            self.config.adam_epsilon,
            self.config.max_grad_norm,
            shards=self.shards,
            parts=made_of(self.config, policy.network, comm),
            compiled=not policy.network.convolutional,
        )
        self.loop = MinibatchLoop(
            self.loss,
            METRICS,
            policy.network.layout,
            comm,
            settings,
            self.between_epochs,
        )
        self.loop.start(policy.parameters)

    @property
    def updates(self) -> int:
        """Number of gradient steps made."""
        return self.loop.step

    def loss(
        self, parameters: Mapping[str, tf.Tensor], batch: Batch, numbers: Numbers
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Return equation 9, to be minimised, over a minibatch, and its metrics."""
        config, distribution, xp = self.config, self.policy.distribution, tensorflow_arrays()
        params, value = self.policy.network.learn(xp, parameters, batch.inputs)
        log_prob = distribution.log_prob(xp, params, batch.actions)
        entropy = tf.reduce_mean(distribution.entropy(xp, params))

        advantages = (batch.advantages - numbers.advantage_mean) / (numbers.advantage_std + SMALLEST_STD)
        policy_loss = clipped_surrogate(log_prob, batch.log_probs, advantages, numbers.clip_range)
        if config.value_clip_range is None:
            value_loss = 0.5 * squared_error(value, batch.value_targets)
        else:
            value_clip = tf.constant(config.value_clip_range)
            value_loss = 0.5 * clipped_squared_error(value, batch.values, batch.value_targets, value_clip)
        loss = policy_loss + config.value_coef * value_loss - numbers.entropy_coef * entropy
        if config.kl_coef > 0:
            loss += numbers.kl_coef * tf.reduce_mean(distribution.kl(xp, batch.params, params))
        return loss, metrics_of(batch, log_prob, entropy, (policy_loss, value_loss), numbers.clip_range)

    def update(self, rollout: Rollout, progress: float) -> dict[str, float]:
        """Fit policy and value function to one rollout; returns metrics averaged over minibatches and ranks.

        Args:
          progress: share of the run's steps that is done, from 0 to 1.
        """
        config = self.config
        if config.learning_rate_schedule != "adaptive":
            self.learning_rate = config.value_at("learning_rate", progress)
        clip_range = config.value_at("clip_range", progress)
        indices = deal(self.seed, self.environments, rollout, self.policy.network.recurrent, config, self.shards)
        advantages, value_targets = advantages_of(rollout, self.gamma, self.gae_lambda)
        explained = explained_over_ranks(rollout.values, value_targets, rollout.made, self.comm)
        old_values = self._in_network_units(rollout.values)
        if config.normalize_value_targets:
            self._update_value_statistics(value_targets, rollout)

        fits, rate = list[Fitted](), self.learning_rate
        for epochs in np.split(indices, len(indices)) if config.recompute_advantages else [indices]:
            if fits:
                rollout = revalued(rollout, self.policy)
                advantages, value_targets = advantages_of(rollout, self.gamma, self.gae_lambda)
                old_values = self._in_network_units(rollout.values)
            batch = batch_of(rollout, self.policy, advantages, old_values, self._in_network_units(value_targets))
            moments = self._advantage_moments(advantages, rollout, epochs)
            numbers = Numbers(clip_range, config.entropy_coef, self.kl_coef, *moments)
            fits.append(self.loop.epochs(batch, epochs, rate, numbers))
            self.policy.parameters, rate = self.loop.parameters, fits[-1].learning_rate
            if not fits[-1].go_on:
                break
        if config.learning_rate_schedule == "adaptive":
            self.learning_rate = rate
        kl_coef = {"kl_coef": self.kl_coef} if config.kl_coef > 0 else {}
        if kl_coef:
            self.kl_coef = adapted_kl_coef(self.kl_coef, fits[-1].last["approx_kl"], config.kl_target)
        return {
            **mean_of([fitted.metrics for fitted in fits]),
            "explained_variance": explained,
            "learning_rate": self.learning_rate,
            "clip_range": clip_range,
            "epochs": float(sum(fitted.epochs for fitted in fits)),
            **kl_coef,
        }

    def between_epochs(self, metrics: Mapping[str, tf.Tensor], learning_rate: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the next epoch's step size, and whether there is one; the KL is that over all ranks."""
        config, kl = self.config, metrics["approx_kl"]
        if config.learning_rate_schedule == "adaptive":
            learning_rate = adapted_learning_rate(tensorflow_arrays(), learning_rate, kl, config.kl_target)
        return learning_rate, tf.constant(True) if config.kl_stop is None else kl <= config.kl_stop

    def _advantage_moments(
        self, advantages: np.ndarray, rollout: Rollout, indices: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what advantages are standardised by, over the iteration or over each of the minibatches [E, K]."""
        if self.config.normalize_advantages == "iteration":
            mean, variance, _ = self.comm.moments(by_environment(advantages, rollout.made))
            return mean, np.sqrt(variance)
        rows = rows_of(advantages, self.policy.network.recurrent, rollout.made)
        return moments_per_minibatch(rows, indices, self.comm, self.shards.own)

    def _update_value_statistics(self, value_targets: np.ndarray, rollout: Rollout) -> None:
        """Merge an iteration's targets into the statistics by which the network's values are standardised.

        They move before learning, unlike the observations': no ratio depends on them, and the first targets would
        otherwise be far from what the network can give. V_old stays as the network gave it.
        """
        self.policy.value_targets.update(self.comm.moments(by_environment(value_targets, rollout.made)))

    def _in_network_units(self, values: np.ndarray) -> np.ndarray:
        """Return values in the unit in which the network gives them."""
        return self.policy.value_targets.normalize(values)

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the next update depends on, besides the policy's statistics."""
        moving = {"learning_rate": np.array(self.learning_rate), "kl_coef": np.array(self.kl_coef)}
        return {**self.loop.state(), **moving}

    def restore(self, state: Mapping[str, np.ndarray], changed: frozenset[str] = frozenset()) -> None:
        """Take the arrays of `state()`, but a step size that is constant, or changed, from the configuration."""
        self.loop.restore(state)
        moved = self.config.learning_rate_schedule != "constant" and "learning_rate" not in changed
        self.learning_rate = float(state["learning_rate"]) if moved else self.config.learning_rate
        self.kl_coef = float(state["kl_coef"])
        self.policy.parameters = self.loop.parameters
