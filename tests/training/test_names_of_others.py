"""Names that other trainers use, and former ones, lead to ours."""

from __future__ import annotations

import pytest

from baselines_ppo import configure
from baselines_ppo.common.failures import UsageError
from baselines_ppo.run import cli
from baselines_ppo.run.parser import dashed
from baselines_ppo.settings.config import TEXTBOOK, from_json, to_json
from baselines_ppo.settings.elsewhere import OURS
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
    in_python_alone = {"--callback"}
    assert {f"--{name}" for flags in OURS.values() for name in flags} - in_python_alone <= known
    training = {
        name for alg in TEXTBOOK for x in cli.parser("train", ["--alg", alg])._actions for name in x.option_strings
    }
    assert {f"--{name}" for name in OURS} & training <= {
        "--num-episodes",
        "--eval-episodes",
    }  # which evaluate calls otherwise


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
