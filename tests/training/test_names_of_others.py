"""Names that other trainers use, and former ones, lead to ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from baselines_ppo import configure, train
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.files import checkpoint
from baselines_ppo.run import cli
from baselines_ppo.run.parser import dashed
from baselines_ppo.settings.config import TEXTBOOK, from_json, to_json
from baselines_ppo.settings.elsewhere import OF_TRAIN, OURS
from tests.training.test_flags import parsed

RENAMED = [
    ("ppo2", "--lr", "--learning-rate"),
    ("trpo", "--lr", "--value-learning-rate"),
    ("ppo2", "--n-envs", "--num-envs"),
    ("ppo2", "--total-timesteps", "--num-timesteps"),
    ("ppo2", "--n_epochs", "--num-epochs"),
    ("ppo2", "--ent-coef", "--entropy-coef"),
    ("trpo", "--max-kl", "--kl-target"),
    ("ppo_kl", "--batch-size", "--value-minibatch-size"),
    ("ppo1", "--algo", "--alg"),
    ("ppo1", "--log-folder", "--logdir"),
]


@pytest.mark.parametrize(("alg", "theirs", "ours"), RENAMED)
def test_the_flags_of_other_trainers_lead_to_ours(alg: str, theirs: str, ours: str) -> None:
    with pytest.raises(UsageError, match=f"unknown flag {dashed(theirs)}; ours is {ours};"):
        cli.main(["--env", "X", "--alg", alg, theirs, "3"])


def test_every_flag_that_others_call_otherwise_is_one_of_ours() -> None:
    """And none of theirs is a flag of ours, which would be taken before it is looked up."""
    commands = ("train", "evaluate", "record", "bench", "launch")
    parsers = [cli.parser(command, ["--alg", alg, "--help"]) for command in commands for alg in TEXTBOOK]
    known = {name for parser in parsers for action in parser._actions for name in action.option_strings}
    known |= {f"--{name}" for name in OF_TRAIN}  # some of which are of Python alone
    assert {f"--{name}" for flags in OURS.values() for name in flags} <= known
    training = {
        name for alg in TEXTBOOK for x in cli.parser("train", ["--alg", alg])._actions for name in x.option_strings
    }
    of_evaluate = {"--num-episodes", "--eval-episodes"}  # which it calls otherwise
    assert {f"--{name}" for name in OURS} & training <= of_evaluate


def test_a_former_name_is_taken_with_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    now = configure("X", kl_stop=0.5)
    assert capsys.readouterr().err == ""
    assert configure("X", target_kl=0.5) == now
    assert capsys.readouterr().err == "warning: target_kl is called kl_stop now\n"
    assert parsed("--target-kl", "0.5")["kl_stop"] == 0.5
    words = ["--target-kl=0.5"]
    assert vars(cli.parser("train", words).parse_args(words))["kl_stop"] == 0.5
    assert "--target-kl is called --kl-stop now" in capsys.readouterr().err
    stored = to_json(now)
    stored["algorithm"]["target_kl"] = stored["algorithm"].pop("kl_stop")
    assert from_json(stored) == now
    assert capsys.readouterr().err == ""  # who wrote it could not know


@pytest.mark.usefixtures("stub")
def test_a_former_name_overrides_what_a_callback_has_changed(tmp_path: Path) -> None:
    shape: dict[str, Any] = {
        "num_envs": 2,
        "num_steps": 16,
        "num_minibatches": 2,
        "num_epochs": 1,
        "hidden_sizes": (4,),
    }
    config = configure("CartPole-v1", preset="none", num_timesteps=64, **shape)
    run = train(config, logdir=tmp_path / "run", callback=lambda progress: progress.change(kl_stop=0.1)).folder
    further = configure("CartPole-v1", preset="none", num_timesteps=96, **shape)
    train(further, logdir=tmp_path / "again", resume=checkpoint.find(run)[0].path, override=("target_kl",))
    assert checkpoint.find(tmp_path / "again")[0].manifest["config"]["algorithm"]["kl_stop"] is None
