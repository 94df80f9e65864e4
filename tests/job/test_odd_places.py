"""Odd terminals, names and numbers: trained all the same, or refused in one line before anything begins."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.files.whole import place, shown
from baselines_ppo.common.job.threads import TENSORFLOW_VARIABLES
from baselines_ppo.run.cli import main
from tests.conftest import ROOT, run_here
from tests.runs import arrays, figures

SMALL = ("--preset", "none", "--num-envs", "2", "--num-steps", "16", "--num-minibatches", "2", "--num-epochs", "1")
LINE = ("--env", "CartPole-v1", *SMALL, "--num-timesteps", "64")
ASCII = {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}


def ran(folder: Path, *arguments: str | bytes, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "baselines_ppo.run", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=100,
    )


def refusal(folder: Path, *arguments: str | bytes, **environment: str) -> str:
    """Return the one line with which a command is refused; nothing is made."""
    finished = ran(folder, *arguments, **environment)
    assert finished.returncode == 2, finished.stderr
    (line,) = finished.stderr.decode(errors="replace").splitlines()
    assert not [path for path in folder.rglob("*") if path.is_file()]
    return line


@pytest.mark.parametrize("coding", [pytest.param(None, marks=pytest.mark.slow), "ascii:strict"])
def test_an_ascii_terminal_trains_into_a_folder_with_umlauts(coding: str | None, tmp_path: Path) -> None:
    name = "läufe/größe".encode()
    told = {**ASCII, **({} if coding is None else {"PYTHONIOENCODING": coding})}
    finished = ran(tmp_path, *LINE, "--logdir", name, **told)
    assert finished.returncode == 0, finished.stderr
    assert len(figures(tmp_path / "läufe" / "größe")) == 2
    assert list((tmp_path / "läufe" / "größe").glob("events.*"))
    assert b"run:      " + name + b"\n" in finished.stdout
    again = ran(tmp_path, "--resume", name, "--num-timesteps", "128", **told)
    assert again.returncode == 0, again.stderr
    assert arrays(tmp_path / "läufe" / "größe")["adam/step"] == 8


def test_an_ascii_terminal_shows_what_it_has_no_letters_for_by_number(tmp_path: Path) -> None:
    finished = ran(tmp_path, "zoo", "show", "Hopper-v4", **ASCII)
    assert finished.returncode == 0, finished.stderr
    assert b"\\u2588" in finished.stdout  # the highest block of a curve


@pytest.mark.parametrize("before", [(), ("launch", "--")])
@pytest.mark.parametrize("name", [b"bad\xff", b"x" * 300, b"~nouser/run", b"y/" * 1950])
def test_places_where_nothing_can_be_are_refused(name: bytes, before: tuple[str, ...], tmp_path: Path) -> None:
    assert refusal(tmp_path, *before, *LINE, "--logdir", name).startswith("error: path ")


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "MKL_NUM_THREADS"])
def test_numbers_of_threads_that_are_none_are_refused(variable: str, tmp_path: Path) -> None:
    assert f"variable {variable} is x," in refusal(tmp_path, *LINE, **{variable: "x"})


@pytest.mark.parametrize(
    "variable", ["PMI_RANK", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "MPI_LOCALNRANKS"]
)
def test_numbers_of_ranks_that_are_none_are_refused(variable: str, tmp_path: Path) -> None:
    assert f"variable {variable} is two," in refusal(tmp_path, *LINE, **{variable: "two"})


def test_variables_without_a_value_are_none(tmp_path: Path) -> None:
    names = ("PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS", "OMP_NUM_THREADS", *TENSORFLOW_VARIABLES)
    finished = ran(tmp_path, *LINE, "--logdir", "run", **dict.fromkeys(names, ""))
    assert finished.returncode == 0, finished.stderr
    assert arrays(tmp_path / "run")["adam/step"] == 4


@pytest.mark.parametrize("content", [None, b"", b"# none yet\n\n", b"\xff\xfe"])
def test_files_that_name_no_hosts_are_refused(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "hosts").write_bytes(content)
    with pytest.raises(UsageError, match=r"--hosts .*hosts (cannot be read|names no host)"):
        main(["launch", "--hosts", str(tmp_path / "hosts"), "--", *LINE])


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("bench", "--ranks", "0"), "--ranks is 0"),
        (("bench", "--ranks", "1,-2"), "--ranks is 1,-2"),
        (("bench", "--ranks", "none"), "--ranks is none"),
        (("bench", "--pairs", "0", "--peer-python", "python"), "--pairs is 0"),
        (("launch", "-n", "0", "--", *LINE), "--ranks is 0"),
        (("launch", "--restarts", "-1", "--", *LINE), "--restarts is -1"),
    ],
)
def test_numbers_that_cannot_be_are_refused(flags: tuple[str, ...], said: str, tmp_path: Path) -> None:
    finished = run_here(tmp_path, *flags)
    assert (finished.returncode, finished.stderr.count("\n")) == (2, 1)
    assert said in finished.stderr
    assert not list(tmp_path.iterdir())


def test_help_behind_the_two_dashes_of_launch_is_that_of_the_training(tmp_path: Path) -> None:
    finished = ran(tmp_path, "launch", "--", "--help", "--alg", "trpo")
    assert finished.returncode == 0, finished.stderr
    assert b"--cg-damping" in finished.stdout


NETWORK = """
from baselines_ppo.common.policy.networks import mlp
from baselines_ppo.common.policy.parameters import Parameter

def network(shape, settings):
    found = mlp(shape, settings)
    return found._replace(parameters=[*found.parameters, Parameter("idle", (3,))])
"""


def test_a_network_with_a_parameter_that_it_does_not_use_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "network_with_an_idle_part.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(tmp_path)
    finished = run_here(tmp_path, *LINE, "--network", "network_with_an_idle_part:network", "--logdir", "run")
    assert finished.returncode == 2, finished.stderr
    (line,) = finished.stderr.splitlines()
    assert "does not use its parameters" in line
    assert "idle" in line


def test_a_place_is_where_it_was_meant_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = place("runs/a")
    assert found == tmp_path / "runs" / "a"
    assert shown(found) == Path("runs/a")
    monkeypatch.chdir("/")
    assert place(found) == found
    assert shown(found) == Path(*found.parts[1:])
    monkeypatch.setenv("HOME", str(tmp_path))
    assert place("~/x") == tmp_path / "x"
    with pytest.raises(UsageError):
        place("a\0b")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("XLA_FLAGS", "--nope", "Unknown flag in XLA_FLAGS: --nope"),
        pytest.param("TF_XLA_FLAGS", "--nope", "Unknown flag in TF_XLA_FLAGS: --nope", marks=pytest.mark.slow),
        pytest.param("XLA_FLAGS", "nowhere.txt", 'Could not open file "nowhere.txt"', marks=pytest.mark.slow),
    ],
)
def test_flags_that_the_compiler_does_not_take_are_refused(
    variable: str, value: str, said: str, tmp_path: Path
) -> None:
    line = refusal(tmp_path, *LINE, **{variable: value})
    assert line.startswith(f"error: TensorFlow cannot use {variable}={value}: {said}")


@pytest.mark.slow
def test_flags_that_the_compiler_takes_do_no_harm(tmp_path: Path) -> None:
    finished = ran(tmp_path, *LINE, "--logdir", "run", XLA_FLAGS="--xla_cpu_enable_fast_math=false")
    assert finished.returncode == 0, finished.stderr
