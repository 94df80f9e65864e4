"""Scores: an episode comes to the same whatever is played beside it, and on any number of ranks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from baselines_ppo import configure
from baselines_ppo.common.envs.backends import SerialBackend, make_backend
from baselines_ppo.common.envs.episodes import Episodes
from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.failures import DataError
from baselines_ppo.common.files import pretrained
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.seeding import Purpose, episode_seed
from baselines_ppo.run.agents.scoring import measure, score_of
from baselines_ppo.wiring import actor_critic_of
from baselines_ppo.zoo.card import MODES, read_card
from baselines_ppo.zoo.tasks import flags as flags_of_the_zoo
from tests.conftest import Finished

Run = Callable[..., Finished]

# It remembers how earlier episodes ended; here some end well, and others not.
gymnasium.register(
    "RoboShortHarder-v1",
    entry_point="baselines_ppo.zoo.vector_env:RobotEnv",
    vector_entry_point="baselines_ppo.zoo.vector_env:RobotVectorEnv",
    max_episode_steps=30,
    kwargs={"task": "HumanoidFlagrunHarder"},
)


def untrained(env_id: str, **settings: Any) -> Agent:
    """Return an agent with random parameters, large enough to matter."""
    backend = make_backend(EnvironmentSpec(env_id), 1)
    network = actor_critic_of(configure(env_id, preset="none", **settings), backend.observation, backend.action)
    backend.close()
    parameters = network.initial_parameters(np.random.default_rng(0), 0.0)
    return Agent(Policy(network, 2 * parameters, 10.0), env_id, Path("untrained"), {})


@pytest.mark.parametrize(
    ("env_id", "settings"),
    [
        ("RoboHopper-v1", {}),
        ("RoboShortHarder-v1", {}),
        ("RoboHopper-v1", {"network": "lstm", "lstm_size": 8}),
        ("CartPole-v1", {}),
        ("InvertedPendulum-v4", {"network": "lstm", "lstm_size": 8}),  # one after the other
    ],
)
def test_episodes_come_to_the_same_whatever_is_played_beside_them(env_id: str, settings: dict[str, Any]) -> None:
    agent = untrained(env_id, **settings)
    one, seven = (measure(agent, EnvironmentSpec(env_id), 12, seed=5, rows=rows) for rows in (1, 7))
    assert one == seven
    for mode in MODES:
        assert len({episode.length for episode in one[mode]}) > 1  # so that rows begin at different times


def test_episodes_are_those_of_gymnasium(agents: Path) -> None:
    """The sum of the rewards that a user's own loop would see, for our vector form and for a single environment."""
    agent, env_id = untrained("RoboHopper-v1"), "RoboHopper-v1"
    (played, *_) = measure(agent, EnvironmentSpec(env_id), 3, seed=5)["deterministic"]
    environment = gymnasium.make(env_id)
    observation, _ = environment.reset(seed=episode_seed(5, 0, 0, Purpose.EVALUATION))
    total, length, ended = 0.0, 0, False
    while not ended:
        observation, reward, terminated, truncated, _ = environment.step(agent.act(observation))
        total, length, ended = total + float(reward), length + 1, terminated or truncated
    assert (played.episode_return, played.length) == (total, length)


def test_flags_are_counted_by_episode(monkeypatch: pytest.MonkeyPatch) -> None:
    """With flags that count as reached from anywhere, every step reaches one."""
    monkeypatch.setattr(flags_of_the_zoo, "REACHED", 1000.0)
    played = measure(untrained("RoboHumanoidFlagrun-v1"), EnvironmentSpec("RoboHumanoidFlagrun-v1"), 4, seed=0, rows=3)
    for episode in (*played["deterministic"], *played["stochastic"]):
        assert episode.facts["flags_reached"] == episode.length
    assert score_of(played["stochastic"]).flags_reached == score_of(played["stochastic"]).mean_length
    plain = measure(untrained("CartPole-v1"), EnvironmentSpec("CartPole-v1"), 1, seed=0)["stochastic"]
    assert (plain[0].facts, score_of(plain).flags_reached, score_of(plain).success_rate) == ({}, None, None)


def test_a_return_that_is_not_finite_is_reported_with_its_episode() -> None:
    class Broken(gymnasium.RewardWrapper[Any, Any]):
        def reward(self, reward: Any) -> float:
            return float("nan")

    backend = SerialBackend(lambda: Broken(make_environment(EnvironmentSpec("CartPole-v1"))), 2, "CartPole-v1")
    player = Episodes(untrained("CartPole-v1"), backend, 2, "CartPole-v1", 0)
    with pytest.raises(DataError, match=r"env CartPole-v1, evaluation episode \d, step \d+: the return is nan"):
        player.play(range(3), True)


def test_scores_are_the_same_on_any_number_of_ranks(tmp_path: Path, trainer: Run) -> None:
    agent, cards = shutil.copytree(pretrained.AGENTS / "RoboReacher-v1", tmp_path / "agent"), []
    for ranks in (1, 2):
        finished = trainer(ranks, "zoo", "score", agent, "--episodes", 3)
        assert finished.returncode == 0, finished.stderr
        cards.append(read_card(agent))
        assert cards[-1].episodes == 3
    assert cards[0] == cards[1]
