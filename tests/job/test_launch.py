"""The supervisor: starts again what deserves it, and nothing else."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pytest

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.job import shared_memory
from baselines_ppo.run.cli import parser
from baselines_ppo.run.supervisor import FINAL, LaunchPlan, _plan, launch
from tests.conftest import ROOT, Finished
from tests.job.test_alive import until
from tests.runs import arrays, assert_same_bits

Run = Callable[..., Finished]

SMALL = ("--preset", "none", "--num-envs", 2, "--num-steps", 16, "--num-minibatches", 2, "--num-epochs", 1)
LINE = (*SMALL, "--num-timesteps", 160, "--save-interval", 0)


@pytest.fixture
def launcher(mpi: Run) -> Run:
    """Run `launch` with its flags and, behind --, those of the training."""
    return lambda *arguments: mpi(1, "-m", "baselines_ppo.run", "launch", *arguments)


def test_a_run_whose_ranks_die_goes_on_to_the_end(launcher: Run, trainer: Run, tmp_path: Path) -> None:
    """Two deaths; the third attempt is left alone, and ends as a training does that nobody disturbed."""
    finished = launcher("-n", 1, "--", "--env", "tests.stubbed:Deadly-v0", *LINE, "--logdir", "run")
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr.count("restart ") == 2
    assert "launch: a rank was killed (exit code 9)" in finished.stderr
    lineage = checkpoint.find(tmp_path / "run")[0].manifest["lineage"]
    assert len(lineage) > 1
    assert all(part["exact"] for part in lineage)
    whole = trainer(1, "--env", "tests.stubbed:Deadly-v0", *LINE, "--logdir", "whole")
    assert whole.returncode == 0, whole.stderr  # the deaths are counted in this folder: there are no more
    assert_same_bits(arrays(tmp_path / "whole"), arrays(tmp_path / "run"))


def test_a_run_that_gets_nowhere_is_given_up(launcher: Run) -> None:
    line = ("--env", "tests.stubbed:Deadliest-v0", *SMALL, "--num-timesteps", 640, "--num-steps", 64)
    finished = launcher("-n", 1, "--restarts", 9, "--", *line, "--logdir", "run")
    assert finished.returncode == 9
    assert finished.stderr.count("; restart ") == 2
    assert "2 restarts made no new checkpoint, giving up" in finished.stderr


def test_a_checkpoint_is_gone_on_from_until_there_is_a_newer_one(launcher: Run, mpi: Run, tmp_path: Path) -> None:
    """Both deaths come before anything is saved: each start begins from the checkpoint that was named."""
    (tmp_path / "deaths").write_text("9")
    line = ("--env", "tests.stubbed:Deadly-v0", *SMALL, "--num-steps", 64)  # they die at step 37
    begun = mpi(1, "-m", "baselines_ppo.run", *line, "--num-timesteps", 128, "--logdir", "first")
    assert begun.returncode == 0, begun.stderr
    going_on = ("--resume", "first/checkpoints/ckpt-00000001", "--num-timesteps", 384, "--save-interval", 1e6)
    undisturbed = mpi(1, "-m", "baselines_ppo.run", *going_on, "--env", line[1], "--logdir", "undisturbed")
    assert undisturbed.returncode == 0, undisturbed.stderr
    (tmp_path / "deaths").unlink()
    finished = launcher("-n", 1, "--", *going_on, "--env", line[1])
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr.count("; restart ") == 2
    assert finished.stdout.count("resumed ckpt-00000001 at 128 steps") == 3
    (run,) = (tmp_path / "runs").glob("*/*")
    assert_same_bits(arrays(tmp_path / "undisturbed"), arrays(run))


def plan_of(*arguments: str) -> LaunchPlan:
    return _plan(2, None, list(arguments), vars(parser("train", arguments).parse_args(arguments)))


def tail(command: list[str]) -> list[str]:
    return command[command.index("baselines_ppo.run") + 1 :]


def test_what_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is chosen once, and left as soon as it has a checkpoint."""
    monkeypatch.chdir(tmp_path)
    stored = {"config": {"env": "CartPole-v1"}, "total_steps": 64}
    checkpoint.save(tmp_path / "old" / "checkpoints", "ckpt-00000001", stored, {"x": np.zeros(1)})
    one = "old/checkpoints/ckpt-00000001"
    new = plan_of("--env", "CartPole-v1", "--load-path=old", "--seed", "3")
    assert new.folder.parent == tmp_path / "runs/CartPole-v1"
    assert tail(new.next()) == ["--env", "CartPole-v1", "--load-path=old", "--seed", "3", "--logdir", str(new.folder)]
    checkpoint.save(new.folder / "checkpoints", "ckpt-00000004", stored, {"x": np.zeros(1)})
    going_on = ["--env", "CartPole-v1", "--seed", "3", "--logdir", str(new.folder), "--resume", str(new.folder)]
    assert tail(new.next()) == going_on
    from_one = plan_of("--resume", one, "--logdir", "there")
    assert tail(from_one.next()) == ["--logdir", "there", "--resume", one]
    checkpoint.save(Path("there/checkpoints"), "ckpt-00000002", stored, {"x": np.zeros(1)})
    assert tail(from_one.next()) == ["--logdir", "there", "--resume", str(tmp_path / "there")]
    elsewhere = plan_of(f"--resume={one}")
    assert elsewhere.folder.parent == tmp_path / "runs/CartPole-v1"
    assert tail(elsewhere.next()) == ["--resume", one, "--logdir", str(elsewhere.folder)]
    (new.folder / "config.json").write_text('{"alg": "ppo2", "seed": 3}')
    automatic = plan_of("--env", "CartPole-v1", "--seed", "3", "--resume", "auto")
    assert automatic.folder == new.folder
    assert tail(automatic.next()) == ["--env", "CartPole-v1", "--seed", "3", "--resume", str(new.folder)]
    requeued = plan_of("--env", "CartPole-v1", "--seed", "3", "--load-path", "old", "--resume", "auto")
    assert requeued.command == automatic.command
    fresh = plan_of("--env", "CartPole-v1", "--logdir", "none", "--override", "learning_rate", "--resume", "auto")
    assert tail(fresh.command) == ["--env", "CartPole-v1", "--logdir", "none"]
    other = {**stored, "config": {"env": "Swimmer-v4", "alg": "trpo", "seed": 7}}
    checkpoint.save(Path("other/checkpoints"), "ckpt-00000001", other, {"x": np.zeros(1)})
    named = plan_of("--resume", "other/checkpoints/ckpt-00000001").folder
    assert named.parent == tmp_path / "runs/Swimmer-v4"
    assert (named.name[:5], named.name[-2:]) == ("trpo-", "-7")
    with pytest.raises(UsageError, match="which environment"):
        plan_of("--seed", "3")


HOST_FILES = [
    ("HYDRA build", "node01:16\nnode02:16", ""),
    (
        "HYDRA build",
        "node01 slots=16",
        "has the line node01 slots=16, expected lines such as node01:16, as MPICH takes",
    ),
    ("mpirun (Open MPI) 5.0.11", "node01 slots=16\n", ""),
    (
        "mpirun (Open MPI) 5.0.11",
        "# two\nnode01:16",
        "has the line node01:16, expected lines such as node01 slots=16, as",
    ),
    ("mpirun (Open MPI) 5.0.11", "\n", "names no host, expected lines such as node01 slots=16"),
    ("of some other MPI", "node01 slots=16", ""),
]


@pytest.mark.parametrize(("version", "content", "words"), HOST_FILES)
def test_hosts_are_named_to_each_mpirun_in_its_own_form_by_a_flag_that_it_knows(
    version: str, content: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    """`-f` is MPICH's alone. The mpirun here knows --hostfile, says its version, and prints what else it is given."""
    mpirun, hosts = tmp_path / "mpirun", tmp_path / "hosts"
    takes = f'[ "$1" = --hostfile ] && [ "$2" = "{hosts}" ] || exit 2; echo "given $*"; exit 65'
    mpirun.write_text(f'#!/bin/sh\n[ "$1" = --version ] && {{ echo "{version}"; exit 0; }}\n{takes}\n')
    mpirun.chmod(0o755)
    hosts.write_text(content)
    monkeypatch.setattr("baselines_ppo.run.supervisor.find_mpirun", lambda: str(mpirun))
    monkeypatch.setattr("baselines_ppo.run.supervisor.signal.signal", lambda *_: None)
    arguments = ["--env", "CartPole-v1", "--logdir", str(tmp_path / "run")]
    options = vars(parser("train", arguments).parse_args(arguments))
    if not words:
        monkeypatch.setenv("HOME", str(tmp_path))
        assert launch(2, "~/hosts", 0, arguments, options) == 65
        assert f"given --hostfile {hosts} -np 2 " in capfd.readouterr().out
        return
    with pytest.raises(UsageError, match=words):
        launch(2, str(hosts), 0, arguments, options)


@pytest.mark.parametrize("exit_code", [1, 6, 7, 9, 11, 70, 134, 135, 137, 139, 255, -9])
def test_crashes_are_started_again(exit_code: int) -> None:
    assert exit_code not in FINAL


@pytest.mark.parametrize("exit_code", [2, 65, 66, 74, 75, 130])  # and 0, where all steps are made
def test_other_ends_are_final(exit_code: int) -> None:
    assert exit_code in FINAL


@pytest.mark.parametrize(
    ("flags", "exit_code"),
    [(("--env", "tests.stubbed:Broken-nan-v0"), 65), (("--env", "CartPole-v1", "--resume", "nowhere"), 66)],
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


def launched(folder: Path, env: str = "tests.stubbed:Pendulum-v1") -> subprocess.Popen[str]:
    """Return a supervisor whose training is under way and has a checkpoint."""
    line = ("launch", "-n", 1, "--", "--env", env, *SMALL, "--num-timesteps", 1e9, "--save-interval", 0)
    process = subprocess.Popen(
        [sys.executable, "-m", "baselines_ppo.run", *map(str, line), "--logdir", "run"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list((folder / "run" / "checkpoints").glob(checkpoint.NAMES)):
        assert process.poll() is None
        time.sleep(0.05)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_stop_signals_are_passed_on_and_end_it(number: int, tmp_path: Path) -> None:
    """A closed terminal too."""
    process = launched(tmp_path)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 75
    assert "restart" not in errors


def test_a_stop_signal_between_two_jobs_ends_it(tmp_path: Path) -> None:
    process = launched(tmp_path, "tests.stubbed:Deadliest-v0")
    assert process.stderr is not None
    while "; restart 1" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 75


def test_a_killed_supervisor_leaves_no_training_behind(tmp_path: Path) -> None:
    process = launched(tmp_path)
    process.kill()
    process.wait()
    with (tmp_path / "run" / "lock").open() as lock:
        until(lambda: _is_free(lock), 60)


def _is_free(lock: TextIO) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


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
