"""TRPO: one natural-gradient step per iteration, as long as the trust region lets it be.

Schulman et al. 2015, "Trust Region Policy Optimization", arXiv:1502.05477. In its symbols:

  maximise  L(theta) = E[r A],  r = pi_theta(a|s) / pi_old(a|s)                             (equation 14)
  where     D(theta) = E[KL(pi_old(.|s), pi_theta(.|s))] <= delta
  step      s = F^-1 g,  g = grad L,  F = Hessian of D at theta_old                         (appendix C)
  length    beta = sqrt(2 delta / s^T F s), then shortened until L improves and D <= delta

F s is formed without F, as the gradient of (grad D)^T s, averaged over ranks; conjugate gradient then needs only
such products. The value function is fitted apart, by Adam on its squared error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from baselines_ppo.algorithm import Algorithm
from baselines_ppo.common.actor_critic import Inputs
from baselines_ppo.common.arrays import tensorflow_arrays
from baselines_ppo.common.batch import Batch, batch_of, variance_explained
from baselines_ppo.common.failures import DataError
from baselines_ppo.common.gae import gae
from baselines_ppo.common.losses import squared_error, surrogate
from baselines_ppo.common.minibatches import deal, standardize
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.natural_gradient import Tried, conjugate_gradient, line_search
from baselines_ppo.common.optimizer import AdamSettings, MpiAdam, prefixed, unprefixed
from baselines_ppo.common.policy import Policy
from baselines_ppo.common.programs import made_of, program
from baselines_ppo.common.rollout import Rollout
from baselines_ppo.config import TrainConfig, TRPOConfig


class ValueBatch(NamedTuple):
    """What the value function is fitted to."""

    inputs: Inputs
    value_targets: tf.Tensor


class TRPO(Algorithm):
    """One policy's learner; every rank holds the same."""

    def __init__(self, config: TrainConfig, policy: Policy, comm: Comm, environments: range) -> None:
        assert isinstance(config.algorithm, TRPOConfig)
        self.config, self.gamma, self.gae_lambda = config.algorithm, config.rollout.gamma, config.rollout.gae_lambda
        self.seed, self.policy, self.comm, self.environments = config.seed, policy, comm, environments
        network = policy.network
        self.layout, self.natural_steps = network.policy_layout, 0
        compiled = not network.convolutional and not network.recurrent
        parts = made_of(self.config, network, comm)
        self.evaluated = program(self.objective, parts, jit_compile=compiled)
        self.gradient = program(self._gradient, parts, jit_compile=compiled)
        self.fisher_product = program(self._fisher_product, parts, jit_compile=compiled)
        self.value_adam = MpiAdam(
            self.value_loss,
            ("value_loss",),
            network.value_layout,
            comm,
            AdamSettings(self.config.adam_epsilon, parts=parts),
            compiled=not network.convolutional,
        )
        self.value_adam.start(policy.parameters[self.layout.size :])

    @property
    def updates(self) -> int:
        """Number of steps made, natural ones and gradient steps of the value function."""
        return self.natural_steps + self.value_adam.step

    def objective(self, parameters: tf.Tensor, batch: Batch) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return this rank's L and D (equation 14) and the entropy at policy parameters [P]."""
        distribution, xp = self.policy.distribution, tensorflow_arrays()
        params = self.policy.network.learn_policy(xp, self.layout.split(parameters), batch.inputs)

        gain = surrogate(distribution.log_prob(xp, params, batch.actions), batch.log_probs, batch.advantages)
        kl = tf.reduce_mean(distribution.kl(xp, batch.params, params))
        return gain, kl, tf.reduce_mean(distribution.entropy(xp, params))

    def value_loss(
        self, parameters: Mapping[str, tf.Tensor], batch: ValueBatch, _: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Return E[(V - V_target)^2], to be minimised."""
        value = self.policy.network.learn_value(tensorflow_arrays(), parameters, batch.inputs)
        loss = squared_error(value, batch.value_targets)
        return loss, {"value_loss": loss}

    def update(self, rollout: Rollout, progress: float) -> dict[str, float]:
        """Make one natural step and fit the value function to one rollout; returns metrics over all ranks.

        Raises:
          DataError: a gradient is not finite; nothing was applied.
        """
        advantages, value_targets = gae(
            rollout.rewards, rollout.values, rollout.next_values, rollout.ends, self.gamma, self.gae_lambda
        )
        standard = standardize(advantages, rollout.made, self.comm)
        batch = batch_of(rollout, self.policy, standard, rollout.values, value_targets)
        theta, metrics = self._natural_step(batch)
        metrics |= self._fit_value_function(batch, rollout)
        self.policy.parameters = np.concatenate([theta, self.value_adam.parameters])
        explained = variance_explained(rollout.values, value_targets, rollout.made, self.comm)
        return {**metrics, "explained_variance": explained}

    def _natural_step(self, batch: Batch) -> tuple[np.ndarray, dict[str, float]]:
        """Return the policy's next parameters [P], and how they were found."""
        config, theta = self.config, self.policy.parameters[: self.layout.size]

        def average(x: tf.Tensor) -> np.ndarray:
            return self.comm.sum(x.numpy(), "gradients") / self.comm.size

        def product(v: np.ndarray) -> np.ndarray:
            fv = average(self.fisher_product(tf.constant(theta), tf.constant(v, tf.float32), batch))
            return fv.astype(np.float64) + config.cg_damping * v

        def evaluate(candidate: np.ndarray) -> Tried:
            gain, kl, _ = average(tf.stack(self.evaluated(tf.constant(candidate), batch)))
            return Tried(float(gain - before), float(kl))

        before, _, entropy = average(tf.stack(self.evaluated(tf.constant(theta), batch)))
        g = average(self.gradient(tf.constant(theta), batch)).astype(np.float64)
        if not np.isfinite(g).all():
            raise DataError(
                f"update {self.updates + 1}: the policy's gradient has NaN or Inf; nothing was applied from it. "
                "Look at the environment's observations and rewards"
            )
        s = conjugate_gradient(product, g, config.cg_steps)
        curvature = s @ product(s)
        beta = np.sqrt(2.0 * config.kl_target / curvature) if curvature > 0 else 0.0
        taken = line_search(
            evaluate, theta, beta * s, config.kl_target, config.line_search_factor, config.line_search_steps
        )
        self.natural_steps += 1
        return taken.parameters, {
            "policy_loss": -float(before) - taken.tried.improvement,
            "entropy": float(entropy),
            "kl": taken.tried.kl,
            "improvement": taken.tried.improvement,
            "step_length": taken.length,  # 0: a null step, no length was good
        }

    def _fit_value_function(self, batch: Batch, rollout: Rollout) -> dict[str, float]:
        config, recurrent = self.config, self.policy.network.recurrent
        indices = deal(self.seed, self.environments, rollout, recurrent, config.num_epochs, config.num_minibatches)
        fitted = ValueBatch(batch.inputs, batch.value_targets)
        return self.value_adam.epochs(fitted, indices, config.value_learning_rate).metrics

    def _gradient(self, parameters: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Return this rank's g, [P]."""
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            gain, _, _ = self.objective(parameters, batch)
        return tape.gradient(gain, parameters)

    def _fisher_product(self, parameters: tf.Tensor, v: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Return this rank's F v, [P]."""
        with tf.GradientTape() as outer:
            outer.watch(parameters)
            with tf.GradientTape() as inner:
                inner.watch(parameters)
                _, kl, _ = self.objective(parameters, batch)
            along = tf.reduce_sum(inner.gradient(kl, parameters) * v)
        return outer.gradient(along, parameters)

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the next update depends on, besides the policy's statistics."""
        return {
            "parameters": self.policy.parameters,
            "natural_steps": np.array(self.natural_steps),
            **prefixed("value", self.value_adam.state()),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take the arrays of `state()`."""
        value = state["parameters"][self.layout.size :]
        self.value_adam.restore({**unprefixed("value", state), "parameters": value})
        self.natural_steps = int(state["natural_steps"])
        self.policy.parameters = np.array(state["parameters"])
