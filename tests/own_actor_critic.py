"""An actor-critic of one's own, as a user would write it; importing this registers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from baselines_ppo import Algorithm, AlgorithmConfig, RolloutConfig, TrainConfig, gae, option, register_algorithm
from baselines_ppo.common.batch import Batch, batch_of
from baselines_ppo.common.losses import squared_error
from baselines_ppo.common.minibatch_loop import LoopSettings, MinibatchLoop, NoNumbers
from baselines_ppo.common.minibatches import deal, standardize
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.arrays import tensorflow_arrays
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.rollout import Rollout
from baselines_ppo.plan import Plan


@dataclass(frozen=True)
class A2CConfig(AlgorithmConfig):
    """Synchronous advantage actor-critic: one gradient step per iteration (Mnih et al. 2016, arXiv:1602.01783)."""

    num_epochs: int = option(1, "passes over each iteration's experience", low=1)
    num_minibatches: int = option(1, "K, per epoch", low=1)
    learning_rate: float = option(3e-3, "Adam's step size", above=0)
    entropy_coef: float = option(0.01, "weight of the entropy bonus", low=0)


class A2C(Algorithm):
    """One policy's learner; every rank holds the same."""

    def __init__(self, plan: Plan, policy: Policy, comm: Comm, environments: range) -> None:
        config = plan.config
        assert isinstance(config.algorithm, A2CConfig)
        self.config, self.rollout, self.seed = config.algorithm, config.rollout, config.seed
        self.policy, self.comm, self.environments = policy, comm, environments
        self.shards = plan.sharing.shards
        names = ("policy_loss", "value_loss")
        self.loop = MinibatchLoop(
            self.loss, names, policy.network.layout, comm, LoopSettings(1e-5, 0.5, shards=self.shards)
        )
        self.loop.start(policy.parameters)

    @property
    def updates(self) -> int:
        return self.loop.step

    def loss(
        self, parameters: Mapping[str, tf.Tensor], batch: Batch, _: NoNumbers
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        xp, distribution = tensorflow_arrays(), self.policy.distribution
        params, value = self.policy.network.learn(xp, parameters, batch.inputs)
        policy_loss = -tf.reduce_mean(distribution.log_prob(xp, params, batch.actions) * batch.advantages)
        value_loss = squared_error(value, batch.value_targets)
        entropy = tf.reduce_mean(distribution.entropy(xp, params))
        loss = policy_loss + 0.5 * value_loss - self.config.entropy_coef * entropy
        return loss, {"policy_loss": policy_loss, "value_loss": value_loss}

    def update(self, rollout: Rollout, progress: float) -> dict[str, float]:
        gamma, gae_lambda = self.rollout.gamma, self.rollout.gae_lambda
        advantages, targets = gae(rollout.rewards, rollout.values, rollout.next_values, rollout.ends, gamma, gae_lambda)
        standard = standardize(advantages, rollout.made, self.comm)
        batch = batch_of(rollout, self.policy, standard, rollout.values, targets)
        indices = deal(self.seed, self.environments, rollout, False, self.config, self.shards)
        fitted = self.loop.epochs(batch, indices, self.config.learning_rate)
        self.policy.parameters = self.loop.parameters
        return fitted.metrics

    def state(self) -> dict[str, np.ndarray]:
        return self.loop.state()

    def restore(self, state: Mapping[str, np.ndarray], changed: frozenset[str] = frozenset()) -> None:
        self.loop.restore(state)
        self.policy.parameters = self.loop.parameters


register_algorithm("a2c", TrainConfig(rollout=RolloutConfig(num_steps=16), algorithm=A2CConfig()), A2C)
