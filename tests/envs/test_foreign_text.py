"""What strangers' code and files say is shown in one line that no terminal obeys; so are names that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo.common.ending import _report
from baselines_ppo.common.envs.backends import SerialBackend
from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.envs.vec_env import VecEnv
from baselines_ppo.common.failures import Failure, UsageError, printable, short
from baselines_ppo.common.files.agent import load_agent
from baselines_ppo.run.cli import main
from tests.odd_environments import Odd
from tests.untrained import untrained

WILD = "red \x1b[31m\r\nnow\x07 \u202eback \udcff ü"
TAME = "red \\x1b[31m now\\x07 \\u202eback \\udcff ü"


class Speechless(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise ValueError("no text")


class Cursing(Odd):
    """Says what no terminal should obey."""

    def draw(self, action: int) -> float:
        raise RuntimeError(WILD)


def test_foreign_text_is_one_line_without_what_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    assert printable(WILD) == short(RuntimeError(WILD)) == TAME
    assert printable(Speechless()) == "(its text raises ValueError)"
    _report(f"error: {WILD}\n")  # whatever anybody forgot
    assert capsys.readouterr().err == "error: red \\x1b[31m\\r\nnow\\x07 \\u202eback \\udcff ü\n"


def test_what_an_environment_raises_is_said_in_one_line_and_printable_below() -> None:
    envs = VecEnv(SerialBackend(Cursing, 1, "X"), range(1), seed=0, env_id="X", rank=0)
    envs.reset()
    with pytest.raises(Failure) as raised:
        envs.step(np.zeros(1, np.int64))
    first, *below = str(raised.value).split("\n")
    assert first.endswith(f"step raised RuntimeError: {TAME}")
    assert below[0] == "Traceback (most recent call last):"
    assert all(line.isprintable() for line in below)

    class Unmade(Odd):
        def __init__(self) -> None:
            raise Speechless

    with pytest.raises(UsageError) as refused:
        SerialBackend(Unmade, 1, "X")
    assert "raised Speechless: (its text raises ValueError)\n" in str(refused.value)


NO_IDS = ("", ":", "a:", ":b", " ", "CartPole-v1 ", "Cart Pole-v1", "a\nb", "\x1b[31mX-v0", "..:CartPole-v1", "a/:X-v0")


@pytest.mark.parametrize("env_id", NO_IDS)
def test_what_cannot_be_an_id_is_refused_in_one_line(env_id: str) -> None:
    with pytest.raises(UsageError, match=r"--env is .*, expected a name such as") as raised:
        make_environment(EnvironmentSpec(env_id))
    assert str(raised.value).isprintable()


NO_WRAPPERS = (".:x", "..a:x", "a:", ":b", "a", "os:no such", ",", ",,", "gymnasium.wrappers:ClipReward,,os:x")


@pytest.mark.parametrize("wrapper", NO_WRAPPERS)
@pytest.mark.parametrize("command", ["train", "play", "zoo"])
def test_what_cannot_be_a_wrapper_is_refused_in_one_line(command: str, wrapper: str, tmp_path: Path) -> None:
    line = {
        "train": ["train", "--env", "CartPole-v1", "--logdir", str(tmp_path / "run")],
        "play": ["play", "zoo:CartPole-v1", "--headless"],
        "zoo": ["zoo", "verify", "CartPole-v1"],
    }
    with pytest.raises(UsageError) as raised:
        main([*line[command], "--wrapper", wrapper])
    assert str(raised.value).isprintable()
    assert not (tmp_path / "run").exists()


def test_a_module_that_cannot_be_imported_is_said_with_its_traceback_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_written.py").write_text("def wrapper(env)\n")
    monkeypatch.syspath_prepend(tmp_path)
    doors: list[Any] = [
        lambda: make_environment(EnvironmentSpec("CartPole-v1", ("half_written:Wrapper",))),
        lambda: main(["play", "zoo:CartPole-v1", "--headless", "--network", "half_written:network"]),
    ]
    for door in doors:
        with pytest.raises(UsageError, match="importing half_written raised SyntaxError: ") as raised:
            door()
        assert "Traceback" not in str(raised.value).split("\n")[0]


def test_no_wrapper_is_none_for_the_zoo_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zoo", "verify", "CartPole-v1", "--episodes", "2", "--wrapper", "none"]) == 0
    wrapped = untrained(tmp_path, "CartPole-v1", ("gymnasium.wrappers:TimeAwareObservation",))
    assert load_agent(wrapped).wrappers
    with pytest.raises(UsageError, match=r"--wrapper is none, but the agent was trained with gymnasium.wrappers:Time"):
        main(["zoo", "verify", str(wrapped), "--wrapper", "none"])
