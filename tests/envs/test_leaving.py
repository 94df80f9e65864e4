"""Environments that leave or fork: no job looks finished that is not, and none that is finished is spoilt."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import configure, train
from baselines_ppo.common.envs.backends import SerialBackend
from baselines_ppo.common.envs.foreign import begin_training, end_training
from baselines_ppo.common.envs.interface import checked_step
from baselines_ppo.common.envs.trial import try_out
from baselines_ppo.common.envs.vec_env import VecEnv
from baselines_ppo.common.failures import DataError, Failure, UsageError
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.job.signals import StopAtOnce, StopSignals
from tests.conftest import Finished
from tests.leaving import WAYS, Leaving

Run = Callable[..., Finished]

SMALL = ("--preset", "none", "--num-envs", 2, "--num-steps", 16, "--num-minibatches", 2, "--num-epochs", 1)
LINE = (*SMALL, "--num-timesteps", 320, "--logdir", "run")


def played(where: str, how: str) -> None:
    """Play an episode of an environment that leaves, as a training does."""
    begin_training()
    try:
        with StopSignals():
            envs = VecEnv(SerialBackend(lambda: Leaving(where, how), 1, "Leaving-v0"), range(1), 0, "Leaving-v0", 0)
            envs.reset()
            for _ in range(6):
                envs.step(np.zeros(1, np.int64))
    finally:
        end_training()


@pytest.mark.parametrize("how", WAYS)
def test_whatever_an_environment_leaves_by_is_an_error_of_it(how: str) -> None:
    for where, kind in (("init", UsageError), ("reset", DataError), ("step", DataError)):
        with pytest.raises(kind) as raised:
            played(where, how)
        first = str(raised.value).splitlines()[0]
        assert "Leaving-v0, rank 0" in first
        name = {
            "exit": "SystemExit: 0",
            "text": "SystemExit: so long",
            "own": "BaseException",
            "os-exit": "os._exit(0)",
        }
        assert name.get(how, "raised ") in first


@pytest.mark.parametrize("how", WAYS)
def test_a_trial_survives_whatever_an_environment_leaves_by(how: str) -> None:
    begin_training()
    try:
        with StopSignals():
            assert try_out(lambda: Leaving("close", how), "Leaving-v0").told == ()
            for where in ("reset", "step"):
                (line,) = try_out(lambda where=where: Leaving(where, how), "Leaving-v0").told  # type: ignore[misc]
                assert "could not be tried out" in line
            with pytest.raises(UsageError, match="Leaving-v0"):
                try_out(lambda: Leaving("init", how), "Leaving-v0")
    finally:
        end_training()


def test_a_persons_ctrl_c_stops_what_an_environment_does(monkeypatch: pytest.MonkeyPatch) -> None:
    for error, entered in ((StopAtOnce(), True), (KeyboardInterrupt(), False)):

        def stop(self: Leaving, error: BaseException = error) -> None:
            raise error

        monkeypatch.setattr(Leaving, "act", stop)
        backend = SerialBackend(Leaving, 1, "Leaving-v0")
        backend.reset([0], [0])
        with pytest.raises(KeyboardInterrupt):
            if entered:
                with StopSignals():
                    backend.step(np.zeros(1, np.int64), [0])
            else:
                backend.step(np.zeros(1, np.int64), [0])


class OddInteger(int):
    """A number that is none."""

    def __float__(self) -> float:
        raise RuntimeError("device gone")


@pytest.mark.parametrize("reward", [10**400, -(10**400), OddInteger(1)])
def test_rewards_that_are_no_floats_are_said(reward: Any) -> None:
    with pytest.raises(ValueError, match="the reward is no number that float64 holds"):
        checked_step((np.zeros(2), reward, False, False, {}))


def test_what_cannot_be_shown_is_named_by_its_type() -> None:
    class Mute:
        def __repr__(self) -> str:
            raise RuntimeError("no words")

    with pytest.raises(ValueError, match="the reward is a Mute, expected a number"):
        checked_step((np.zeros(2), Mute(), False, False, {}))


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_job_that_is_left_in_the_middle_does_not_look_finished(ranks: int, faulty: Run) -> None:
    way = json.dumps({"where": "step", "how": "os-exit"})
    finished = faulty(ranks, "stub+none", "--env", "tests.leaving:Leaving-v0", "--env-kwargs", way, *LINE)
    assert finished.returncode == 65, finished.stderr
    assert "tests.leaving:Leaving-v0, rank 0" in finished.stderr.splitlines()[0]


def test_the_supervisor_sees_that_ranks_left_which_nothing_in_them_could_tell(mpi: Run, tmp_path: Path) -> None:
    """Left from C: a start makes a hundred steps, and a checkpoint after every 32."""
    line = ("--env", "tests.stubbed:Vanishing-v0", *LINE, "--save-interval", 0)
    finished = mpi(1, "-m", "baselines_ppo.run", "launch", "--restarts", 1, "--", *line)
    assert finished.returncode == 1, finished.stderr
    assert finished.stderr.count("a rank left before all steps were made") == 2
    assert "; no restarts left" in finished.stderr
    assert 0 < checkpoint.find(tmp_path / "run")[0].manifest["total_steps"] < 320


def test_a_training_of_several_ranks_from_python_sees_it_too(tmp_path: Path) -> None:
    name = "tests.stubbed:Vanishing-v0"
    config = configure(name, preset="none", num_envs=2, num_steps=16, num_minibatches=2, num_timesteps=320)
    with pytest.raises(Failure, match="a rank left before all steps were made"):
        train(config, ranks=2, logdir=tmp_path / "run")


@pytest.mark.parametrize("ranks", [1, 2])
def test_processes_that_an_environment_forks_end_as_it_wants_them_to(
    ranks: int, faulty: Run, mpi: Run, tmp_path: Path
) -> None:
    """By an exit code, an error, nothing at all, and a signal, which is not one to the training."""
    finished = faulty(ranks, "stub+none", "--env", "tests.leaving:Forking-v0", *LINE, "--num-timesteps", 96)
    assert finished.returncode == 0, finished.stderr
    assert checkpoint.find(tmp_path / "run")[0].manifest["total_steps"] == 96
    assert finished.stdout.count("done: ") == 1


@pytest.mark.parametrize("ranks", [1, 2])
def test_signals_after_the_last_save_change_nothing(ranks: int, faulty: Run, tmp_path: Path) -> None:
    finished = faulty(ranks, "stub+none", "--env", "tests.leaving:Noisy-v0", *LINE)
    assert finished.returncode == 0, (finished.returncode, finished.stderr)
    assert "done: 320 steps" in finished.stdout
    assert checkpoint.find(tmp_path / "run")[0].manifest["total_steps"] == 320


def test_a_close_that_raises_whatever_is_warned_of(faulty: Run) -> None:
    way = json.dumps({"where": "close", "how": "interrupt"})
    finished = faulty(1, "stub+none", "--env", "tests.leaving:Leaving-v0", "--env-kwargs", way, *LINE)
    assert finished.returncode == 0, finished.stderr
    (line,) = finished.stderr.splitlines()
    assert "tests.leaving:Leaving-v0" in line
    assert "KeyboardInterrupt" in line


def test_a_trial_that_cannot_be_closed_is_waited_for_one_timeout(faulty: Run) -> None:
    finished = faulty(1, "stub+none", "--env", "tests.leaving:Clinging-v0", *LINE, "--timeout", 4)
    assert finished.returncode == 70, finished.stderr
    line = next(line for line in finished.stderr.splitlines() if line.startswith("error: "))
    assert "tests.leaving:Clinging-v0" in line
    assert int(line.split("no sign of life for ")[1].split()[0]) < 12  # three timeouts
    assert "no checkpoint was written yet" in line


def test_what_is_said_of_checkpoints_is_true(faulty: Run, tmp_path: Path) -> None:
    """Nothing was saved when the ranks began; after two iterations there is something."""
    none = faulty(2, "stub+raise-start", "--env", "Pendulum-v1", *LINE)
    assert "no checkpoint was written yet" in none.stderr
    assert "--resume" not in none.stderr
    some = faulty(2, "stub+raise-collect", "--env", "Pendulum-v1", *LINE, "--save-interval", 0)
    assert "go on from the last checkpoint with --resume" in some.stderr
    assert checkpoint.find(tmp_path / "run")[0].manifest["iteration"] == 2


def test_a_training_gives_back_what_it_keeps_from_environments(tmp_path: Path) -> None:
    """Whoever trains in a process of their own may leave it afterwards."""
    before = os._exit
    begin_training()
    begin_training()
    end_training()
    assert os._exit is not before
    end_training()
    assert os._exit is before
