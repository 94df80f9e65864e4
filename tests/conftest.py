"""Runs of the real command under the real mpirun, each bounded in time."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import hypothesis
import pytest

from baselines_ppo.common.job.threads import limit_threads

limit_threads()
hypothesis.settings.register_profile("same", derandomize=True)
hypothesis.settings.register_profile("explore", max_examples=3000)
hypothesis.settings.load_profile("same")  # the same cases everywhere; --hypothesis-profile=explore for others

ROOT = Path(__file__).resolve().parent.parent
MPIRUN = Path(sys.executable).with_name("mpirun")

Finished = subprocess.CompletedProcess[str]

# The files that take longest. They come first: a worker gets whole files, and one of these, begun last, would be alone.
LONGEST = (
    "training/test_learning.py", "training/test_override.py", "training/test_resume.py", "training/test_training.py",
    "house/test_docs.py", "show/test_record.py", "house/test_typed.py", "learning/test_programs.py",
    "job/test_stuck.py", "house/test_notebooks.py", "training/test_ranks.py", "show/test_steer_browser.py",
    "job/test_faults.py", "job/test_alive.py", "exporting/test_export.py", "experiments/test_sweep.py",
    "cloning/test_clone.py", "job/test_odd_places.py", "envs/test_process_state.py", "commands/test_bench.py",
    "training/test_callback.py", "envs/test_leaving.py", "job/test_opengl.py", "job/test_launch.py",
    "training/test_own_algorithm.py", "training/test_elastic.py", "experiments/test_study.py",
    "cloning/test_clone_command.py", "training/test_hybrid.py", "experiments/test_tune.py",
)  # fmt: skip
ORDER = {str(ROOT / "tests" / name): place for place, name in enumerate(LONGEST)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; within each, and among the others, all stays as it is."""
    items.sort(key=lambda item: ORDER.get(str(item.path), len(ORDER)))


def command(ranks: int, *arguments: str) -> list[str]:
    """Return the command line that runs this Python with these arguments on some ranks."""
    launcher = [str(MPIRUN), "-np", str(ranks)] if ranks > 1 else []
    return [*launcher, sys.executable, *arguments]


def run_here(folder: Path, *arguments: object) -> Finished:
    """Run the command in a folder, in this process, where TensorFlow is loaded and programs stay compiled.

    What nobody foresaw is raised here, where a process of its own would print it and end with 1. Networks that the
    command has found are forgotten, as they would be with a process.
    """
    from baselines_ppo.common.failures import Failure, readable
    from baselines_ppo.common.policy.networks import NETWORKS
    from baselines_ppo.run.cli import main

    words, out, errors = [*map(str, arguments)], io.StringIO(), io.StringIO()
    known = {**NETWORKS}
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(errors):
        patch.chdir(folder)
        try:
            exit_code = main(words)
        except Failure as failure:  # as `run_job` ends one rank
            exit_code = failure.exit_code
            errors.write(readable(f"error: {failure}\n"))
        finally:
            NETWORKS.clear()
            NETWORKS.update(known)
    return Finished(words, exit_code, out.getvalue(), errors.getvalue())


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let no test know what another has named, and none write into anybody's own configuration."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))


@pytest.fixture(autouse=True)
def no_library_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test choose for those after it what draws."""
    monkeypatch.setenv("MUJOCO_GL", "")
    monkeypatch.delenv("MUJOCO_GL")


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trainings in this process have the learner of tests/faults.py, for which nothing is compiled."""
    from tests.faults import use_stub

    use_stub(monkeypatch.setattr)


@pytest.fixture
def mpi(tmp_path: Path) -> Callable[..., Finished]:
    """Run Python with arguments on some ranks in an empty folder, for at most two minutes."""

    def run(ranks: int, *arguments: object, seconds: float = 120) -> Finished:
        return subprocess.run(
            command(ranks, *map(str, arguments)),
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
        )

    return run


@pytest.fixture
def trainer(mpi: Callable[..., Finished]) -> Callable[..., Finished]:
    """Run `python -m baselines_ppo.run` with arguments on some ranks."""
    return lambda ranks, *arguments: mpi(ranks, "-m", "baselines_ppo.run", *arguments)


@pytest.fixture
def trainer_here(trainer: Callable[..., Finished], tmp_path: Path) -> Callable[..., Finished]:
    """Do as `trainer` does, but what has one rank in this process."""
    return lambda ranks, *arguments: run_here(tmp_path, *arguments) if ranks == 1 else trainer(ranks, *arguments)


@pytest.fixture
def stubbed(
    stub: None, trainer_here: Callable[..., Finished], faulty: Callable[..., Finished]
) -> Callable[..., Finished]:
    """Run the command with the learner of tests/faults.py: on one rank in this process, on several in their own."""
    return lambda ranks, *arguments: (
        trainer_here(1, *arguments) if ranks == 1 else faulty(ranks, "stub+none", *arguments)
    )


@pytest.fixture
def faulty(mpi: Callable[..., Finished]) -> Callable[..., Finished]:
    """Run the command with a fault of tests/faults.py planted on one rank."""
    return lambda ranks, fault, *arguments, **limit: mpi(
        ranks, ROOT / "tests" / "faults.py", fault, *arguments, **limit
    )
