"""PPO2: clipped PPO over vector environments, with value clipping, gradient clipping and a KL-held step size.

Schulman et al. 2017, "Proximal Policy Optimization Algorithms", arXiv:1707.06347. In its symbols:

  L(theta) = L_CLIP + c1 L_VF - c2 S                                                        (equation 9)
  L_CLIP   = -E[min(r A, clip(r, 1 - eps, 1 + eps) A)],  r = pi_theta(a|s) / pi_old(a|s)    (equation 7)
  L_VF     = E[(V_theta(s) - V_target)^2],  V_target = A_GAE + V_old                        (equations 9, 11)
  S        = the policy's entropy
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from baselines_ppo.common.arrays import tensorflow_arrays
from baselines_ppo.common.gae import explained_variance, gae
from baselines_ppo.common.losses import (
    approx_kl,
    clip_fraction,
    clipped_squared_error,
    clipped_surrogate,
    squared_error,
)
from baselines_ppo.common.minibatches import minibatch_indices, standardize, standardize_minibatches
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.optimizer import MpiAdam
from baselines_ppo.common.policy import Policy
from baselines_ppo.common.rollout import Rollout
from baselines_ppo.config import PPO2Config, TrainConfig

METRICS = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction")
LEARNING_RATE_FACTOR = 1.5  # of the adaptive schedule
LEARNING_RATE_RANGE = (1e-6, 1e-2)


class Batch(NamedTuple):
    """This rank's transitions of one iteration, flattened; B = T n."""

    observations: Any  # [B, D], normalised
    actions: Any  # [B, ...]
    log_probs: Any  # [B], log pi_old(a|s)
    advantages: Any  # [B], standardised over the global minibatch or iteration
    values: Any  # [B], V_old, in the value network's unit
    value_targets: Any  # [B], in the value network's unit


class PPO2:
    """One policy's learner; every rank holds the same."""

    def __init__(self, config: TrainConfig, policy: Policy, comm: Comm, environments: range) -> None:
        assert isinstance(config.algorithm, PPO2Config)
        self.config, self.rollout_config, self.seed = config.algorithm, config.rollout, config.seed
        self.policy, self.comm, self.environments = policy, comm, environments
        self.learning_rate = self.config.learning_rate  # moves under the adaptive schedule only
        self.adam = MpiAdam(
            self.loss,
            METRICS,
            policy.network.layout,
            comm,
            self.config.adam_epsilon,
            self.config.max_grad_norm,
        )
        self.adam.start(policy.parameters)

    @property
    def updates(self) -> int:
        """Number of gradient steps made."""
        return self.adam.step

    def loss(
        self, parameters: Mapping[str, tf.Tensor], batch: Batch, clip_range: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Return equation 9, to be minimised, over a minibatch, and its metrics."""
        config, network, xp = self.config, self.policy.network, tensorflow_arrays()
        params = network.policy(xp, parameters, batch.observations)
        log_prob = self.policy.distribution.log_prob(xp, params, batch.actions)
        entropy = tf.reduce_mean(self.policy.distribution.entropy(xp, params))
        value = network.value(xp, parameters, batch.observations)

        policy_loss = clipped_surrogate(log_prob, batch.log_probs, batch.advantages, clip_range)
        if config.value_clip_range is None:
            value_loss = 0.5 * squared_error(value, batch.value_targets)
        else:
            value_clip = tf.constant(config.value_clip_range)
            value_loss = 0.5 * clipped_squared_error(value, batch.values, batch.value_targets, value_clip)
        loss = policy_loss + config.value_coef * value_loss - config.entropy_coef * entropy
        return loss, {
            "policy_loss": policy_loss,
            "value_loss": value_loss,
            "entropy": entropy,
            "approx_kl": approx_kl(log_prob, batch.log_probs),
            "clip_fraction": clip_fraction(log_prob, batch.log_probs, clip_range),
        }

    def update(self, rollout: Rollout, progress: float) -> dict[str, float]:
        """Fit policy and value function to one rollout; returns metrics averaged over minibatches and ranks.

        Args:
          progress: share of the run's steps that is done, from 0 to 1.
        """
        config = self.config
        batch, advantages, variance_explained = self._batch(rollout)
        indices = minibatch_indices(
            self.seed,
            self.environments,
            rollout.iteration,
            self.rollout_config.num_steps,
            config.num_epochs,
            config.num_minibatches,
        )
        if config.normalize_advantages == "iteration":
            standard = [standardize(advantages, self.comm)] * config.num_epochs
        else:
            standard = list(standardize_minibatches(advantages, indices, self.comm))
        if config.learning_rate_schedule == "linear":
            self.learning_rate = config.learning_rate * (1.0 - progress)
        clip_range = config.clip_range * (1.0 - progress if config.clip_range_schedule == "linear" else 1.0)

        epochs: list[dict[str, float]] = []
        for epoch in range(config.num_epochs):
            epoch_batch = batch._replace(advantages=tf.constant(standard[epoch]))
            epochs.append(self.adam.epoch(epoch_batch, indices[epoch], self.learning_rate, clip_range))
            kl = epochs[-1]["approx_kl"]  # the mean over all ranks, so they all decide alike
            if config.learning_rate_schedule == "adaptive":
                self.learning_rate = adapted_learning_rate(self.learning_rate, kl, config.kl_target)
            if config.target_kl is not None and kl > config.target_kl:
                break
        self.policy.parameters = self.adam.parameters
        return {
            **{name: float(np.mean([metrics[name] for metrics in epochs])) for name in METRICS},
            "explained_variance": variance_explained,
            "learning_rate": self.learning_rate,
            "clip_range": clip_range,
            "epochs": float(len(epochs)),
        }

    def _batch(self, rollout: Rollout) -> tuple[Batch, np.ndarray, float]:
        """Return the batch, raw advantages [B] and the explained variance over all ranks."""
        gamma, gae_lambda = self.rollout_config.gamma, self.rollout_config.gae_lambda
        advantages, value_targets = gae(
            rollout.rewards, rollout.values, rollout.next_values, rollout.ends, gamma, gae_lambda
        )
        observations, actions, log_probs = (x.reshape(-1, *x.shape[2:]) for x in rollout[2:5])
        values, value_targets = rollout.values.reshape(-1), value_targets.reshape(-1)
        moments = self.comm.moments(np.stack([value_targets - values, value_targets], axis=-1))
        if self.config.normalize_value_targets:
            # Their statistics move before learning, unlike the observations': no ratio depends on them, and the
            # first targets would otherwise be far from what the network can give.
            self.policy.value_targets.update(self.comm.moments(value_targets))
        unit = self.policy.value_targets.normalize
        batch = Batch(
            observations=tf.constant(observations),
            actions=tf.constant(actions),
            log_probs=tf.constant(log_probs),
            advantages=None,  # standardised epoch by epoch
            values=tf.constant(unit(values)),
            value_targets=tf.constant(unit(value_targets)),
        )
        return batch, advantages.reshape(-1), explained_variance(*moments.variance)

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the next update depends on, besides the policy's statistics."""
        return {**self.adam.state(), "learning_rate": np.array(self.learning_rate)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take the arrays of `state()`."""
        self.adam.restore(state)
        self.learning_rate = float(state["learning_rate"])
        self.policy.parameters = self.adam.parameters


def adapted_learning_rate(learning_rate: float, kl: float, kl_target: float) -> float:
    """Return the step size, smaller if the KL is above twice its target, larger if below half of it."""
    lowest, highest = LEARNING_RATE_RANGE
    if kl > 2.0 * kl_target:
        return max(learning_rate / LEARNING_RATE_FACTOR, lowest)
    if kl < 0.5 * kl_target:
        return min(learning_rate * LEARNING_RATE_FACTOR, highest)
    return learning_rate
