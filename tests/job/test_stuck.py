"""Ranks that do not come, or are somewhere else: named, with what they did last, instead of hanging for ever."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import pytest

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.job import shared_memory
from baselines_ppo.common.job.launcher import check_launch
from baselines_ppo.state import code
from baselines_ppo.state.code import code_digest
from tests.conftest import ROOT, Finished, command
from tests.job.test_faults import SHORT, SMALL, UNSAVED, Training, newest
from tests.runs import arrays, assert_same_bits

Run = Callable[..., Finished]


@pytest.mark.parametrize(("fault", "stuck"), [("hang-1", 1), ("hang-0", 0), ("stop-1", 1)])
def test_a_rank_that_is_stuck_is_named_and_ends_the_job(fault: str, stuck: int, faulty: Run, tmp_path: Path) -> None:
    """Waiting, with signals blocked, and stopped by SIGSTOP, when not even its threads run."""
    finished = faulty(2, f"stub+{fault}", *SHORT, "--timeout", 2)
    assert finished.returncode == 70
    assert re.search(
        rf"error: \[rank {1 - stuck}\] waited \d+ s for the rollouts; not arrived: rank {stuck} "
        rf"\(collecting, last sign of life \d+ s ago; its stack is in {tmp_path}/run/ranks/0{stuck}.log\)",
        finished.stderr,
    ), finished.stderr
    assert newest(tmp_path).manifest["iteration"] == 2
    if fault != "stop-1":
        log = (tmp_path / "run" / "ranks" / f"0{stuck}.log").read_text()
        assert "in hang" in log
        assert log.count("no sign of life (collecting)") == 1


def test_a_rank_that_is_stuck_when_all_is_saved_does_not_spoil_the_run(faulty: Run, tmp_path: Path) -> None:
    finished = faulty(2, "stub+hang-close", *UNSAVED, "--timeout", 1)
    assert finished.returncode == 0, finished.stderr
    assert "no sign of life" in finished.stderr
    assert newest(tmp_path).manifest["iteration"] == 8


def test_a_rank_alone_that_is_stuck_ends_itself(faulty: Run, tmp_path: Path) -> None:
    finished = faulty(1, "stub+hang-0", *SHORT, "--timeout", 1)
    assert finished.returncode == 70
    assert "no sign of life for" in finished.stderr
    assert "in hang" in (tmp_path / "run" / "ranks" / "00.log").read_text()


def test_a_stop_signal_does_not_wait_for_a_stuck_rank_longer_than_its_grace(tmp_path: Path) -> None:
    with Training(tmp_path, "stub+hang-1", after=2, flags=("--grace", 1)) as process:
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 70
    assert newest(tmp_path).manifest["iteration"] == 2


@pytest.mark.parametrize("save_interval", [1e6, 0])
def test_a_stop_signal_in_a_long_iteration_saves_the_state_before_it(
    save_interval: float, stubbed: Run, tmp_path: Path
) -> None:
    """With the bits of a training that ended there; what is saved already stays as it is."""
    flags = ("--grace", 2, "--save-interval", save_interval)
    with Training(tmp_path, "stub+long", after=0, flags=flags) as process:
        rows = tmp_path / "run" / "progress.csv"
        while not rows.exists() or len(rows.read_text().splitlines()) < 3:
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(0.5)
        saved = {path.name: path.stat().st_ino for path in (tmp_path / "run" / "checkpoints").iterdir()}
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 75
    assert newest(tmp_path).manifest["iteration"] == 2
    now = {path.name: path.stat().st_ino for path in (tmp_path / "run" / "checkpoints").iterdir()}
    assert saved.items() <= now.items()
    assert stubbed(2, *SMALL, "--num-timesteps", 64, "--logdir", "whole").returncode == 0
    assert_same_bits(arrays(tmp_path / "whole"), arrays(tmp_path / "run"))


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_stop_that_is_saved_may_take_its_time_to_close(ranks: int, tmp_path: Path) -> None:
    with Training(tmp_path, "stub+slow-close", after=2, flags=("--grace", 1), ranks=ranks) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 75


def test_ranks_that_are_merely_late_raise_no_alarm(faulty: Run) -> None:
    finished = faulty(2, "stub+nap-1", *UNSAVED, "--timeout", 2)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""


@pytest.mark.slow
def test_two_hundred_updates_with_a_late_rank_raise_no_alarm(mpi: Run, faulty: Run) -> None:
    finished = faulty(2, "stub+nap-1", *UNSAVED, "--num-timesteps", 200 * 32, "--timeout", 2, seconds=240)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""


@pytest.mark.parametrize(
    ("fault", "where"),
    [
        ("extra-sum", "the sum of steps"),
        ("extra-stack", "steps"),
        ("swapped-sums", "the sum of"),
        ("swapped-stacks", "rank 1 is elsewhere"),
    ],
)
def test_ranks_at_different_points_are_told_and_given_no_numbers(fault: str, where: str, faulty: Run) -> None:
    finished = faulty(2, f"stub+{fault}", *SHORT, "--timeout", 5)
    assert finished.returncode == 65, finished.stderr
    assert finished.stderr.startswith("error: ranks out of step at ")
    assert where in finished.stderr
    assert "Traceback" not in finished.stderr


def test_ranks_of_different_versions_do_not_begin(faulty: Run, tmp_path: Path) -> None:
    finished = faulty(2, "stub+other-versions", *SHORT)
    assert finished.returncode == 2
    (line,) = finished.stderr.splitlines()
    assert line.startswith('error: not all ranks are the same as rank 0: rank 1 has numpy "0.0" instead of ')
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "name", ["train.py", "common/mpi.py", "run/cli.py", "zoo/tasks/walker.py", "zoo/robots/ant.xml", "zoo/new/deep.xml"]
)
def test_the_handshake_sees_all_of_the_code(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("baselines_ppo", "common", "run", "zoo"):  # links and all, as in a checkout
        shutil.copytree(ROOT / folder, tmp_path / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    before = code_digest()
    monkeypatch.setattr(code, "__file__", str(tmp_path / "baselines_ppo" / "state" / "code.py"))
    assert code_digest() == before
    for left_out in ("zoo/agents/Hopper-v4/card.json", "zoo/__pycache__/walker.pyc"):
        (tmp_path / "baselines_ppo" / left_out).parent.mkdir(exist_ok=True)
        (tmp_path / "baselines_ppo" / left_out).write_text("edited")
    assert code_digest() == before
    (tmp_path / "baselines_ppo" / name).parent.mkdir(exist_ok=True)
    with (tmp_path / "baselines_ppo" / name).open("a") as file:
        file.write("# edited\n")
    assert code_digest() != before


def test_memory_is_in_the_log_and_stays_flat(faulty: Run, tmp_path: Path) -> None:
    finished = faulty(1, "stub+none", *UNSAVED, "--num-timesteps", 400 * 32)
    assert finished.returncode == 0, finished.stderr
    with (tmp_path / "run" / "progress.csv").open() as file:
        megabytes = [float(row["memory_mb"]) for row in csv.DictReader(file)]
    assert 20 < megabytes[0] < 2000
    assert np.median(megabytes[-20:]) - np.median(megabytes[180:200]) < 2.0


@pytest.mark.parametrize(("total", "free", "refused"), [(16, 16, True), (64, 64, False), (64, 10, True)])
def test_too_little_shared_memory_is_refused_before_mpi_can_crash(
    total: int, free: int, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPI_LOCALNRANKS", "4")
    sizes = (total << 20, (total - free) << 20, free << 20)
    monkeypatch.setattr(shared_memory.shutil, "disk_usage", lambda path: sizes)
    with pytest.raises(UsageError, match=f"has {free} MiB free") if refused else nullcontext():
        check_launch()
    monkeypatch.setenv("MPIR_CVAR_CH4_NETMOD", "ofi")
    check_launch()


def test_fault_tolerance_that_mpich_does_not_start_with_is_refused(
    faulty: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPIR_CVAR_ENABLE_FT", "1")
    finished = faulty(2, "stub+none", *SHORT)
    assert finished.returncode == 2
    assert "error: MPIR_CVAR_ENABLE_FT is set, with which MPICH does not start; unset it" in finished.stderr


@pytest.mark.parametrize("cycles", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_clean_ends_leave_nothing_behind(cycles: int, tmp_path: Path) -> None:
    """No segment of shared memory that the ranks had mapped, no process, no temporary folder."""
    for k in range(cycles):
        line = (*UNSAVED[:-1], f"run-{k}")
        job = subprocess.Popen(
            command(2, str(ROOT / "tests" / "faults.py"), "stub+none", *map(str, line)),
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        mapped: set[str] = set()
        while job.poll() is None:
            for process in processes_in(tmp_path):
                with suppress(OSError):
                    words = (process / "maps").read_text().split()
                    mapped.update(word for word in words if word.startswith("/dev/shm/"))
            time.sleep(0.02)
        assert job.returncode == 0
        assert mapped, "ranks talk through shared memory"
        assert not [name for name in mapped if Path(name).exists()]
        assert not processes_in(tmp_path)
    assert not list(tmp_path.rglob(".tmp-*"))


def processes_in(folder: Path) -> list[Path]:
    """Return the processes that run in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink() == folder:
                found.append(process)
    return found
