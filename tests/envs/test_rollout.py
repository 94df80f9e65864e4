"""Environments stepped as one, replayed, and collected from."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import tests.environments  # noqa: F401  # registers them
from baselines_ppo.common.envs.backends import make_backend
from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.common.envs.vec_env import VecEnv
from baselines_ppo.common.failures import DataError
from baselines_ppo.common.moments import Moments
from baselines_ppo.common.policy.actions import DiscreteAction
from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.networks import NetworkSettings
from baselines_ppo.common.policy.normalizer import Normalizer
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.rollout import Collector, Rollout
from baselines_ppo.common.seeding import episode_seed


def vec_env(env_id: str, indices: range = range(3), seed: int = 0, restarts: int = 0) -> VecEnv:
    return VecEnv(make_backend(EnvironmentSpec(env_id), len(indices)), indices, seed, env_id, rank=0, restarts=restarts)


def random_actions(envs: VecEnv, steps: int, first: int = 0) -> list[np.ndarray]:
    """Return actions keyed by step and environment, so that any subset of environments gets its own."""
    rows = []
    for step in range(first, first + steps):
        rng = [np.random.default_rng([step, index]) for index in envs.indices]
        size = envs.action.distribution.network_size
        if isinstance(envs.action, DiscreteAction):
            rows.append(np.array([r.integers(size) for r in rng]))
        else:
            rows.append(envs.action.to_environment(np.stack([r.uniform(-1, 1, size) for r in rng])))
    return rows


def collector(env_id: str, gamma: float = 0.9, indices: range = range(3), restarts: int = 0) -> Collector:
    envs, settings = vec_env(env_id, indices, restarts=restarts), NetworkSettings("mlp", (8,), "tanh", 4)
    network = ActorCritic(envs.observation, envs.action, settings, settings)
    policy = Policy(network, network.initial_parameters(np.random.default_rng(0), 0.0), 10.0)
    envs.reset()
    return Collector(envs, policy, Normalizer((), 10.0), seed=0, gamma=gamma)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_actions_stray_from_their_mean_as_correlated_as_they_are_to_be(correlation: float) -> None:
    source = collector("Pendulum-v1")
    source.noise_correlation = correlation
    rollout = source.collect(0, 2000)
    strays = rollout.actions - rollout.outputs  # [2000, 3, 1], with a std of 1
    assert strays.std() == pytest.approx(1.0, abs=0.05)
    assert (strays[1:] * strays[:-1]).mean() == pytest.approx(correlation, abs=0.05)


def test_a_wrong_observation_shape_is_not_broadcast() -> None:
    envs = vec_env("tests.environments:Broken-short-v0", range(1))
    envs.reset()
    with pytest.raises(DataError, match=r"observation is \(1,\), expected shape \(3,\)"):
        for _ in range(12):
            envs.step(np.zeros((1, 1), np.float32))


def test_a_policy_that_gives_nan_is_stopped_before_the_environment_sees_it() -> None:
    envs = vec_env("Pendulum-v1", range(2))
    envs.reset()
    with pytest.raises(DataError, match=r"environment 1, .*action is NaN"):
        envs.step(np.array([[0.0], [np.nan]], np.float32))


def test_time_limits_bootstrap_and_terminations_do_not() -> None:
    limited = collector("tests.environments:Forever-v0").collect(0, 50)
    assert limited.ends[[19, 39]].all()
    assert limited.ends.sum() == 6
    assert (limited.next_values[limited.ends] == limited.values[limited.ends]).all()  # every state is the same here
    balanced = collector("CartPole-v1").collect(0, 120)
    assert balanced.ends.any()
    assert (balanced.next_values[balanced.ends] == 0).all()


def test_the_value_after_a_time_limit_is_that_of_the_final_observation() -> None:
    """Pendulum is cut after 200 steps; the next row of the rollout belongs to another episode."""
    first = collector("Pendulum-v1", indices=range(1))
    rollout = first.collect(0, 201)
    assert rollout.ends[199, 0]
    raw = gymnasium.make("Pendulum-v1")
    raw.reset(seed=episode_seed(0, 0, 0))
    for actions in rollout.actions[:200, 0]:
        final, *_ = raw.step(first.policy.network.action.to_environment(actions[None])[0])
    expected = first.policy.values(first.policy.normalize(final[None]), first.policy.initial_states(1))
    np.testing.assert_allclose(rollout.next_values[199, 0], expected[0], rtol=1e-5)
    assert abs(rollout.next_values[199, 0] - rollout.values[200, 0]) > 1e-4
    np.testing.assert_array_equal(rollout.next_values[:199, 0], rollout.values[1:200, 0])


def test_no_transition_is_made_up() -> None:
    """Every row is a real step: raw observations and actions reproduce the next row of the same episode."""
    rollout = collector("CartPole-v1", indices=range(2)).collect(0, 100)
    plain = gymnasium.make("CartPole-v1").unwrapped
    for t in range(99):
        for i in range(2):
            if not rollout.ends[t, i]:
                plain.reset(seed=0)
                plain.state = tuple(float(x) for x in rollout.raw_observations[t, i])  # type: ignore[attr-defined]
                after, *_ = plain.step(int(rollout.actions[t, i]))
                np.testing.assert_allclose(after, rollout.raw_observations[t + 1, i], rtol=1e-4, atol=1e-5)


def test_finished_episodes_are_whole_and_raw() -> None:
    source = collector("CartPole-v1")
    source.reward_scaler.moments = Moments(np.array(0.0), np.array(100.0), 1.0)  # type: ignore[union-attr]
    rollouts = [source.collect(k, 40) for k in range(5)]
    episodes = [episode for rollout in rollouts for episode in rollout.episodes]
    assert all(episode.episode_return == episode.length for episode in episodes)  # CartPole pays 1 a step
    assert sum(episode.length for episode in episodes) + source.envs.episode_lengths.sum() == 5 * 40 * 3
    np.testing.assert_allclose(rollouts[0].rewards, 0.1)


def test_discounted_returns_are_carried_over_iterations_and_reset_at_ends() -> None:
    source = collector("tests.environments:Forever-v0", gamma=0.5)
    joined = np.concatenate([source.collect(k, 15).discounted_returns for k in range(2)])[:, 0]
    within = 2 * (1 - 0.5 ** np.arange(1, 21))  # 1, 1.5, 1.75, ...
    np.testing.assert_allclose(joined[:20], within)
    np.testing.assert_allclose(joined[20:30], within[:10])


def test_rewards_and_statistics_are_frozen_while_collecting() -> None:
    source = collector("Pendulum-v1")
    before = source.policy.observations.state(), source.policy.parameters.copy()
    rollout: Rollout = source.collect(0, 64)
    after = source.policy.observations.state(), source.policy.parameters
    assert all((before[0][key] == after[0][key]).all() for key in before[0])
    np.testing.assert_array_equal(before[1], after[1])
    np.testing.assert_array_equal(rollout.observations, source.policy.observations.normalize(rollout.raw_observations))


def test_where_episodes_are_counted_each_environment_makes_that_many_and_then_stands_still() -> None:
    source = collector("CartPole-v1")
    rollout = source.collect(0, 1, num_episodes=2)
    assert (rollout.ends & rollout.made).sum(axis=0).tolist() == [2, 2, 2]
    assert not (rollout.ends & ~rollout.made).any()
    lengths = rollout.made.sum(axis=0)
    assert len(set(lengths)) > 1
    assert len(rollout.made) == lengths.max()
    for i, length in enumerate(lengths):
        assert rollout.made[:length, i].all()
        assert rollout.ends[length - 1, i]
        assert (rollout.rewards[length:, i] == 0).all()
        assert (rollout.raw_observations[length:, i] == source.envs.observations[i]).all()
    assert rollout.num_transitions == lengths.sum() == sum(episode.length for episode in rollout.episodes)
    records = source.envs.capture()
    assert [(record.episode, len(record.actions)) for record in records] == [(2, 0)] * 3
    assert (source.envs.episode_lengths == 0).all()
    again = source.collect(1, 1, num_episodes=1)
    plain = gymnasium.make("CartPole-v1")
    for i in range(3):
        np.testing.assert_array_equal(again.raw_observations[0, i], plain.reset(seed=episode_seed(0, i, 2))[0])


def test_counted_episodes_are_the_same_whichever_environments_share_a_rank() -> None:
    whole = collector("CartPole-v1", indices=range(4)).collect(3, 1, num_episodes=2)
    for first in (0, 2):
        part = collector("CartPole-v1", indices=range(first, first + 2)).collect(3, 1, num_episodes=2)
        for row in range(2):
            length, i = int(part.made[:, row].sum()), first + row
            assert length == whole.made[:, i].sum()
            for name in ("raw_observations", "actions", "log_probs", "rewards", "ends", "values", "next_values"):
                np.testing.assert_array_equal(getattr(part, name)[:length, row], getattr(whole, name)[:length, i])


def test_more_steps_than_noise_is_drawn_for_at_once_have_noise_of_their_own() -> None:
    """Pendulum's episodes are 200 steps; three of them need a second and third draw."""
    rollout = collector("Pendulum-v1", indices=range(1)).collect(0, 1, num_episodes=3)
    assert rollout.made.sum() == 600
    noise = (rollout.actions - rollout.outputs)[:, 0, 0]  # the std is 1
    assert len(set(noise.tolist())) == 600


def test_rewards_are_clipped_before_they_are_scaled_and_episodes_stay_raw() -> None:
    source = collector("Pendulum-v1", indices=range(1))
    source = Collector(source.envs, source.policy, None, seed=0, gamma=0.9, clip_raw_rewards=0.5)
    rollout = source.collect(0, 200)
    assert rollout.rewards.min() == -0.5
    assert rollout.episodes[0].episode_return < -100
