"""What a user reads of a run's speed and of its end: true of training, global, in words where there is no number."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from baselines_ppo import configure, train
from baselines_ppo.common.files.run_folder import RunFolder
from baselines_ppo.common.screen import lines
from baselines_ppo.common.trackers.choice import Trackers
from baselines_ppo.monitoring import logger
from baselines_ppo.monitoring.logger import Logger
from baselines_ppo.run.cli import main
from tests.runs import flags


def cells(text: str) -> dict[str, str]:
    return {name: value.strip() for name, value in re.findall(r"^\| (\w+) +\| +(.*?) +\|$", text, re.MULTILINE)}


def test_speed_and_time_left_are_those_of_training_and_not_of_compiling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An iteration of 500 steps takes 1 s, the first one 60 s more; the clock is set by hand."""
    clock = [1000.0]
    for module in (logger, lines):
        monkeypatch.setattr(module, "monotonic", lambda: clock[0])
    (tmp_path / "run").mkdir()
    for interval in (0.5, 90.0):  # the first table after the first iteration; long after it
        own = Logger(RunFolder(tmp_path / "run"), 100_000, lines.Lines(interval, whole=True), Trackers({}))
        shown = []
        for iteration in range(1, 101):
            clock[0] += 1.0 if iteration > 1 else 61.0
            own.write({"iteration": iteration, "total_steps": 500 * iteration}, last=False)
            if text := capsys.readouterr().out:
                shown.append((500 * iteration, cells(text)))
        own.close()
        for steps, table in shown:
            if steps == 500:
                assert table["steps_per_second"] == table["time_left"] == "compiling"
            else:
                left = (100_000 - steps) // 500
                assert table["steps_per_second"] == "500"
                assert table["time_left"] == f"0:{left // 60:02d}:{left % 60:02d}"
        assert len(shown) == (100 if interval < 1 else 1)


def test_a_line_has_the_success_rate_and_the_last_evaluation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An evaluation stays in the lines of the iterations that are not evaluated."""
    own = Logger(RunFolder(tmp_path), 400, lines.Lines(0.0), Trackers({}))
    for iteration, evaluated in enumerate((None, 0.75, None), start=1):
        row = {"iteration": iteration, "total_steps": 100 * iteration, "success_rate": 0.5, "eval_return": evaluated}
        own.write(row, last=False)
    own.close()
    said = [re.findall(r"(success|evaluation) +(\S+)", line) for line in capsys.readouterr().out.splitlines()]
    assert said == [[("success", "0.5"), ("evaluation", known)] for known in ("-", "0.75", "0.75")]


@pytest.mark.usefixtures("stub")
def test_a_run_in_which_no_episode_ended_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*map(str, flags("Pendulum-v1", "ppo2", 1, num_envs=2)), "--logdir", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert "\ndone: 64 steps, no episode ended, so there is no return yet\n" in out


@pytest.mark.usefixtures("stub")
def test_the_end_says_how_many_episodes_the_mean_is_over_and_which_steps_were_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """2 environments of episodes of 4 steps make 16 of them in an iteration of 64 steps."""
    line = [
        *map(str, flags("tests.envs.test_keywords:Paying-v0", "ppo2", 1, num_envs=2)),
        "--logdir",
        str(tmp_path / "run"),
    ]
    assert main([*line, "--num-timesteps", "65"]) == 0
    (end,) = re.findall(r"^done: .*$", capsys.readouterr().out, re.MULTILINE)
    assert end == "done: 128 steps (whole iterations; 65 were asked for), mean return of the last 32 episodes 4.00"


@pytest.mark.usefixtures("stub")
def test_a_result_says_over_how_many_episodes_its_mean_is(tmp_path: Path) -> None:
    shape: dict[str, Any] = {"num_envs": 2, "num_steps": 300, "num_minibatches": 3, "num_epochs": 1}
    config = configure("tests.envs.test_keywords:Paying-v0", preset="none", num_timesteps=600, **shape)
    result = train(config, logdir=tmp_path / "run")
    assert (result.mean_return, result.episodes, result.total_steps) == (4.0, 100, 600)
