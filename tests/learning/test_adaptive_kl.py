"""Controllers of the KL between policies, and the penalised objective."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from gymnasium import spaces

from baselines_ppo.common.adaptive_kl import Penalty, adapted_kl_coef, adapted_learning_rate, adapted_penalty
from baselines_ppo.common.batch import Batch
from baselines_ppo.common.envs.backends import SerialBackend, make_backend
from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.common.envs.vec_env import VecEnv
from baselines_ppo.common.gae import gae
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.actions import BoxAction
from baselines_ppo.common.policy.actor_critic import Inputs
from baselines_ppo.common.policy.arrays import tensorflow_arrays
from baselines_ppo.common.policy.distributions import GaussianParams
from baselines_ppo.common.policy.observations import BoxObservation
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.rollout import Collector
from baselines_ppo.plan import plan_of
from baselines_ppo.ppo_kl import PPOKL, Numbers, PolicyBatch
from baselines_ppo.settings.config import TrainConfig, with_fields
from baselines_ppo.settings.presets import configure
from baselines_ppo.wiring import actor_critic_of

TARGET = 0.01
XP = tensorflow_arrays()


@pytest.mark.parametrize("kl_coef", [0.05, 1.0, 20.0])
def test_the_penalty_grows_where_policies_move_too_far_and_shrinks_where_they_hardly_move(kl_coef: float) -> None:
    before = Penalty(kl_coef, 1.0)
    assert adapted_penalty(before, 5 * TARGET, TARGET) == pytest.approx((1.5 * kl_coef, 1.0))
    assert adapted_penalty(before, TARGET / 5, TARGET) == pytest.approx((kl_coef / 1.5, 1.0))
    for kl in (0.6 * TARGET, TARGET, 1.9 * TARGET):
        assert adapted_penalty(before, kl, TARGET) == before


@pytest.mark.parametrize("kl", [0.0, 100.0])
def test_a_penalty_at_its_limit_lets_the_step_size_move_up_to_tenfold(kl: float) -> None:
    penalty, seen = Penalty(1.0, 1.0), []
    for _ in range(100):
        penalty = adapted_penalty(penalty, kl, TARGET)
        seen.append(penalty)
    factors = [penalty.learning_rate_factor for penalty in seen]
    assert factors == sorted(factors, reverse=kl > TARGET)
    assert factors[5] == 1.0  # the penalty goes first
    assert factors[-1] == pytest.approx(0.1 if kl > TARGET else 10.0)
    assert all(1 / 45.01 < penalty.kl_coef < 45.01 for penalty in seen)
    # it comes back: neither is stuck where it went
    for _ in range(100):
        penalty = adapted_penalty(penalty, 100.0 - kl, TARGET)
    assert (penalty.learning_rate_factor > 1) == (kl > TARGET)


def test_ppo2s_penalty_doubles_and_halves_around_its_target() -> None:
    assert adapted_kl_coef(0.4, 2 * TARGET, TARGET) == 0.8
    assert adapted_kl_coef(0.4, TARGET / 2, TARGET) == 0.2
    for kl in (0.7 * TARGET, TARGET, 1.4 * TARGET):
        assert adapted_kl_coef(0.4, kl, TARGET) == 0.4
    assert adapted_kl_coef(0.0, 100.0, TARGET) == 0.0  # off stays off


def test_the_step_size_falls_where_the_kl_is_high_rises_where_it_is_low_and_has_limits() -> None:
    assert adapted_learning_rate(np, 3e-4, 2.1 * TARGET, TARGET) == pytest.approx(2e-4)
    assert adapted_learning_rate(np, 2e-4, 0.4 * TARGET, TARGET) == pytest.approx(3e-4)
    for kl in (0.51 * TARGET, TARGET, 1.99 * TARGET):
        assert adapted_learning_rate(np, 3e-4, kl, TARGET) == 3e-4
    lowest = highest = 1e-3
    for _ in range(100):
        lowest, highest = (
            adapted_learning_rate(np, lowest, 1.0, TARGET),
            adapted_learning_rate(np, highest, 0.0, TARGET),
        )
    assert (lowest, highest) == (1e-6, 1e-2)


def test_what_begins_beyond_the_limits_moves_back_alone() -> None:
    high, low = 100.0, 0.0  # KLs
    assert adapted_penalty(Penalty(1000.0, 1.0), TARGET, TARGET) == (1000.0, 1.0)
    assert adapted_penalty(Penalty(1000.0, 1.0), high, TARGET).kl_coef == 1000.0
    assert adapted_penalty(Penalty(1000.0, 1.0), low, TARGET).kl_coef == pytest.approx(1000 / 1.5)
    assert adapted_penalty(Penalty(1e-3, 1.0), low, TARGET).kl_coef == 1e-3
    assert adapted_kl_coef(1e-5, low, TARGET) == 1e-5
    assert adapted_kl_coef(1e-5, high, TARGET) == 2e-5
    assert adapted_learning_rate(np, 0.05, low, TARGET) == 0.05
    assert adapted_learning_rate(np, 0.05, high, TARGET) == pytest.approx(0.05 / 1.5)
    assert adapted_learning_rate(np, 1e-7, high, TARGET) == 1e-7
    assert adapted_learning_rate(np, 1e-7, low, TARGET) == pytest.approx(1.5e-7)


def learner(**values: Any) -> PPOKL:
    config = configure("X", "ppo_kl", hidden_sizes=(5,), **{"num_envs": 2, **values})
    network = actor_critic_of(config, BoxObservation((3,), "float32"), BoxAction((-1.0, -1.0), (1.0, 1.0), (2,)))
    policy = Policy(network, network.initial_parameters(np.random.default_rng(0), -0.5), 10.0)
    return PPOKL(plan_of(config, network, 1), policy, Comm(), range(config.num_envs))


@pytest.mark.parametrize("distance", [0.02, 0.5])
def test_the_loss_has_the_gradient_of_the_objective_with_its_squared_hinge(distance: float) -> None:
    """-E[r A] + beta D + eta max(0, D - 2 D_target)^2, on both sides of the hinge."""
    ppo, rng, count = learner(), np.random.default_rng(1), 40
    beta, eta, kl_target = 0.7, 50.0, 0.003
    distribution, network = ppo.policy.distribution, ppo.policy.network
    inputs = Inputs(tf.random.stateless_normal([count, 3], [1, 2]), tf.zeros([count, 0]), tf.zeros([count], tf.bool))
    theta = tf.constant(ppo.policy_loop.parameters)
    now = network.learn_policy(XP, network.policy_layout.split(theta), inputs)
    old = GaussianParams(now.mean + distance, tf.broadcast_to(now.log_std, now.mean.shape))
    actions = tf.constant(
        distribution.sample(GaussianParams(*(x.numpy() for x in old)), distribution.noise(rng, count))
    )
    advantages = tf.constant(rng.standard_normal(count).astype(np.float32))
    nothing = tf.zeros([count])
    batch = Batch(inputs, actions, distribution.log_prob(XP, old, actions), old, advantages, nothing, nothing)

    with tf.GradientTape() as tape:
        tape.watch(theta)
        params = network.learn_policy(XP, network.policy_layout.split(theta), inputs)
        ratio = tf.exp(distribution.log_prob(XP, params, actions) - batch.log_probs)
        kl = tf.reduce_mean(distribution.kl(XP, old, params))
        objective = -tf.reduce_mean(ratio * advantages) + beta * kl + eta * tf.maximum(0.0, kl - 2 * kl_target) ** 2
    expected = tape.gradient(objective, theta)
    assert (float(kl) > 2 * kl_target) == (distance == 0.5)

    data = PolicyBatch(batch, tf.fill([count], 1.0 / count))
    known = float(ppo.kl(theta, data, tf.range(count)[None], tf.constant(1)))
    weight = tf.constant(beta + 2 * eta * max(0.0, known - 2 * kl_target))
    with tf.GradientTape() as tape:
        tape.watch(theta)
        loss, _ = ppo.loss(network.policy_layout.split(theta), data, Numbers(weight))
    np.testing.assert_allclose(tape.gradient(loss, theta), expected, rtol=1e-3, atol=1e-5)


def training(config: TrainConfig, envs: VecEnv) -> tuple[PPOKL, Collector]:
    network = actor_critic_of(config, envs.observation, envs.action)
    policy = Policy(network, network.initial_parameters(np.random.default_rng(0), 0.0), 10.0)
    envs.reset()
    plan = plan_of(with_fields(config, num_envs=len(envs)), network, 1)
    return PPOKL(plan, policy, Comm(), envs.indices), Collector(envs, policy, None, seed=0, gamma=0.99)


def balanced(**values: Any) -> tuple[PPOKL, Collector]:
    config = configure("CartPole-v1", "ppo_kl", hidden_sizes=(8,), value_epochs=1, **values)
    return training(config, VecEnv(make_backend(EnvironmentSpec("CartPole-v1"), 3), range(3), 0, "CartPole-v1", rank=0))


def test_passes_end_once_the_policy_has_moved_too_far_and_only_then() -> None:
    for learning_rate, early in ((1.0, True), (1e-5, False)):
        ppo, source = balanced(learning_rate=learning_rate, kl_target=TARGET, num_epochs=6)
        metrics = ppo.update(source.collect(0, 1, num_episodes=1), 0.0)
        assert (metrics["epochs"] < 6) == early
        assert (metrics["kl"] > 4 * TARGET) == early
        assert (ppo.penalty.kl_coef > 1.0) == early


def test_the_value_function_learns_from_this_iteration_and_the_one_before() -> None:
    ppo, source = balanced(num_epochs=1, value_minibatch_size=2)
    counts, steps = [], []
    for iteration in range(3):
        rollout = source.collect(iteration, 1, num_episodes=1)
        before = ppo.value_loop.step
        ppo.update(rollout, 0.0)
        counts.append(rollout.num_transitions)
        steps.append(ppo.value_loop.step - before)  # of two transitions each
    assert steps == [counts[0] // 2, (counts[0] + counts[1]) // 2, (counts[1] + counts[2]) // 2]


def test_a_state_round_trip_continues_bit_for_bit() -> None:
    ppo, source = balanced(num_epochs=2)
    first, second = (source.collect(k, 1, num_episodes=1) for k in range(2))
    ppo.update(first, 0.0)
    state, before = ppo.state(), ppo.environment_state()
    metrics, parameters = ppo.update(second, 0.5), ppo.policy.parameters
    ppo.restore(state)
    ppo.restore_environments(before)
    assert ppo.update(second, 0.5) == metrics
    np.testing.assert_array_equal(ppo.policy.parameters, parameters)


class Dots(gymnasium.Env[np.ndarray, Any]):
    """A picture too small for convolutions, for six steps."""

    observation_space = spaces.Box(0, 255, (5, 4, 3), np.uint8)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return self._show(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return self._show(), 1.0, self.steps == 6, False, {}

    def _show(self) -> np.ndarray:
        return self.np_random.integers(0, 256, (5, 4, 3)).astype(np.uint8)


def test_the_value_function_learns_on_bytes_as_it_values_them() -> None:
    """With a step size of nothing, its loss is the error of the values at collection, also in the first iteration."""
    config = configure("X", "ppo_kl", hidden_sizes=(8,), value_epochs=1, value_learning_rate=1e-12)
    ppo, source = training(config, VecEnv(SerialBackend(Dots, 2, "X"), range(2), 0, "X", rank=0))
    rollout = source.collect(0, 1, num_episodes=1)
    _, targets = gae(rollout.rewards, rollout.values, rollout.next_values, rollout.ends, ppo.gamma, ppo.gae_lambda)
    metrics = ppo.update(rollout, 0.0)
    assert metrics["value_loss"] == pytest.approx(np.mean((targets - rollout.values) ** 2), rel=1e-4)
