"""Pong against an agent: the match that two agents play, and who may be the opponent."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from baselines_ppo import load
from baselines_ppo.zoo.tasks.pong import PongMatch
from baselines_ppo.zoo.vector_env import RobotVectorEnv
from tests.conftest import Finished
from tests.zoo.test_zoo_pong import follow

Run = Callable[..., Finished]


def test_against_an_agent_one_plays_the_match_that_two_agents_play() -> None:
    agent, envs, match = load("zoo:RoboPong-v1"), RobotVectorEnv("PongDuel", 8), PongMatch(8, seed=3)
    (seen, _), both = envs.reset(seed=3), match.reset()
    total = np.zeros(8)
    for _ in range(400):
        np.testing.assert_array_equal(seen, both[:, 0])
        seen, rewards, *_ = envs.step(follow(seen).astype(float))
        both, earned = match.step(np.stack([follow(both[:, 0]), agent.act(both[:, 1])], axis=1).astype(float))
        np.testing.assert_allclose(rewards, earned[:, 0])
        total += rewards
    assert np.ptp(total) > 1  # points were made


def test_a_state_against_another_opponent_is_refused() -> None:
    """A resume then begins new episodes, and says that it is not exact."""
    one, other = (RobotVectorEnv("PongDuel", 2, opponent=f"zoo:RoboPong{kind}-v1") for kind in ("", "Duel"))
    for envs in (one, other):
        envs.reset(seed=0)
    before = one.capture()
    with pytest.raises(ValueError, match="opponent is another"):
        one.restore(other.capture())
    for name, values in one.capture().items():
        np.testing.assert_array_equal(values, before[name])
    one.restore(before)


def test_an_opponent_is_an_agent_of_pong_and_anything_else_is_refused(trainer_here: Run) -> None:
    for opponent, code, said in (
        ("nobody", 66, "nobody does not exist"),
        ("zoo:CartPole-v1", 2, "not trained on RoboPong-v1 or RoboPongDuel-v1"),
    ):
        words = json.dumps({"opponent": opponent})
        finished = trainer_here(1, "--env", "RoboPongDuel-v1", "--env-kwargs", words, "--num-timesteps", 1)
        assert finished.returncode == code, finished.stderr
        assert said in finished.stderr
        assert "Traceback" not in finished.stderr
