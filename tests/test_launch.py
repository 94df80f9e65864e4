"""The supervisor: starts again what deserves it, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from baselines_ppo.common import checkpoint, shared_memory
from baselines_ppo.run.cli import main
from tests.conftest import ROOT, Finished
from tests.runs import arrays, assert_same_bits

Run = Callable[..., Finished]

SMALL = ("--preset", "none", "--num-envs", 2, "--num-steps", 16, "--num-minibatches", 2, "--num-epochs", 1)
LINE = (*SMALL, "--num-timesteps", 160, "--save-interval", 0)


@pytest.fixture
def launcher(mpi: Run) -> Run:
    """Run `launch` with its flags and, behind --, those of the training."""
    return lambda *arguments: mpi(1, "-m", "baselines_ppo.run", "launch", *arguments)


def test_a_run_whose_ranks_die_goes_on_to_the_end(launcher: Run, tmp_path: Path) -> None:
    """Two deaths; the third attempt is left alone, and ends as a training does that nobody disturbed."""
    finished = launcher("-n", 1, "--", "--env", "tests.environments:Deadly-v0", *LINE, "--logdir", "run")
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr.count("restart ") == 2
    assert "launch: a rank was killed (exit code 9)" in finished.stderr
    lineage = checkpoint.find(tmp_path / "run")[0].manifest["lineage"]
    assert len(lineage) > 1
    assert all(part["exact"] for part in lineage)
    whole = ("--env", "tests.environments:Deadly-v0", *LINE, "--logdir", tmp_path / "whole")
    os.chdir(tmp_path)  # where the deaths are counted: there are no more
    assert main(list(map(str, whole))) == 0
    assert_same_bits(arrays(tmp_path / "whole"), arrays(tmp_path / "run"))


def test_a_run_that_gets_nowhere_is_given_up(launcher: Run) -> None:
    line = ("--env", "tests.environments:Deadliest-v0", *SMALL, "--num-timesteps", 640, "--num-steps", 64)
    finished = launcher("-n", 1, "--restarts", 9, "--", *line, "--logdir", "run")
    assert finished.returncode == 9
    assert finished.stderr.count("; restart ") == 2
    assert "2 restarts made no new checkpoint, giving up" in finished.stderr


@pytest.mark.parametrize(
    ("flags", "exit_code"),
    [(("--env", "tests.environments:Broken-nan-v0"), 65), (("--env", "CartPole-v1", "--resume", "nowhere"), 66)],
)
def test_what_would_fail_again_is_not_started_again(flags: tuple[str, ...], exit_code: int, launcher: Run) -> None:
    finished = launcher("-n", 1, "--", *flags, *LINE)
    assert finished.returncode == exit_code, finished.stderr
    assert "restart" not in finished.stderr


def test_a_wrong_flag_starts_nothing(launcher: Run, tmp_path: Path) -> None:
    finished = launcher("-n", 2, "--", "--env", "CartPole-v1", "--gama", 0.9)
    assert finished.returncode == 2
    (line,) = finished.stderr.splitlines()
    assert line.startswith("error: unknown flag --gama (did you mean --gamma")
    assert not list(tmp_path.iterdir())


def test_stop_signals_are_passed_on_and_end_it(tmp_path: Path) -> None:
    line = ("launch", "-n", 1, "--", "--env", "Pendulum-v1", *SMALL, "--num-timesteps", 1e9, "--save-interval", 0)
    command = [sys.executable, "-m", "baselines_ppo.run", *map(str, line), "--logdir", "run"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True
    )
    while not list((tmp_path / "run" / "checkpoints").glob(checkpoint.NAMES)):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 75
    assert "restart" not in errors


def test_litter_in_shared_memory_is_removed_and_what_is_in_use_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_memory, "SHARED", tmp_path)
    names = ("mpich_shm_left_0", "ucx_shm_posix_used", "mpich_shm_young", "somebody_elses")
    for name in names:
        (tmp_path / name).write_bytes(b"x")
        if name != "mpich_shm_young":
            os.utime(tmp_path / name, (0, 0))
    with (tmp_path / "ucx_shm_posix_used").open("rb"):
        assert [path.name for path in shared_memory.litter()] == ["mpich_shm_left_0"]
        assert shared_memory.remove_litter() == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])
