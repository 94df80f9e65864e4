"""An algorithm of one's own: an actor-critic in sixty lines, registered, trained on two ranks, resumed exactly."""

from __future__ import annotations

import csv
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from baselines_ppo import configure, register_algorithm
from baselines_ppo.algorithm import LEARNERS
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.files import checkpoint
from baselines_ppo.experiments.jobs import Job
from baselines_ppo.settings.config import TEXTBOOK, TrainConfig, imported_algorithm
from baselines_ppo.settings.fields import REGISTERED_BY
from tests.conftest import ROOT, command
from tests.runs import arrays, assert_same_bits


@pytest.fixture
def registered() -> Iterator[None]:
    """Register it here, and forget it again: other tests go through all that there are."""
    sys.modules.pop("tests.own_actor_critic", None)
    own_actor_critic = importlib.import_module("tests.own_actor_critic")
    assert own_actor_critic.A2C is LEARNERS["a2c"]
    yield
    for known in (TEXTBOOK, LEARNERS, REGISTERED_BY):
        known.pop("a2c", None)


def trained(*lines: tuple[Any, ...]) -> str:
    """Run one command after the other on two ranks, which load TensorFlow once; returns what they printed."""
    own = ("--alg", "tests.own_actor_critic:a2c", "--env", "CartPole-v1", "--gamma", 0.98, "--num-timesteps", 12_288)
    words = [word for line in lines for word in ("+", *own, *line)][1:]
    job = command(2, str(ROOT / "tests" / "series.py"), *map(str, words))
    finished = subprocess.run(
        job, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_it_learns_on_two_ranks_and_goes_on_exactly(tmp_path: Path) -> None:
    whole, rest = tmp_path / "whole", tmp_path / "rest"
    middle = whole / "checkpoints" / "ckpt-00000094"  # two iterations before the end
    shown = trained(("--save-interval", 0, "--logdir", whole), ("--resume", middle, "--logdir", rest))
    assert "a2c on CartPole-v1: 2 ranks" in shown
    with (whole / "progress.csv").open() as file:
        returns = [float(row["episode_return"] or 0.0) for row in csv.DictReader(file)]
    assert returns[-1] > 50  # chance gives 22
    assert "resumed ckpt-00000094 at 12,032 steps: exact" in shown
    assert_same_bits(arrays(whole), arrays(rest))


def test_other_processes_are_told_where_it_is(registered: None, tmp_path: Path) -> None:
    """`launch`, sweeps and searches start processes that have not imported it."""
    sizes = ("--num-envs", "2", "--num-steps", "16", "--num-timesteps", "32")
    own = ("--alg", "tests.own_actor_critic:a2c", "--env", "CartPole-v1", *sizes, "--logdir", str(tmp_path / "run"))
    line = [sys.executable, "-m", "baselines_ppo.run", "launch", "-n", "1", "--", *own]
    finished = subprocess.run(
        line, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    assert checkpoint.find(tmp_path / "run")[0].manifest["config"]["alg"] == "a2c"
    imported_algorithm("tests.own_actor_critic:a2c")
    assert "--alg=tests.own_actor_critic:a2c" in Job(tmp_path / "job", {"alg": "a2c"}).command()
    for module in ("", ".", ".own_actor_critic"):
        with pytest.raises(UsageError, match="expected NAME or MODULE:NAME"):
            imported_algorithm(f"{module}:ppo2")


def test_its_fields_are_fields_like_any_other(registered: None) -> None:
    config = configure("CartPole-v1", "a2c", entropy_coef=0.5)
    assert (config.alg, config.sections()["algorithm"].entropy_coef, config.rollout.num_steps) == ("a2c", 0.5, 16)
    with pytest.raises(UsageError, match=r"--learning-rate is -1\.0, expected above 0"):
        configure("CartPole-v1", "a2c", learning_rate=-1.0)


def test_names_of_ours_are_taken_and_ones_own_are_replaced(registered: None) -> None:
    with pytest.raises(UsageError, match="ppo2 is built in; give yours another name"):
        register_algorithm("ppo2", TrainConfig(), "another:Learner")
    register_algorithm("a2c", TrainConfig(num_timesteps=7), "another:Learner")  # as a notebook's cell that is run again
    assert configure("CartPole-v1", "a2c").num_timesteps == 7
