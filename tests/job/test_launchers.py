"""Launchers that MPI does or does not understand, and what a container or a job of a cluster allows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from baselines_ppo.common.job.control_groups import INFINITE, JobLimits, limits
from baselines_ppo.common.job.launcher import environment_of_one, find_mpirun, launched_by_mpi, launched_rank
from baselines_ppo.run.rank_facts import facts_of_this_rank, family_of
from tests.conftest import ROOT

MIB = 1 << 20
STEP = {"SLURM_STEP_NUM_TASKS": "4"}  # what srun sets, whether or not it speaks to MPI
PMIX = {"PMIX_NAMESPACE": "slurm.pmix.7.0"}
WORLD = (  # in one write, so that lines of several ranks are not mixed
    "import sys; from baselines_ppo.common.mpi import world; sys.stdout.write(f'{world().rank} of {world().size}\\n')"
)
TRAIN = ["-m", "baselines_ppo.run", "--env", "CartPole-v1", "--num-timesteps", "1"]


def started(words: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run Python as a launcher does that sets some variables."""
    line, set_here = [sys.executable, *words], {**os.environ, **variables, "PYTHONPATH": str(ROOT)}
    return subprocess.run(line, cwd=ROOT, env=set_here, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("variables", "launcher"),
    [
        (STEP, "srun started 4 ranks"),
        ({**PMIX, **STEP, "PMIX_RANK": "0"}, "srun started 4 ranks"),
        ({**PMIX, "PMIX_RANK": "0"}, "a launcher started this rank"),
        ({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "0"}, "Open MPI's mpirun started 4 ranks"),
    ],
    ids=["srun", "srun by PMIx", "PMIx", "Open MPI"],
)
def test_a_launcher_that_mpi_does_not_understand_is_named_in_one_line(variables: dict[str, str], launcher: str) -> None:
    """Each rank would otherwise train alone as rank 0 of 1, or MPI would abort in its own words."""
    ended = started(TRAIN, variables)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: {launcher}, which MPICH ") and ended.stderr.count("\n") == 1
    assert ("use srun --mpi=pmi2, or the mpirun next to this Python" in ended.stderr) == launcher.startswith("srun")


def test_of_many_ranks_that_mpi_does_not_see_the_first_alone_says_so() -> None:
    ended = started(TRAIN, {**STEP, "SLURM_PROCID": "3"})
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", "")


def test_mpirun_inside_a_step_that_speaks_pmix_starts_its_own_ranks() -> None:
    line = [find_mpirun(), "-np", "2", sys.executable, "-c", WORLD]
    inherited = {**os.environ, **PMIX, **STEP, "PMIX_RANK": "0", "PYTHONPATH": str(ROOT)}
    said = subprocess.run(line, env=inherited, capture_output=True, text=True, timeout=60)
    assert sorted(said.stdout.split("\n")) == ["", "0 of 2", "1 of 2"], said.stderr


def test_a_batch_script_and_what_a_rank_starts_are_no_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_PROCID", "0")
    assert not launched_by_mpi()
    monkeypatch.setenv("SLURM_PROCID", "2")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    assert (launched_by_mpi(), launched_rank()) == (True, 2)
    assert "srun started 4 ranks" in started(["-c", WORLD], {}).stderr
    line = [sys.executable, "-c", WORLD]
    child = subprocess.run(line, cwd=ROOT, env=environment_of_one(), capture_output=True, text=True, timeout=60)
    assert child.stdout == "0 of 1\n", child.stderr


def test_an_mpirun_says_whose_it_is_and_the_one_that_is_typed_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert family_of(find_mpirun()) == "MPICH"
    other = tmp_path / "mpirun"
    other.write_text("#!/bin/sh\necho 'mpirun (Open MPI) 4.1.4'\n")
    other.chmod(0o755)
    assert family_of(str(other)) == "Open MPI"
    assert family_of(str(tmp_path / "nothing")) == ""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = facts_of_this_rank()
    assert (found.mpirun, found.family) == (str(other), "Open MPI")


def test_the_tightest_limits_around_a_process_are_those_in_force(tmp_path: Path) -> None:
    own, inner = tmp_path / "own", tmp_path / "pod" / "container"
    inner.mkdir(parents=True)
    own.write_text("3:cpuset:/elsewhere\n0::/pod/container\n")
    assert limits(own, tmp_path) == JobLimits(INFINITE, INFINITE)
    (inner / "cpu.max").write_text("max 100000\n")
    (inner / "memory.max").write_text("max\n")
    assert limits(own, tmp_path) == JobLimits(INFINITE, INFINITE)
    (tmp_path / "pod" / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "pod" / "memory.max").write_text(f"{700 * MIB}\n")
    (tmp_path / "memory.max").write_text(f"{900 * MIB}\n")
    assert limits(own, tmp_path) == JobLimits(1.5, 700 * MIB)
    assert limits(tmp_path / "nothing", tmp_path) == JobLimits(INFINITE, INFINITE)


def test_limits_of_version_1_are_found_as_a_container_sees_them(tmp_path: Path) -> None:
    """Its groups have the names that the host gives them, and are mounted at the root."""
    own, processors, memory = tmp_path / "own", tmp_path / "cpu", tmp_path / "memory"
    own.write_text("4:memory:/docker/a5d24c\n3:cpu,cpuacct:/docker/a5d24c\n1:name=systemd:/x\n0::/\n")
    processors.mkdir()
    memory.mkdir()
    (processors / "cpu.cfs_period_us").write_text("100000\n")
    (processors / "cpu.cfs_quota_us").write_text("-1\n")
    (memory / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert limits(own, tmp_path) == JobLimits(INFINITE, INFINITE)
    (processors / "cpu.cfs_quota_us").write_text("200000\n")
    (memory / "memory.limit_in_bytes").write_text(f"{512 * MIB}\n")
    assert limits(own, tmp_path) == JobLimits(2.0, 512 * MIB)
