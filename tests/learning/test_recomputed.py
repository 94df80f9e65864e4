"""Advantages that are estimated anew before each epoch, by the values that the network has learned to give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tests.environments  # noqa: F401  # registers them
from baselines_ppo import configure
from baselines_ppo.common.batch import advantages_of
from baselines_ppo.common.envs.backends import make_backend
from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.common.envs.vec_env import VecEnv
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.normalizer import Normalizer
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.rollout import Collector, revalued
from baselines_ppo.plan import plan_of
from baselines_ppo.ppo2 import PPO2
from baselines_ppo.wiring import actor_critic_of

# A pendulum whose episodes are cut off, the cart that falls, and one that raises and is made again.
ENVIRONMENTS = ("tests.environments:ShortPendulum-v0", "CartPole-v1", "tests.environments:Raising-always-v0")


def training(env: str, **values: Any) -> tuple[PPO2, Collector]:
    shape = {"num_envs": 3, "num_steps": 40, "num_minibatches": 1, "learning_rate_schedule": "constant"}
    config = configure(env, preset="none", **{**shape, **values})
    envs = VecEnv(make_backend(EnvironmentSpec(env), 3), range(3), 0, env, rank=0, restarts=9)
    network = actor_critic_of(config, envs.observation, envs.action)
    policy = Policy(network, network.initial_parameters(np.random.default_rng(0), 0.0), 10.0)
    envs.reset()
    learner = PPO2(plan_of(config, network, 1), policy, Comm(), envs.indices)
    return learner, Collector(envs, policy, Normalizer((), 10.0), seed=0, gamma=config.rollout.gamma)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_same_network_gives_the_same_values_again(env: str) -> None:
    learner, source = training(env)
    rollout = source.collect(0, 40)
    again = revalued(rollout, learner.policy)
    assert rollout.ends.any()
    np.testing.assert_array_equal(again.values, rollout.values)
    np.testing.assert_array_equal(again.next_values, rollout.next_values)


def test_another_network_gives_its_own_wherever_an_episode_goes_on() -> None:
    """All values of a network that gives a constant are that, but after a fall."""
    for env, terminates in (("tests.environments:ShortPendulum-v0", False), ("CartPole-v1", True)):
        learner, source = training(env)
        rollout = source.collect(0, 40)
        parts = learner.policy.network.layout.split(np.zeros_like(learner.policy.parameters))
        parts["value_head/0/bias"] += np.float32(0.25)
        learner.policy.parameters = learner.policy.network.layout.join(parts)
        again = revalued(rollout, learner.policy)
        assert (again.values == 0.25).all()
        np.testing.assert_array_equal(again.next_values, np.where(rollout.ends & terminates, 0.0, 0.25))


def test_a_step_that_raised_teaches_nothing_whatever_the_network_gives() -> None:
    learner, source = training("tests.environments:Raising-always-v0")
    rollout = source.collect(0, 40)
    learner.policy.parameters = learner.policy.parameters + np.float32(0.1)
    again = revalued(rollout, learner.policy)
    assert again.dropped.any()
    assert np.abs(again.values - rollout.values)[again.dropped].min() > 0.01
    advantages, value_targets = advantages_of(again, 0.9, 0.8)
    np.testing.assert_array_equal(advantages[again.dropped], 0.0)
    np.testing.assert_array_equal(value_targets[again.dropped], again.values[again.dropped])


def test_two_epochs_are_an_epoch_and_another_with_what_the_first_has_learned() -> None:
    def learned(*, updates: int, **values: Any) -> np.ndarray:
        learner, source = training(ENVIRONMENTS[0], learning_rate=0.01, **values)
        rollout = source.collect(0, 40)
        for k in range(updates):
            learner.update(rollout if k == 0 else revalued(rollout, learner.policy), 0.0)
        return learner.policy.parameters

    recomputed = learned(updates=1, num_epochs=2, recompute_advantages=True)
    np.testing.assert_allclose(recomputed, learned(updates=2, num_epochs=1), atol=1e-6)
    assert np.abs(recomputed - learned(updates=1, num_epochs=2)).max() > 1e-4


def test_passes_end_at_the_stopping_kl_here_too() -> None:
    learner, source = training(
        ENVIRONMENTS[0], num_epochs=8, recompute_advantages=True, kl_stop=1e-7, learning_rate=0.1
    )
    assert learner.update(source.collect(0, 40), 0.0)["epochs"] < 8


def test_a_memory_is_refused_and_a_preset_that_recomputes_gives_way_to_one() -> None:
    envs = VecEnv(make_backend(EnvironmentSpec("Pendulum-v1"), 2), range(2), 0, "Pendulum-v1", rank=0)
    remembering: dict[str, Any] = {"network": "lstm", "num_envs": 2, "num_minibatches": 1}
    refused = configure("Pendulum-v1", preset="none", recompute_advantages=True, **remembering)
    with pytest.raises(UsageError, match="not lstm; give --recompute-advantages false"):
        actor_critic_of(refused, envs.observation, envs.action)
    taken = configure("HalfCheetah-v4", network="lstm")
    assert actor_critic_of(taken, envs.observation, envs.action).recurrent
