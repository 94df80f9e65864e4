"""Problems whose best return is known are solved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import configure, load, train
from baselines_ppo.run.evaluate import run_episode

QUICK: dict[str, Any] = {"num_envs": 8, "num_steps": 64, "num_minibatches": 8, "num_epochs": 10, "learning_rate": 2e-3}


@pytest.mark.parametrize("alg", ["ppo1", "ppo2"])
@pytest.mark.parametrize(("env", "random", "solved"), [("TargetDiscrete-v0", 2.5, 9.7), ("TargetBox-v0", 5.0, 9.4)])
def test_the_shown_target_is_chosen(alg: str, env: str, random: float, solved: float, tmp_path: Path) -> None:
    """Ten choices of what the observation shows; the best return is 10, a random one `random` or less."""
    config = configure(f"tests.environments:{env}", alg, preset="none", **QUICK, num_timesteps=40_000)
    result = train(config, logdir=tmp_path / "run")
    agent = load(str(result.folder))
    score = np.mean([run_episode(agent, agent.env_id, 0, episode, deterministic=True)[0] for episode in range(20)])
    assert score > solved > random


def test_the_value_of_an_unending_reward_is_learned_through_time_limits(tmp_path: Path) -> None:
    """Reward 1 for ever, cut every 20 steps, is worth 1 / (1 - 0.9) = 10; if cuts were ends, 6 at most."""
    settings: dict[str, Any] = {
        **QUICK,
        "gamma": 0.9,
        "normalize_returns": False,
        "value_clip_range": None,
        "learning_rate": 1e-2,
    }
    config = configure("tests.environments:Forever-v0", preset="none", **settings, num_timesteps=40_000)
    agent = load(str(train(config, logdir=tmp_path / "run").folder))
    value = agent.policy.values(agent.policy.observations.normalize(np.zeros((1, 1))))
    assert value[0] == pytest.approx(10.0, abs=0.3)


@pytest.mark.parametrize("alg", ["ppo2", pytest.param("ppo1", marks=pytest.mark.slow)])
def test_cartpole_is_solved_within_its_preset_budget(alg: str, tmp_path: Path) -> None:
    """500 is the most that CartPole-v1 gives."""
    result = train(configure("CartPole-v1", alg, num_timesteps=100_000), logdir=tmp_path / "run")
    agent = load(str(result.folder))
    assert np.mean([run_episode(agent, agent.env_id, 0, episode, deterministic=True)[0] for episode in range(10)]) > 475


@pytest.mark.slow
@pytest.mark.parametrize(("alg", "least"), [("ppo1", 1300), ("ppo2", 1500)])
def test_half_cheetah_learns_with_textbook_settings(alg: str, least: float, tmp_path: Path) -> None:
    config = configure("HalfCheetah-v4", alg, preset="none", num_timesteps=1_000_000)
    mean_return = train(config, logdir=tmp_path / "run").mean_return
    assert mean_return is not None
    assert mean_return > least
