"""Problems whose best return is known are solved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import configure, load, train
from baselines_ppo.common.envs.backends import make_backend
from baselines_ppo.common.envs.episodes import Episodes
from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.experiments.columns import read_columns

SHAPE: dict[str, Any] = {"num_envs": 8, "num_steps": 32, "hidden_sizes": (32,), "num_timesteps": 30 * 256}
SETTINGS: dict[str, dict[str, Any]] = {
    "ppo1": {"num_minibatches": 4, "num_epochs": 6, "learning_rate": 5e-3},
    "ppo2": {"num_minibatches": 4, "num_epochs": 6, "learning_rate": 5e-3},
    "ppo_kl": {
        "num_episodes": None,
        "wrapper": (),
        "num_epochs": 10,
        "value_epochs": 2,
        "kl_target": 0.03,
        "learning_rate": 3e-2,
    },
    "trpo": {"num_minibatches": 2, "num_epochs": 4, "value_learning_rate": 5e-3, "kl_target": 0.05},
}
# Returns of a random policy, or more, and of one that solves the task but for a few near misses; 10 is the best.
TARGETS = {"Discrete": (2.5, 9.7), "Box": (5.0, 8.8), "MultiDiscrete": (2.92, 9.3), "MultiBinary": (5.0, 9.0)}
# Each algorithm once, and each kind of action; the others are slow.
QUICK = {("ppo1", "Box"), ("ppo2", "MultiDiscrete"), ("ppo_kl", "MultiBinary"), ("trpo", "Discrete")}

# Sixteen steps and six passes of short sequences; nothing is normalised, since what is shown is often constant.
WITH_MEMORY: dict[str, Any] = {
    "num_envs": 16,
    "num_steps": 16,
    "num_minibatches": 2,
    "num_epochs": 6,
    "lstm_size": 32,
    "normalize_observations": False,
}
MEMORY_SETTINGS: dict[str, dict[str, Any]] = {
    "ppo1": {"learning_rate": 1e-2},
    "ppo2": {"learning_rate": 1e-2, "value_clip_range": None, "entropy_coef": 0.01},
    "trpo": {"value_learning_rate": 1e-2, "kl_target": 0.03},
}
SLOW = pytest.mark.slow


def score(task: str, alg: str, folder: Path, episodes: int = 20, **settings: Any) -> float:
    """Return the mean return of the most likely actions after training on a task of tests/tasks.py."""
    config = configure(f"tests.environments:{task}-v0", alg, preset="none", **settings)
    return evaluated(train(config, logdir=folder / "run").folder, episodes)


def evaluated(folder: Path, episodes: int) -> float:
    agent = load(str(folder))
    backend = make_backend(EnvironmentSpec(agent.env_id, agent.wrappers), 1)
    outcomes = Episodes(agent, backend, 1, agent.env_id, 0).play(range(episodes), deterministic=True)
    backend.close()
    return float(np.mean([outcome.episode_return for outcome in outcomes]))


@pytest.mark.parametrize(
    ("alg", "actions"),
    [pytest.param(alg, name, marks=() if (alg, name) in QUICK else SLOW) for alg in SETTINGS for name in TARGETS],
)
def test_the_shown_target_is_chosen(alg: str, actions: str, tmp_path: Path) -> None:
    """Ten choices of what the observation shows."""
    random, solved = TARGETS[actions]
    assert score(f"Target{actions}", alg, tmp_path, **SHAPE, **SETTINGS[alg]) > solved > random


@pytest.mark.parametrize(
    "task",
    [
        "ShownByClock",
        "ShownByCodes",
        *(pytest.param(f"ShownBy{name}", marks=SLOW) for name in ("Dict", "Number", "Tuple", "Choices", "Switches")),
    ],
)
def test_what_is_shown_in_other_ways_is_chosen(task: str, tmp_path: Path) -> None:
    """Where there are two parts both are needed; the better of them alone is worth 5."""
    assert score(task, "ppo2", tmp_path, **SHAPE, **SETTINGS["ppo2"]) > 9.7


@pytest.mark.parametrize(
    ("task", "alg"),
    [
        pytest.param("ShownByPicture", "ppo2", marks=SLOW),  # the picture beside a number is looked at below
        pytest.param("ShownByFrames", "ppo2", marks=SLOW),
        *(pytest.param("ShownByFrames", alg, marks=SLOW) for alg in ("ppo1", "ppo_kl", "trpo")),
    ],
)
def test_a_bright_square_is_found_by_convolutions(task: str, alg: str, tmp_path: Path) -> None:
    """`auto` takes the cnn for images; channels may come first, as stacked frames do."""
    settings = SHAPE | SETTINGS[alg] | {"hidden_sizes": (64,), "num_timesteps": (40 if alg == "ppo_kl" else 20) * 256}
    settings |= {"learning_rate": 1e-3, "num_epochs": 4} if alg in ("ppo1", "ppo2") else {}
    settings |= {"learning_rate": 1e-2} if alg == "ppo_kl" else {}
    assert score(task, alg, tmp_path, **settings) > 9.5


@pytest.mark.parametrize("alg", ["ppo2", *(pytest.param(alg, marks=SLOW) for alg in ("ppo1", "ppo_kl", "trpo"))])
def test_a_picture_and_the_number_beside_it_are_both_looked_at(alg: str, tmp_path: Path) -> None:
    """One of them alone is worth 5."""
    settings = SHAPE | SETTINGS[alg] | {"hidden_sizes": (64,)}
    settings |= {"learning_rate": 3e-3, "num_epochs": 4} if alg in ("ppo1", "ppo2") else {}
    assert score("ShownByEye", alg, tmp_path, **settings) > 9.7


@pytest.mark.parametrize("alg", ["ppo2", pytest.param("ppo1", marks=SLOW), pytest.param("trpo", marks=SLOW)])
def test_a_cue_is_remembered_by_the_lstm_alone(alg: str, tmp_path: Path) -> None:
    """4 is the best. Without memory each cue is answered alike: right in as many episodes as have that cue.

    Of these 100 episodes 29 have the most frequent cue, so that 4 x 0.29 is the most there is.
    """
    settings = {**WITH_MEMORY, **MEMORY_SETTINGS[alg], "num_timesteps": 40 * 256}
    without = score("Memory", alg, tmp_path / "mlp", 100, network="mlp", **settings)
    assert without <= 1.16
    assert score("Memory", alg, tmp_path / "lstm", 100, network="lstm", **settings) > 3.8


@SLOW
def test_a_sequence_is_produced_by_the_lstm_alone(tmp_path: Path) -> None:
    """8 is the best, and exactly 2 what one action for all steps gives."""
    settings = {**WITH_MEMORY, **MEMORY_SETTINGS["ppo2"], "num_timesteps": 80 * 256}
    assert score("Sequence", "ppo2", tmp_path / "mlp", 1, network="mlp", **settings) == 2.0
    assert score("Sequence", "ppo2", tmp_path / "lstm", 1, network="lstm", **settings) >= 7.0


def test_the_value_of_an_unending_reward_is_learned_through_time_limits(tmp_path: Path) -> None:
    """Reward 1 for ever, cut every 20 steps, is worth 1 / (1 - 0.9) = 10; if cuts were ends, 6 at most."""
    settings: dict[str, Any] = {
        **SHAPE,
        **SETTINGS["ppo2"],
        "gamma": 0.9,
        "normalize_returns": False,
        "value_clip_range": None,
        "learning_rate": 1e-2,
        "num_timesteps": 20_000,
    }
    config = configure("tests.environments:Forever-v0", preset="none", **settings)
    agent = load(str(train(config, logdir=tmp_path / "run").folder))
    value = agent.policy.values(agent.policy.normalize(np.zeros((1, 1))), agent.policy.initial_states(1))
    assert value[0] == pytest.approx(10.0, abs=0.3)


@pytest.mark.parametrize("alg", ["ppo2", *(pytest.param(alg, marks=SLOW) for alg in ("ppo1", "ppo_kl", "trpo"))])
def test_cartpole_is_solved_within_its_preset_budget(alg: str, tmp_path: Path) -> None:
    """Solved is a mean return of 475 over 100 episodes, at some time; drawn actions are what was trained."""
    result = train(configure("CartPole-v1", alg, num_timesteps=100_000), logdir=tmp_path / "run")
    columns = read_columns(result.folder)
    whole = columns["episodes_averaged"] == 100
    assert columns["episode_return"][whole].max() > 475
    assert result.mean_return is not None
    assert result.mean_return > 400  # what was learned is kept


@SLOW
@pytest.mark.parametrize(("alg", "least"), [("ppo1", 1300), ("ppo2", 1500)])
def test_half_cheetah_learns_with_textbook_settings(alg: str, least: float, tmp_path: Path) -> None:
    config = configure("HalfCheetah-v4", alg, preset="none", num_timesteps=1_000_000)
    mean_return = train(config, logdir=tmp_path / "run").mean_return
    assert mean_return is not None
    assert mean_return > least
