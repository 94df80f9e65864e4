"""What a rollout holds where an environment breaks, never ends, or pays more than is learned from."""

from __future__ import annotations

import numpy as np
import pytest

from baselines_ppo.common import rollout as rollouts
from baselines_ppo.common.failures import DataError
from baselines_ppo.common.gae import gae
from baselines_ppo.common.moments import Moments
from baselines_ppo.common.policy.normalizer import Normalizer
from baselines_ppo.common.rollout import Collector
from tests.envs.test_rollout import collector

GAMMA = 0.9


def test_a_step_that_failed_teaches_nothing_and_its_episode_does_not_count() -> None:
    """Step 5 of each second episode raises; a third begins with the next step, in an environment made again."""
    source = collector("tests.environments:Raising-always-v0", GAMMA, range(2), restarts=1)
    source.reward_scaler.moments = Moments(np.array(0.0), np.array(9.0), 1.0)  # type: ignore[union-attr]
    rollout = source.collect(0, 28)
    failed = 14
    assert np.flatnonzero(rollout.ends[:, 0]).tolist() == [9, failed, 24]
    deltas = rollout.rewards + np.float32(GAMMA) * rollout.next_values - rollout.values
    assert (deltas[failed] == 0).all()
    assert (np.delete(deltas, failed, axis=0) != 0).all()
    advantages, targets = gae(rollout.rewards, rollout.values, rollout.next_values, rollout.ends, GAMMA, 0.95)
    assert (advantages[failed] == 0).all()
    np.testing.assert_array_equal(targets[failed], rollout.values[failed])
    episodes = [(episode.step, episode.environment, episode.length) for episode in rollout.episodes]
    assert episodes == [(9, 0, 10), (9, 1, 10), (24, 0, 10), (24, 1, 10)]
    assert [episode.episode_return for episode in rollout.episodes] == [10.0] * 4
    assert source.envs.episode_lengths.tolist() == [3, 3]


def test_rewards_are_clipped_before_their_returns_are_discounted_and_episodes_stay_raw() -> None:
    source = collector("tests.environments:Wager-v0", GAMMA)
    scaler = Normalizer((), 10.0)
    scaler.moments = Moments(np.array(0.0), np.array(4.0), 1.0)
    source = Collector(source.envs, source.policy, scaler, seed=0, gamma=GAMMA, clip_raw_rewards=1.0)
    rollout = source.collect(0, 40)
    won = np.where(rollout.actions == 1, 1.0, -1.0)
    np.testing.assert_allclose(rollout.rewards, won / 2, rtol=1e-6)
    assert (abs(rollout.discounted_returns) < 1 / (1 - GAMMA)).all()
    np.testing.assert_allclose(rollout.discounted_returns[1], won[0] * GAMMA + won[1])
    expected = 100 * won.reshape(2, 20, 3).sum(axis=1)
    assert [episode.episode_return for episode in rollout.episodes] == expected.ravel().tolist()


def test_an_environment_that_never_ends_is_named_where_episodes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollouts, "MOST_STEPS", 50)
    source = collector("tests.environments:Endless-v0", indices=range(4, 6))
    with pytest.raises(DataError, match="environment 4 has not ended its episodes after 50 steps; give --num-episodes"):
        source.collect(0, 1, num_episodes=1)


def test_of_several_environments_the_one_that_has_not_ended_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = collector("CartPole-v1", indices=range(8)).collect(0, 1, num_episodes=1).made.sum(axis=0)
    longest = int(lengths.argmax())
    assert longest > 0
    monkeypatch.setattr(rollouts, "MOST_STEPS", int(np.sort(lengths)[-2]))
    with pytest.raises(DataError, match=f"environment {longest} has not ended"):
        collector("CartPole-v1", indices=range(8)).collect(0, 1, num_episodes=1)


def test_episodes_may_take_all_the_steps_that_are_allowed_and_not_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollouts, "MOST_STEPS", 20)
    assert collector("tests.environments:Forever-v0").collect(0, 1, num_episodes=1).num_transitions == 60
    monkeypatch.setattr(rollouts, "MOST_STEPS", 19)
    with pytest.raises(DataError, match="environment 0 has not ended its episodes after 19 steps"):
        collector("tests.environments:Forever-v0").collect(0, 1, num_episodes=1)
