"""Whatever goes wrong on one rank ends the job on all, soon, with the right exit code, and loses nothing saved."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from baselines_ppo.common.files import checkpoint
from tests.conftest import ROOT, Finished, command
from tests.environments import FAULTS

Run = Callable[..., Finished]

SMALL = ("--env", "Pendulum-v1", "--preset", "none", "--num-envs", 2, "--num-steps", 16, "--num-minibatches", 4)
STEPS_PER_ITERATION = 32
UNSAVED = (*SMALL, "--num-timesteps", 8 * STEPS_PER_ITERATION, "--logdir", "run")
SHORT = (*UNSAVED, "--save-interval", 0)


def newest(folder: Path) -> checkpoint.Checkpoint:
    found, _ = checkpoint.find(folder / "run")
    return found


@pytest.mark.parametrize("phase", ["start", "collect", "learn", "log-root", "save-root"])
def test_an_exception_on_one_rank_ends_all(phase: str, faulty: Run) -> None:
    begun = time.monotonic()
    finished = faulty(2, f"stub+raise-{phase}", *SHORT)
    rank = 0 if phase.endswith("root") else 1
    assert finished.returncode == 1
    assert f"[rank {rank}] ValueError: planted fault" in finished.stderr
    assert f"baselines_ppo: rank {rank} failed (ValueError: planted fault)" in finished.stderr
    assert finished.stderr.count("Traceback") == 1
    assert time.monotonic() - begun < 30  # the fault comes after a second or so; a hang would last for ever


@pytest.mark.parametrize(("fault", "exit_code"), [("exit-0", 1), ("exit-3", 3), ("thread", 1)])
def test_a_rank_that_leaves_early_ends_all(fault: str, exit_code: int, faulty: Run) -> None:
    finished = faulty(2, f"stub+{fault}", *SHORT)
    assert finished.returncode == exit_code
    assert "rank 1 failed" in finished.stderr


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_rank_ends_all_and_the_newest_checkpoint_is_whole(rank: int, faulty: Run, tmp_path: Path) -> None:
    assert faulty(2, f"stub+kill-{rank}", *SHORT).returncode == signal.SIGKILL
    assert newest(tmp_path).manifest["iteration"] == 2


@pytest.mark.parametrize(("fault", "exit_code"), [("term-1", 75), ("usr1-0", 75), ("int-0", 130)])
def test_a_signal_to_one_rank_stops_all_after_a_checkpoint(
    fault: str, exit_code: int, faulty: Run, tmp_path: Path
) -> None:
    finished = faulty(2, f"stub+{fault}", *UNSAVED)
    assert finished.returncode == exit_code, finished.stderr
    assert newest(tmp_path).manifest["iteration"] == 3  # the iteration in which the signal came is finished
    assert "stop requested by " in finished.stdout
    assert "checkpoint 00000003 written" in finished.stdout
    assert "mpirun -np 2" in finished.stdout.splitlines()[-1]


def test_a_signal_saves_where_errors_cannot_be_written(tmp_path: Path) -> None:
    """As when the terminal was closed, or what the errors went through has ended."""
    line = command(1, str(ROOT / "tests" / "faults.py"), "stub+usr1-0", *map(str, UNSAVED))
    with Path("/dev/full").open("wb") as full:
        finished = subprocess.run(
            line, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL, stderr=full
        )
    assert finished.returncode == 75
    assert newest(tmp_path).manifest["iteration"] == 3


def test_a_signal_in_the_last_iteration_finishes_the_run(faulty: Run, tmp_path: Path) -> None:
    three = (*SMALL, "--num-timesteps", 3 * STEPS_PER_ITERATION, "--logdir", "run")
    finished = faulty(2, "stub+term-1", *three)
    assert finished.returncode == 0, finished.stderr
    assert newest(tmp_path).manifest["total_steps"] == 96


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_to_mpirun_reaches_the_ranks(number: signal.Signals, exit_code: int, tmp_path: Path) -> None:
    with Training(tmp_path, "stub+none") as process:
        process.send_signal(number)
        assert process.wait(30) == exit_code
    assert newest(tmp_path).manifest["iteration"] >= 3


@pytest.mark.parametrize("fault", ["slow", "deaf"])
def test_a_second_ctrl_c_ends_at_once_and_harms_no_checkpoint(fault: str, tmp_path: Path) -> None:
    """The third iteration takes half a minute; the first Ctrl-C waits for it, the second does not."""
    with Training(tmp_path, f"stub+{fault}", ranks=1, after=2) as process:
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
    assert newest(tmp_path).manifest["iteration"] == 2


def test_ranks_that_fail_differently_end_with_one_of_their_codes(faulty: Run) -> None:
    finished = faulty(2, "stub+different", *SHORT)
    assert finished.returncode in (65, 66)
    assert "error: bad file on rank 0" in finished.stderr


def test_a_full_disk_is_warned_of_and_the_next_save_succeeds(faulty: Run, tmp_path: Path) -> None:
    finished = faulty(1, "stub+full-disk-once", *SHORT)
    assert finished.returncode == 0, finished.stderr
    assert f"warning: checkpoint {tmp_path}/run/checkpoints/ckpt-00000003 not written: No space" in finished.stderr
    assert newest(tmp_path).manifest["iteration"] == 8


def test_a_full_disk_at_the_end_is_an_error(faulty: Run, tmp_path: Path) -> None:
    finished = faulty(2, "stub+full-disk-last", *UNSAVED)
    assert finished.returncode == 74
    expected = f"error: checkpoint {tmp_path}/run/checkpoints/ckpt-00000008 not written: No space left"
    assert finished.stderr.startswith(expected)
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["ckpt-00000001"]


def test_ranks_out_of_sync_by_one_bit_are_noticed(faulty: Run) -> None:
    finished = faulty(2, "stub+ulp", *SHORT)
    assert finished.returncode == 65
    assert "ranks out of sync at update" in finished.stderr
    assert "rank 1 differs from rank 0" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_nan_gradient_on_one_rank_stops_all_and_is_not_applied(faulty: Run, tmp_path: Path) -> None:
    finished = faulty(2, "nan-gradient", *SHORT, "--split-minibatches", "true")
    assert finished.returncode == 65, finished.stderr
    (line,) = finished.stderr.splitlines()
    assert re.match(r"error: update 12\d: the gradient of rank 1 has NaN or Inf; nothing was applied", line)
    found = newest(tmp_path)
    assert found.manifest["iteration"] == 3
    assert all(np.isfinite(x).all() for x in found.arrays.values())


@pytest.mark.parametrize("fault", FAULTS)
def test_unusable_data_from_an_environment_is_reported_with_its_origin(fault: str, stubbed: Run) -> None:
    finished = stubbed(1, "--env", f"tests.environments:Broken-{fault}-v0", *SHORT[2:])
    assert finished.returncode == 65, finished.stderr
    (line,) = finished.stderr.splitlines()
    for part in ("error: env tests.environments:Broken-", "rank 0", "environment 0", "episode 0 (seed ", "step 12: "):
        assert part in line


def test_the_rank_whose_environment_fails_is_named(stubbed: Run) -> None:
    finished = stubbed(2, "--env", "tests.environments:Broken-nan-v0", *SHORT[2:])
    assert finished.returncode == 65
    assert "the observation has NaN at [1]; last action [" in finished.stderr


@pytest.mark.parametrize("kills", [8, pytest.param(30, marks=pytest.mark.slow)])
def test_a_kill_during_a_save_loses_nothing(kills: int, tmp_path: Path) -> None:
    """Kills at any moment of a run that saves after every iteration."""
    seen, rng = -1, np.random.default_rng(0)
    for _ in range(kills):
        with Training(tmp_path, "stub+none", ranks=1, after=seen + 2, resume=seen >= 0) as process:
            time.sleep(rng.uniform(0, 0.05))
            process.kill()
            process.wait(30)
        found, skipped = checkpoint.find(tmp_path / "run")
        assert skipped == []
        assert found.manifest["iteration"] > seen
        seen = found.manifest["iteration"]
    kept = [path.name for path in (tmp_path / "run" / "checkpoints").iterdir() if path.name.startswith("ckpt-")]
    assert len(kept) <= 6


def test_what_an_interrupted_save_left_is_swept(stubbed: Run, faulty: Run, tmp_path: Path) -> None:
    assert faulty(1, "stub+kill-in-save", *SHORT).returncode != 0
    leftovers = list((tmp_path / "run" / "checkpoints").glob(".tmp-*"))
    assert leftovers
    finished = stubbed(1, "--resume", "run")
    assert finished.returncode == 0, finished.stderr
    assert not list((tmp_path / "run" / "checkpoints").glob(".tmp-*"))


class Training:
    """A run that saves after every iteration, in a process of its own, once it has come some way."""

    def __init__(
        self,
        folder: Path,
        fault: str,
        ranks: int = 2,
        after: int = 3,
        resume: bool = False,
        flags: tuple[object, ...] = (),
    ) -> None:
        self.folder, self.after = folder, after
        new = (*SMALL, "--num-timesteps", "1e9", "--save-interval", 0, "--logdir", "run")
        line = (*(("--resume", "run") if resume else new), *flags)
        self.line = command(ranks, str(ROOT / "tests" / "faults.py"), fault, *map(str, line))

    def __enter__(self) -> subprocess.Popen[bytes]:
        self.process = subprocess.Popen(
            self.line,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        while self.after and not any(iteration >= self.after for iteration in self.iterations()):
            assert time.monotonic() < deadline, "the run does not come this far"
            assert self.process.poll() is None, "the run ended"
            time.sleep(0.01)
        return self.process

    def iterations(self) -> Iterator[int]:
        for path in (self.folder / "run" / "checkpoints").glob("ckpt-*"):
            yield int(path.name.removeprefix("ckpt-"))

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
