"""Real sweeps: killed, stopped and gone on with, with a run that fails; one training as a job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from baselines_ppo.common.failures import UsageError, WriteError
from baselines_ppo.common.files.lock import hold, user_of
from baselines_ppo.common.files.run_folder import steps_made
from baselines_ppo.experiments.jobs import BEGUN, MADE, NEW, Job, stage, standing, wait_until_free
from baselines_ppo.experiments.sweep import planned, sweep
from baselines_ppo.experiments.sweeping import record
from tests.conftest import ROOT, Finished
from tests.job.test_alive import until
from tests.runs import arrays, assert_same_bits, figures

SMALL = {"preset": "none", "num_envs": 2, "num_steps": 64, "num_minibatches": 4, "num_epochs": 2, "save_interval": 0.0}
STEPS = 25_600  # 200 iterations, each saved
FILE = f"""\
env = ["tests.stubbed:CartPole-v1", "tests.stubbed:Raising-always-v0"]
seeds = "0-1"
num_timesteps = {STEPS}
preset = "none"
num_envs = 2
num_steps = 64
num_minibatches = 4
num_epochs = 2
save_interval = 0

[for."tests.stubbed:Raising-always-v0"]
num_timesteps = 128
"""
GOOD, BROKEN = "tests.stubbed-CartPole-v1", "tests.stubbed-Raising-always-v0/ppo2-seed="


@contextmanager
def sweeping(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start the sweep of a folder, which writes into `said`; it is killed afterwards, if it has not ended."""
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "baselines_ppo.run", "sweep", "my.toml", "--logdir", "runs", "--jobs", "2"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def runs_of(folder: Path) -> dict[str, Path]:
    return {f"{path.parent.name}/{path.name}": path for path in sorted(folder.glob("*/*-seed=*"))}


def test_a_sweep_that_was_killed_and_stopped_ends_as_one_that_was_not(
    trainer: Callable[..., Finished], trainer_here: Callable[..., Finished], tmp_path: Path
) -> None:
    """A run that fails stops no other, is named with its error, and gives the sweep its exit code."""
    (tmp_path / "my.toml").write_text(FILE)
    folder, text = tmp_path / "runs", tmp_path / "said"
    good = [folder / GOOD / f"ppo2-seed={seed}" for seed in (0, 1)]
    with sweeping(tmp_path) as process:
        until(lambda: steps_made(good[0]), 100)
        second = trainer_here(1, "sweep", "my.toml", "--logdir", "runs")
        assert (second.returncode, "is in use by process" in second.stderr) == (2, True)
        process.kill()
    until(lambda: not any(map(user_of, runs_of(folder).values())), 60)  # its runs have ended with it
    assert stage(good[0], STEPS) == BEGUN

    with sweeping(tmp_path) as process:
        until(lambda: "goes on at " in text.read_text(), 100)
        process.send_signal(signal.SIGINT)
        process.wait(100)
    said = text.read_text()
    assert process.returncode == 130, said
    assert "of 4 runs are finished; the same command goes on" in said
    assert not (folder / "results.md").exists()

    with sweeping(tmp_path) as process:
        process.wait(300)
    said = text.read_text()
    assert process.returncode == 1, said
    assert f"{BROKEN}0 failed with exit code 65: env tests.stubbed:Raising-always-v0, rank 0" in said
    assert "step raised RuntimeError: the wheel came off; see runs/" in said
    assert "2 of 4 runs failed; the same command tries them again\n" in said
    assert [stage(path, STEPS) for path in good] == [MADE, MADE]
    assert (folder / "results.md").read_text() in said
    assert (folder / "results.csv").read_text().count(":CartPole-v1,") == 1
    assert (folder / "curves.png").stat().st_size > 10_000

    written = trainer(1, "sweep", "my.toml", "--logdir", "whole", "--slurm=--time=1:00:00")
    assert "wrote whole/array.sh" in written.stdout
    task = {**os.environ, "PYTHONPATH": str(ROOT), "SLURM_ARRAY_TASK_ID": "1"}  # as Slurm starts it
    alone = subprocess.run(["bash", "whole/array.sh"], cwd=tmp_path, env=task, capture_output=True, text=True)
    assert alone.returncode == 0, alone.stderr
    whole = tmp_path / "whole" / GOOD / "ppo2-seed=1"
    assert [*runs_of(tmp_path / "whole").values()] == [whole]
    assert_same_bits(arrays(whole), arrays(good[1]))
    assert figures(whole) == figures(good[1])
    failing = trainer(1, "sweep", "my.toml", "--logdir", "whole", "--only", 2)
    assert failing.returncode == 65  # a cluster sees how this one has ended


def test_a_run_that_cannot_be_written_lets_the_others_save(tmp_path: Path) -> None:
    """The first would save at its end alone; the second is brief, and where the third is to be is a file."""
    long, brief = "tests.stubbed:CartPole-v1", "tests.stubbed:Acrobot-v1"
    lengths = {long: {"num_timesteps": 10**8}, brief: {"num_timesteps": 1280}}
    keys: dict[str, Any] = {
        **SMALL,
        "env": [long, brief],
        "seeds": "0-1",
        "save_interval": 1e6,
        "for": lengths,
        "ranks": 1,
    }
    folder = tmp_path / "runs"
    record.keep(folder, planned(None, {**keys, "logdir": str(folder)}).cases, 1)
    (folder / GOOD).mkdir()
    (folder / GOOD / "ppo2-seed=1").write_text("mine")
    with pytest.raises(WriteError, match=r"output\.log not written"):
        sweep(**keys, logdir=folder, jobs=2)
    first = folder / GOOD / "ppo2-seed=0"
    assert not user_of(first)
    assert steps_made(first) > 0


def test_a_sweep_waits_for_a_run_that_is_still_being_saved(tmp_path: Path) -> None:
    """As after a kill of the sweep, whose trainings need a moment longer than itself."""
    keys: dict[str, Any] = {
        "env": "tests.stubbed:CartPole-v1",
        "num_timesteps": 128,
        "logdir": str(tmp_path / "runs"),
        **SMALL,
    }
    plan = planned(None, keys)
    record.keep(plan.folder, plan.cases, plan.ranks)
    (run,) = (plan.folder / case.name for case in plan.cases)
    run.mkdir(parents=True)
    lock = hold(run)
    free = threading.Timer(2.0, lock.close)
    free.start()
    swept = sweep(**keys)
    free.join()
    assert (swept.exit_code, swept.failed) == (0, {})


def test_a_job_is_begun_stopped_and_gone_on_with(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = {"env": "tests.stubbed:CartPole-v1", **SMALL, "num_timesteps": 1_000_000}
    assert (stage(folder, 1_000_000), standing(folder)) == (NEW, None)
    job = Job(folder, settings)
    job.begin()
    assert job.end() is None
    until(lambda: steps_made(folder), 100)
    with pytest.raises(UsageError, match=r"is in use by process \d+"):
        wait_until_free(folder, 0.0)
    job.stop()
    end = job.wait()
    assert (end.exit_code, end.error) == (75, "")
    wait_until_free(folder, 0.0)
    steps, seen = steps_made(folder), job.standing()
    assert seen is not None
    assert (seen.steps, stage(folder, steps + 1), stage(folder, steps)) == (steps, BEGUN, MADE)
    assert seen.steps == 128 * seen.iteration
    assert seen.steps_per_second > 0

    again = Job(folder, {**settings, "num_timesteps": steps + 128, "load_path": "not needed any more"})
    again.begin()
    assert again.wait() == (0, "")
    assert "resumed ckpt-" in again.output.read_text()
    assert [row["total_steps"] for row in figures(folder)] == [str(128 * k) for k in range(1, steps // 128 + 2)]


def test_a_job_that_cannot_begin_says_why_and_leaves_what_it_printed(tmp_path: Path) -> None:
    job = Job(tmp_path / "run", {"env": "CartPole-v1", "num_minibatches": 7})
    job.begin()
    assert job.wait()[:1] == (2,)
    assert "num_minibatches 7 does not divide the steps of an environment" in job._ended(2).error
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["output.log"]
    mended = Job(tmp_path / "run", {"env": "nowhere:Nothing-v0"})
    mended.begin()
    assert "nowhere" in mended.wait().error  # and not what the first one said


def test_a_log_that_is_being_written_is_read_up_to_its_last_whole_row(tmp_path: Path) -> None:
    header = "iteration,total_steps,seconds,steps_per_second,episode_return"
    rows = [f"{k},{100 * k},{2.0 * k},1.0,{k if k > 3 else ''}" for k in range(1, 9)]
    log = tmp_path / "progress.csv"
    log.write_text("\r\n".join([header, *rows[:3], "4,40"]))
    found = standing(tmp_path)
    assert found is not None
    assert (found.steps, found.episode_return, found.steps_per_second) == (300, None, 50.0)
    log.write_text("\r\n".join([header, *rows, ""]))
    found = standing(tmp_path)
    assert found is not None
    assert (found.iteration, found.steps, found.episode_return, found.seconds) == (8, 800, 8.0, 16.0)
    log.write_text("something else\n")
    assert standing(tmp_path) is None


def test_a_lock_names_who_holds_it_and_ends_with_it(tmp_path: Path) -> None:
    assert user_of(tmp_path) == ""
    with hold(tmp_path):
        assert user_of(tmp_path).startswith(f"process {os.getpid()} on ")
    assert user_of(tmp_path) == ""
    assert user_of(tmp_path / "nowhere") == ""
