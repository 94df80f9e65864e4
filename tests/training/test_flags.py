"""Flags: their types, their help, and what is said where one is wrong."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from baselines_ppo import __version__
from baselines_ppo.common.failures import UsageError
from baselines_ppo.run import cli
from baselines_ppo.run.parser import dashed
from baselines_ppo.settings.config import TEXTBOOK
from tests.conftest import Finished


def parsed(*arguments: str, alg: str = "ppo2") -> dict[str, Any]:
    return vars(cli.parser("train", ["--alg", alg]).parse_args(list(arguments)))


def test_flags_have_the_types_of_their_fields() -> None:
    options = parsed(
        "--num-timesteps=2.5e6", "--hidden-sizes", "256,128", "--kl-stop", "none", "--shared-trunk", "true"
    )
    assert options["num_timesteps"] == 2_500_000
    assert options["hidden_sizes"] == (256, 128)
    assert options["kl_stop"] is None
    assert options["shared_trunk"] is True


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (["--shared-trunk"], True),
        (["--shared-trunk", "--num-envs", "4"], True),
        (["--shared-trunk", "no"], False),
        (["--shared_trunk=off"], False),
        (["--shared-trunk", "none"], None),
    ],
)
def test_what_is_true_or_false_needs_no_value(arguments: list[str], value: bool | None) -> None:
    assert parsed(*map(dashed, arguments))["shared_trunk"] is value


def test_a_value_that_is_neither_true_nor_false_is_refused() -> None:
    with pytest.raises(UsageError, match="argument --normalize-returns: invalid bool value: 'maybe'"):
        parsed("--normalize-returns", "maybe")


def test_every_field_of_every_algorithm_is_a_flag_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    for alg, config in TEXTBOOK.items():
        assert cli.main(["--alg", alg, "--help"]) == 0
        shown = capsys.readouterr().out
        for section in (config, *config.sections().values()):
            for name in (item.name for item in fields(section)):
                if name not in config.sections():
                    assert "--" + name.replace("_", "-") in shown


def test_a_bad_flag_under_mpirun_is_reported_once(trainer: Callable[..., Finished]) -> None:
    finished = trainer(3, "--env", "CartPole-v1", "--no-such-flag", "1")
    assert finished.returncode == 2
    (line,) = finished.stderr.splitlines()
    assert line == "error: unknown flag --no-such-flag; see python -m baselines_ppo.run --help"


def test_a_word_too_many_is_no_flag() -> None:
    with pytest.raises(UsageError, match="unexpected word y;"):
        cli.main(["evaluate", "x", "y"])


def test_help_under_mpirun_is_printed_once(trainer: Callable[..., Finished]) -> None:
    finished = trainer(2, "--help")
    assert finished.returncode == 0
    assert finished.stdout.count("usage:") == 1


def test_an_unwritable_folder_is_refused_at_once(trainer: Callable[..., Finished], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    finished = trainer(2, "--env", "CartPole-v1", "--logdir", "file/run")
    assert finished.returncode == 74
    assert finished.stderr.splitlines() == [f"error: run folder {tmp_path}/file/run cannot be written: Not a directory"]


def test_the_help_of_an_environment_gives_its_own_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    for line, lambda_of in (
        (["--env", "LunarLander-v3"], "default: 0.98"),
        (["--env", "X", "--preset=LunarLander-v3"], "default: 0.98"),
        (["--env", "CartPole-v1", "--alg", "ppo1"], "default: 0.9"),
        (["--alg", "trpo"], "textbook: 0.97"),
    ):
        assert cli.main([*line, "--help"]) == 0
        (text,) = [line for line in capsys.readouterr().out.split("--") if line.startswith("gae-lambda")]
        assert f"({lambda_of})" in " ".join(text.split())


def test_a_launch_without_its_dashes_says_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError) as raised:
        cli.main(["launch", "-n", "4", "--env", "CartPole-v1", "--seed", "3"])
    advised = str(raised.value).split("baselines_ppo.run launch ")[1]
    assert advised == "-n 4 --restarts 5 -- --env CartPole-v1 --seed 3"
    words = shlex.split(advised)
    options = vars(cli.parser("launch", words).parse_args(words))
    assert options["ranks"] == 4
    assert parsed(*options["arguments"])["seed"] == 3


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"baselines_ppo {__version__}\n"
