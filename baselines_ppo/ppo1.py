"""PPO1: clipped PPO with one environment per rank and a flat MPI Adam, as in OpenAI Baselines ppo1.

Schulman et al. 2017, "Proximal Policy Optimization Algorithms", arXiv:1707.06347. In its symbols:

  L(theta) = L_CLIP + L_VF - c2 S                                                           (equation 9)
  L_CLIP   = -E[min(r A, clip(r, 1 - eps, 1 + eps) A)],  r = pi_theta(a|s) / pi_old(a|s)    (equation 7)
  L_VF     = E[(V_theta(s) - V_target)^2],  V_target = A_GAE + V_old                        (equations 9, 11)

Against PPO2: no value clipping, no gradient clipping, whole weight on the value loss, advantages standardised
once per iteration, and eps annealed together with the step size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from baselines_ppo.algorithm import Algorithm
from baselines_ppo.common.batch import METRICS, Batch, advantages_of, batch_of, explained_over_ranks, metrics_of
from baselines_ppo.common.losses import clipped_surrogate, squared_error
from baselines_ppo.common.minibatch_loop import LoopSettings, MinibatchLoop
from baselines_ppo.common.minibatches import deal, standardize
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.arrays import tensorflow_arrays
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.programs import made_of
from baselines_ppo.common.rollout import Rollout
from baselines_ppo.plan import Plan
from baselines_ppo.settings.algorithms import PPO1Config


class Numbers(NamedTuple):
    """What the loss takes beside the transitions, one of each for every minibatch."""

    clip_range: tf.Tensor
    entropy_coef: tf.Tensor


class PPO1(Algorithm):
    """One policy's learner; every rank holds the same."""

    def __init__(self, plan: Plan, policy: Policy, comm: Comm, environments: range) -> None:
        config = plan.config
        assert isinstance(config.algorithm, PPO1Config)
        self.config, self.gamma, self.gae_lambda = config.algorithm, config.rollout.gamma, config.rollout.gae_lambda
        self.seed, self.policy, self.comm, self.environments = config.seed, policy, comm, environments
        self.shards = plan.sharing.shards
        settings = LoopSettings(
            self.config.adam_epsilon,
            shards=self.shards,
            parts=made_of(self.config, policy.network, comm),
            compiled=not policy.network.convolutional,
        )
        self.loop = MinibatchLoop(self.loss, METRICS, policy.network.layout, comm, settings)
        self.loop.start(policy.parameters)

    @property
    def updates(self) -> int:
        """Number of gradient steps made."""
        return self.loop.step

    def loss(
        self, parameters: Mapping[str, tf.Tensor], batch: Batch, numbers: Numbers
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Return equation 9, to be minimised, over a minibatch, and its metrics."""
        clip_range, distribution, xp = numbers.clip_range, self.policy.distribution, tensorflow_arrays()
        params, value = self.policy.network.learn(xp, parameters, batch.inputs)
        log_prob = distribution.log_prob(xp, params, batch.actions)
        entropy = tf.reduce_mean(distribution.entropy(xp, params))

        policy_loss = clipped_surrogate(log_prob, batch.log_probs, batch.advantages, clip_range)
        value_loss = squared_error(value, batch.value_targets)
        loss = policy_loss + value_loss - numbers.entropy_coef * entropy
        return loss, metrics_of(batch, log_prob, entropy, (policy_loss, value_loss), clip_range)

    def update(self, rollout: Rollout, progress: float) -> dict[str, float]:
        """Fit policy and value function to one rollout; returns metrics averaged over minibatches and ranks.

        Args:
          progress: share of the run's steps that is done, from 0 to 1.
        """
        config, recurrent = self.config, self.policy.network.recurrent
        advantages, value_targets = advantages_of(rollout, self.gamma, self.gae_lambda)
        standard = standardize(advantages, rollout.made, self.comm)
        batch = batch_of(rollout, self.policy, standard, rollout.values, value_targets)
        indices = deal(self.seed, self.environments, rollout, recurrent, config, self.shards)
        learning_rate, clip_range = (config.value_at(name, progress) for name in ("learning_rate", "clip_range"))

        fitted = self.loop.epochs(batch, indices, learning_rate, Numbers(clip_range, config.entropy_coef))
        self.policy.parameters = self.loop.parameters
        return {
            **fitted.metrics,
            "explained_variance": explained_over_ranks(rollout.values, value_targets, rollout.made, self.comm),
            "learning_rate": learning_rate,
            "clip_range": clip_range,
        }

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the next update depends on, besides the policy's statistics."""
        return self.loop.state()

    def restore(self, state: Mapping[str, np.ndarray], changed: frozenset[str] = frozenset()) -> None:
        """Take the arrays of `state()`; no field of the configuration moves by itself here."""
        self.loop.restore(state)
        self.policy.parameters = self.loop.parameters
