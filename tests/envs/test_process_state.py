"""Environments that change the process: the training is the same to the bit, and ends as it should."""

from __future__ import annotations

import gc
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import configure, train
from baselines_ppo.common.envs.process_state import Apart, ProcessState
from baselines_ppo.common.job.signals import StopSignals
from tests.conftest import ROOT, Finished, command, run_here
from tests.meddling import Tame
from tests.runs import arrays, assert_same_bits, figures

Run = Callable[..., Finished]

SHAPE = ("--preset", "none", "--num-envs", 2, "--num-steps", 32, "--num-minibatches", 4, "--num-epochs", 2)
LINE = (*SHAPE, "--num-timesteps", 256, "--log-interval", 0, "--progress", "table")
RANKS = {"Meddling": 2, "Closing": 1}


def env(name: str) -> tuple[str, str]:
    return "--env", f"tests.meddling:{name}-v0"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Finished]]:
    """The same training of each environment in one folder; the tame one is the same on any number of ranks."""
    folder = tmp_path_factory.mktemp("meddling")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))  # which no test has set as yet
        return folder, made(folder)


def made(folder: Path) -> dict[str, Finished]:
    """Make the trainings in a folder; that of the tame environment in this process."""
    finished = {"Tame": run_here(folder, *env("Tame"), *LINE, "--logdir", "Tame")}
    for name, ranks in RANKS.items():
        line = command(ranks, "-m", "baselines_ppo.run", *map(str, (*env(name), *LINE, "--logdir", name)))
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
        finished[name] = subprocess.run(
            line, cwd=folder, env=environment, capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL
        )
    return finished


@pytest.mark.parametrize("name", RANKS)
def test_what_an_environment_changes_changes_no_bit(name: str, runs: tuple[Path, dict[str, Finished]]) -> None:
    folder, finished = runs
    assert finished[name].returncode == 0, finished[name].stderr
    assert_same_bits(arrays(folder / "Tame"), arrays(folder / name))
    assert figures(folder / "Tame") == figures(folder / name)
    assert len(figures(folder / name)) == 4
    strays = [path for path in folder.glob("meddling-*/**/*") if path.is_file()]
    assert strays == []
    modes = {path.stat().st_mode & 0o700 for path in (folder / name).rglob("*") if path.is_file()}
    assert min(modes) >= 0o600


@pytest.mark.parametrize("name", RANKS)
def test_tables_and_last_lines_are_still_shown(name: str, runs: tuple[Path, dict[str, Finished]]) -> None:
    tame, other = (runs[1][which].stdout for which in ("Tame", name))
    assert other.count("| total_steps") == tame.count("| total_steps") == 4
    assert f"run:      {name}\n" in other


def test_an_environment_that_fails_to_close_is_warned_of(runs: tuple[Path, dict[str, Finished]]) -> None:
    """One line for each rank; a thread that it leaves behind does not keep the job from ending either."""
    lines = runs[1]["Meddling"].stderr.splitlines()
    closing = sorted(line for line in lines if "closing the environments" in line)
    assert len(closing) == 2
    assert "of rank 1: RuntimeError: the simulator has gone; nothing is lost" in closing[1]
    assert [line for line in lines if "left-behind" in line]
    assert "Traceback" not in runs[1]["Meddling"].stderr


def test_a_stop_signal_still_saves(tmp_path: Path) -> None:
    """The environment takes every signal for itself."""
    endless = ("--num-timesteps", 1e9, "--save-interval", 1e6, "--logdir", "run")
    line = ("--env", "tests.stubbed:Meddling-v0", *SHAPE, *endless)
    process = subprocess.Popen(
        command(2, "-m", "baselines_ppo.run", *map(str, line)),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    rows = tmp_path / "run" / "progress.csv"
    deadline = time.monotonic() + 100
    while not rows.exists() or len(rows.read_text().splitlines()) < 3:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 75, errors
    assert arrays(tmp_path / "run")["adam/step"] >= 2  # one each iteration


def test_a_caller_gets_its_process_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wandering(Tame):
        def step(self, action: Any) -> Any:
            os.chdir("/")
            return super().step(action)

    monkeypatch.chdir(tmp_path)
    shape: dict[str, Any] = {"num_envs": 2, "num_steps": 16, "num_minibatches": 2, "num_epochs": 1}
    config = configure("Tame", preset="none", num_timesteps=64, **shape)
    random.seed(3)
    np.random.seed(3)
    expected = random.Random(3).random(), np.random.RandomState(3).random()
    result = train(config, environment=Wandering, logdir="here/run")
    assert (random.random(), np.random.random()) == expected
    assert Path.cwd() == tmp_path
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0  # what was in memory may be garbage one day
    assert result.folder == tmp_path / "here" / "run"
    assert arrays(result.folder)["adam/step"] == 4
    assert train(config, environment=Wandering, resume="here/run").folder == result.folder


def test_numpy_is_as_strict_to_each_as_each_has_chosen() -> None:
    """An environment keeps its own choice from one call to the next."""

    class Strict:
        def choose(self) -> None:
            np.seterr(all="raise")

        def overflow(self) -> Any:
            return np.float32(1e38) * np.float32(10)

    with StopSignals() as signals, np.errstate(all="ignore"):
        process = ProcessState(signals)
        environments = Apart(Strict(), process)
        assert np.isinf(environments.overflow())
        environments.choose()
        with pytest.raises(FloatingPointError):
            environments.overflow()
        assert np.isinf(np.float32(1e38) * np.float32(10))
        process.end()
