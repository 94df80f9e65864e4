"""TRPO: one natural-gradient step per iteration, as long as the trust region lets it be.

Schulman et al. 2015, "Trust Region Policy Optimization", arXiv:1502.05477. In its symbols:

  maximise  L(theta) = E[r A] + c S,  r = pi_theta(a|s) / pi_old(a|s)                       (equation 14)
  where     D(theta) = E[KL(pi_old(.|s), pi_theta(.|s))] <= delta
  step      s = F^-1 g,  g = grad L,  F = Hessian of D at theta_old                         (appendix C)
  length    beta = sqrt(2 delta / s^T F s), then shortened until L improves and D <= delta

c S is a bonus on the mean entropy S = E[H(pi_theta(.|s))], as PPO has it (arXiv:1707.06347, equation 9): part of what
the gradient is taken of and of what the line search judges. With `--entropy-coef 0`, the default, there is none.

F s is formed without F, as the gradient of (grad D)^T s, averaged over ranks; conjugate gradient then needs only
such products. The value function is fitted apart, by Adam on its squared error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from baselines_ppo.algorithm import Algorithm
from baselines_ppo.common.adam import prefixed, unprefixed
from baselines_ppo.common.batch import Batch, advantages_of, batch_of, explained_over_ranks
from baselines_ppo.common.failures import DataError
from baselines_ppo.common.gradient import sum_over_shards
from baselines_ppo.common.losses import squared_error, surrogate
from baselines_ppo.common.minibatch_loop import LoopSettings, MinibatchLoop, NoNumbers
from baselines_ppo.common.minibatches import deal, standardize
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.natural_gradient import Tried, conjugate_gradient, line_search
from baselines_ppo.common.policy.actor_critic import Inputs
from baselines_ppo.common.policy.arrays import tensorflow_arrays
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.programs import made_of, program
from baselines_ppo.common.rollout import Rollout, of_all_ranks
from baselines_ppo.common.shards import rows_by_shard
from baselines_ppo.plan import ALL, OWN, Plan
from baselines_ppo.settings.algorithms import TRPOConfig


class ValueBatch(NamedTuple):
    """What the value function is fitted to."""

    inputs: Inputs
    value_targets: tf.Tensor


class TRPO(Algorithm):
    """One policy's learner; every rank holds the same."""

    def __init__(self, plan: Plan, policy: Policy, comm: Comm, environments: range) -> None:
        config = plan.config
        assert isinstance(config.algorithm, TRPOConfig)
        self.config, self.gamma, self.gae_lambda = config.algorithm, config.rollout.gamma, config.rollout.gae_lambda
        self.seed, self.policy, self.comm, self.environments = config.seed, policy, comm, environments
        network = policy.network
        self.layout, self.natural_steps = network.policy_layout, 0
        self.shards, self.values = plan.sharing.shards, plan.value_sharing
        compiled = not network.convolutional and not network.recurrent
        parts = made_of(self.config, network, comm)
        policy_parts = parts and (parts, self.shards, len(environments))
        self.evaluated = program(self._evaluated, policy_parts, jit_compile=compiled)
        self.gradient = program(self._gradient, policy_parts, jit_compile=compiled)
        self.fisher_product = program(self._fisher_product, policy_parts, jit_compile=compiled)
        self.value_loop = MinibatchLoop(
            self.value_loss,
            ("value_loss",),
            network.value_layout,
            comm if self.values.learns_from == OWN else Comm(),
            LoopSettings(
                self.config.adam_epsilon,
                shards=self.values.shards,
                parts=parts,
                compiled=not network.convolutional,
            ),
        )
        self.value_loop.start(policy.parameters[self.layout.size :])

    @property
    def updates(self) -> int:
        """Number of steps made, natural ones and gradient steps of the value function."""
        return self.natural_steps + self.value_loop.step

    def objective(
        self, parameters: tf.Tensor, batch: Batch, entropy_coef: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Return L (equation 14) with a bonus on the entropy, D and the entropy at policy parameters [P]."""
        distribution, xp = self.policy.distribution, tensorflow_arrays()
        params = self.policy.network.learn_policy(xp, self.layout.split(parameters), batch.inputs)

        gain = surrogate(distribution.log_prob(xp, params, batch.actions), batch.log_probs, batch.advantages)
        kl = tf.reduce_mean(distribution.kl(xp, batch.params, params))
        entropy = tf.reduce_mean(distribution.entropy(xp, params))
        return gain + entropy_coef * entropy, kl, entropy

    def value_loss(
        self, parameters: Mapping[str, tf.Tensor], batch: ValueBatch, _: NoNumbers
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
        advantages, value_targets = advantages_of(rollout, self.gamma, self.gae_lambda)
        standard = standardize(advantages, rollout.made, self.comm)
        batch = batch_of(rollout, self.policy, standard, rollout.values, value_targets)
        theta, metrics = self._natural_step(batch)
        metrics |= self._fit_value_function(batch, rollout)
        self.policy.parameters = np.concatenate([theta, self.value_loop.parameters])
        explained = explained_over_ranks(rollout.values, value_targets, rollout.made, self.comm)
        return {**metrics, "explained_variance": explained}

    def _natural_step(self, batch: Batch) -> tuple[np.ndarray, dict[str, float]]:
        """Return the policy's next parameters [P], and how they were found."""
        config, theta = self.config, self.policy.parameters[: self.layout.size]

        own, bonus = tf.constant(self.shards.own), tf.constant(np.float32(config.entropy_coef))

        def average(x: tf.Tensor) -> np.ndarray:
            return self.comm.sum(x.numpy(), "gradients") / self.shards.total

        def product(v: np.ndarray) -> np.ndarray:
            fv = average(self.fisher_product(tf.constant(theta), tf.constant(v, tf.float32), batch, own))
            return fv.astype(np.float64) + config.cg_damping * v

        def evaluate(candidate: np.ndarray) -> Tried:
            gain, kl, _ = average(self.evaluated(tf.constant(candidate), batch, own, bonus))
            return Tried(float(gain - before), float(kl))

        before, _, entropy = average(self.evaluated(tf.constant(theta), batch, own, bonus))
        g = average(self.gradient(tf.constant(theta), batch, own, bonus)).astype(np.float64)
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
            "policy_loss": -float(before) - taken.tried.improvement,  # -L, the bonus included
            "entropy": float(entropy),
            "kl": taken.tried.kl,
            "improvement": taken.tried.improvement,
            "step_length": taken.length,  # 0: a null step, no length was good
        }

    def _fit_value_function(self, batch: Batch, rollout: Rollout) -> dict[str, float]:
        """Fit it to this rank's shards, or where its minibatches are small to everyone's experience on each rank."""
        config, recurrent, environments = self.config, self.policy.network.recurrent, self.environments
        if self.values.learns_from == ALL and self.comm.size > 1:
            environments = range(len(environments) * self.comm.size)
            rollout = of_all_ranks(rollout, self.comm)
            advantages, value_targets = advantages_of(rollout, self.gamma, self.gae_lambda)
            batch = batch_of(rollout, self.policy, advantages, rollout.values, value_targets)
        indices = deal(self.seed, environments, rollout, recurrent, config, self.values.shards)
        fitted = ValueBatch(batch.inputs, batch.value_targets)
        return self.value_loop.epochs(fitted, indices, config.value_learning_rate).metrics

    def _over_shards(self, function: Callable[[Batch], tf.Tensor], batch: Batch, own_shards: tf.Tensor) -> tf.Tensor:
        """Return the sum of a function of a batch over this rank's shards."""
        count = len(self.environments)
        num_steps = 1 if self.policy.network.recurrent else batch.log_probs.shape[0] // count
        rows = tf.constant(rows_by_shard(num_steps, count, self.shards.own))
        (total,) = sum_over_shards(
            lambda own: [function(tf.nest.map_structure(lambda x: tf.gather(x, own), batch))], 1, rows, own_shards
        )
        return total

    def _evaluated(
        self, parameters: tf.Tensor, batch: Batch, own_shards: tf.Tensor, entropy_coef: tf.Tensor
    ) -> tf.Tensor:
        """Return the sum over this rank's shards of L, D and the entropy, [3]."""
        return self._over_shards(lambda own: tf.stack(self.objective(parameters, own, entropy_coef)), batch, own_shards)

    def _gradient(
        self, parameters: tf.Tensor, batch: Batch, own_shards: tf.Tensor, entropy_coef: tf.Tensor
    ) -> tf.Tensor:
        """Return the sum over this rank's shards of g, [P]."""

        def of_shard(own: Batch) -> tf.Tensor:
            with tf.GradientTape() as tape:
                tape.watch(parameters)
                gain, _, _ = self.objective(parameters, own, entropy_coef)
            return tape.gradient(gain, parameters)

        return self._over_shards(of_shard, batch, own_shards)

    def _fisher_product(self, parameters: tf.Tensor, v: tf.Tensor, batch: Batch, own_shards: tf.Tensor) -> tf.Tensor:
        """Return the sum over this rank's shards of F v, [P]."""

        def of_shard(own: Batch) -> tf.Tensor:
            with tf.GradientTape() as outer:
                outer.watch(parameters)
                with tf.GradientTape() as inner:
                    inner.watch(parameters)
                    _, kl, _ = self.objective(parameters, own, tf.constant(0.0))
                along = tf.reduce_sum(inner.gradient(kl, parameters) * v)
            return outer.gradient(along, parameters)

        return self._over_shards(of_shard, batch, own_shards)

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the next update depends on, besides the policy's statistics."""
        return {
            "parameters": self.policy.parameters,
            "natural_steps": np.array(self.natural_steps),
            **prefixed("value", self.value_loop.state()),
        }

    def restore(self, state: Mapping[str, np.ndarray], changed: frozenset[str] = frozenset()) -> None:
        """Take the arrays of `state()`; no field of the configuration moves by itself here."""
        value = state["parameters"][self.layout.size :]
        self.value_loop.restore({**unprefixed("value", state), "parameters": value})
        self.natural_steps = int(state["natural_steps"])
        self.policy.parameters = np.array(state["parameters"])
