"""The benchmark: its model of sums over ranks, and that its tables come out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from baselines_ppo.common.failures import UsageError
from baselines_ppo.run.bench import record as record_file
from baselines_ppo.run.bench.report import PARTS, RATIOS
from baselines_ppo.run.bench.scaling import fit
from baselines_ppo.run.cli import main
from baselines_ppo.state.code import code_digest
from baselines_ppo.state.platform_facts import platform_facts
from benchmarks import speed
from tests.conftest import ROOT, Finished


def test_the_fit_finds_the_latency_and_bandwidth_that_times_were_made_of() -> None:
    """30 us per doubling, 2 GB/s: four ranks sum 1,000 floats in 60 us + 2 x 3/4 x 4 kB / 2 GB/s = 63 us."""
    times = {
        ranks: {
            str(size): 30e-6 * floors + 8 * size * (ranks - 1) / ranks / 2e9 for size in (1_000, 100_000, 1_000_000)
        }
        for floors, ranks in ((1, 2), (2, 4), (3, 8))
    }
    assert times[4]["1000"] == pytest.approx(63e-6)
    assert fit(times) == pytest.approx((30e-6, 1 / 2e9))


@pytest.mark.parametrize(
    ("flags", "rank"),
    [
        (("--env", "CartPole-v1", "--ranks", "1"), "1"),
        (("--env", "InvertedPendulum-v4", "--preset", "--agent", "zoo", "--ranks", "2"), "2"),
    ],
)
def test_the_table_has_a_row_for_each_environment_and_number_of_ranks(
    flags: tuple[str, ...], rank: str, trainer: Callable[..., Finished], tmp_path: Path
) -> None:
    """And a record has the figures of the table, with what was typed, where it ran and by which code."""
    finished = trainer(1, "bench", *flags, "--out", tmp_path / "x.json")
    assert finished.returncode == 0, finished.stderr
    (line,) = [line for line in finished.stdout.splitlines() if line.startswith(f"{flags[1]} ")]
    cells = line.split()
    assert cells[1] == rank
    has_mujoco = flags[1] != "CartPole-v1"
    assert (cells[3] != "-") == (cells[-1] != "-") == has_mujoco
    assert ("no steps of MuJoCo" in finished.stdout) != has_mujoco
    simulator, same_states, environments, collecting, learning, training = (
        None if x == "-" else float(x.replace(",", "")) for x in cells[2:8]
    )
    assert min(simulator or 0, environments or 0, same_states or 1) > 0
    assert min(collecting or 0, learning or 0) > (training or 0) > 0  # which is made of both
    record = json.loads((tmp_path / "x.json").read_text())
    assert record["command"] == f"python -m baselines_ppo.run bench {' '.join(flags)}"
    (row,) = record["rows"]
    assert [f"{row[name]:,}" if name in row else "-" for name in PARTS] == cells[2:8]
    shares = [row.get(f"of_{name}") for name in RATIOS]
    assert ["-" if share is None else f"{share:.2f}" for share in shares] == cells[8:]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    assert (record["commit"] or "").rstrip("+") == head
    assert (record["code"], record["platform"]["cpu"]) == (code_digest(), platform_facts()["cpu"])
    assert all(figure in speed.table(record).replace(" ", ",") for figure in cells[2:8])


@pytest.mark.parametrize("sign", [" ", "="])
def test_a_record_does_not_say_where_things_are_on_a_machine(sign: str) -> None:
    typed = f"bench --env X-v0 --out{sign}x.json --peer-python{sign}/home/me/python --pairs=2".split()
    assert " ".join(record_file.typed(typed)) == "bench --env X-v0 --peer-python /path/to/sb3/bin/python --pairs=2"


@pytest.mark.parametrize("out", ["x.txt", "nowhere/x.json", "."])
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(
    out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="--out is "):
        main(["bench", "--out", out])
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--env", "CartPole-v1,CartPol-v1"), "unknown environment CartPol-v1"),
        (
            ("--env", "CartPole-v1", "--score", "20", "--ranks", "1,2"),
            "--ranks is 1,2, expected one number with --score",
        ),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_measured(
    flags: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=message):
        main(["bench", *flags])
    assert capsys.readouterr().out == ""


def test_a_commit_is_marked_wherever_a_file_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words], cwd=tmp_path, check=True)

    (tmp_path / "run").mkdir()
    for name in ("run/record.py", "learner.py"):
        (tmp_path / name).touch()
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "all")
    monkeypatch.setattr(record_file, "__file__", str(tmp_path / "run" / "record.py"))
    assert not str(record_file.commit()).endswith("+")
    (tmp_path / "learner.py").write_text("x = 1\n")
    assert str(record_file.commit()).endswith("+")


def test_code_outside_of_a_checkout_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed inside of somebody else's checkout, it does not take that commit for its own."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "other.py").touch()
    named = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", *named, "commit", "-qm", "theirs", "--allow-empty"], cwd=tmp_path, check=True)
    monkeypatch.setattr(record_file, "__file__", str(tmp_path / "record.py"))
    assert record_file.commit() is None


def test_bench_is_not_for_mpirun(trainer: Callable[..., Finished]) -> None:
    finished = trainer(2, "bench")
    assert finished.returncode == 2
    assert "run it without mpirun" in finished.stderr
