"""Trainings with forbidden actions: the best allowed one is learned, and no other is ever taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import configure, evaluate, load, train
from baselines_ppo.common.failures import DataError, LoadError
from baselines_ppo.run.cli import main
from tests.runs import COUNTING, LSTM, arrays, assert_same_bits, flags

TASKS = "tests.envs.masked_tasks"
BANDIT: dict[str, Any] = {
    "preset": "none", "num_envs": 8, "num_steps": 20, "num_minibatches": 4, "num_epochs": 6, "learning_rate": 2e-2,
    "hidden_sizes": (8,), "num_timesteps": 12 * 160,
}  # fmt: skip
SMALL_IMAGES: dict[str, Any] = {**BANDIT, "network": "cnn", "num_epochs": 4, "learning_rate": 3e-3}
IMAGES_AND_MEMORY: dict[str, Any] = {
    **BANDIT, "network": "cnn_lstm", "lstm_size": 8, "num_minibatches": 2, "num_epochs": 4, "learning_rate": 1e-2,
    "num_timesteps": 30 * 160,
}  # fmt: skip
MEMORY: dict[str, Any] = {**BANDIT, "network": "lstm", "lstm_size": 8, "num_minibatches": 2}
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("task", "alg", "settings", "best"),
    [
        ("Arms", "ppo2", BANDIT, 8.5),
        ("ArmsInDict", "trpo", {**BANDIT, "num_epochs": 4}, 8.5),
        pytest.param("TwoArms", "ppo1", {**BANDIT, "num_timesteps": 30 * 160}, 8.5, marks=SLOW),
        pytest.param("Switches", "ppo2", BANDIT, 25 / 3, marks=SLOW),
        pytest.param("Arms", "ppo2", MEMORY, 8.5, marks=SLOW),
        pytest.param("ArmsSeen", "ppo2", SMALL_IMAGES, 8.5, marks=SLOW),
        pytest.param(
            "ArmsSeenInfo",
            "ppo2",
            IMAGES_AND_MEMORY,
            8.5,
            marks=SLOW,
        ),
    ],
)
def test_the_best_allowed_action_is_learned_and_a_forbidden_one_never_taken(
    task: str, alg: str, settings: dict[str, Any], best: float, tmp_path: Path
) -> None:
    """Whoever takes one ends the training with an error. The mean of what is allowed gives 4.75, or 7.5 of switches."""
    given = {name: x for name, x in settings.items() if not (alg == "trpo" and name == "learning_rate")}
    run = train(configure(f"{TASKS}:{task}-v0", alg, **given), logdir=tmp_path / "run")
    score = evaluate(run.folder, episodes=4)
    assert score.deterministic.mean == pytest.approx(best)
    assert 4.75 < score.stochastic.mean <= best


def test_acting_takes_the_mask_of_the_info(tmp_path: Path) -> None:
    config = configure(f"{TASKS}:Arms-v0", **{**BANDIT, "num_timesteps": 160})
    agent = load(str(train(config, logdir=tmp_path / "run").folder))
    masks = 1 - np.eye(4, dtype=np.int8)
    for forbidden, mask in enumerate(masks):
        drawn = [int(agent.act([0.0], deterministic=False, mask=mask)) - 5 for _ in range(20)]
        assert forbidden not in drawn
    with pytest.raises(DataError, match="was trained with masks"):
        agent.act([0.0])
    with pytest.raises(LoadError, match="observation with action masks, here Box"):
        evaluate(agent.path, env="tests.envs.masked_tasks:Unmasked-v0")


WITH_MASKS: dict[str, tuple[object, ...]] = {
    "parts": flags(f"{TASKS}:AimedArms-v0", "ppo2", 4),
    "counting": (*flags(f"{TASKS}:ArmsInDict-v0", "ppo_kl", 4), *COUNTING, "--num-timesteps", 240),
    "lstm": (*flags(f"{TASKS}:TwoArms-v0", "ppo2", 4), *LSTM),
}


@pytest.mark.parametrize("name", ["parts", "counting", pytest.param("lstm", marks=SLOW)])
def test_a_checkpoint_goes_on_bit_for_bit(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, again = tmp_path / "whole", tmp_path / "again"
    assert main([*map(str, WITH_MASKS[name]), "--logdir", str(whole)]) == 0
    middle = whole / "checkpoints" / "ckpt-00000002"
    assert main([*map(str, WITH_MASKS[name]), "--logdir", str(again), "--resume", str(middle)]) == 0
    assert "steps: exact" in capsys.readouterr().out
    assert_same_bits(arrays(whole), arrays(again))
