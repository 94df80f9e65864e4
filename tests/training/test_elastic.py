"""Runs of the real learners that go on with another number of ranks, beside those that never changed it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from baselines_ppo.common.files import checkpoint
from baselines_ppo.run.cli import main
from tests.conftest import ROOT, Finished
from tests.runs import COUNTING, LSTM, arrays, assert_same_bits, flags

SLOW = pytest.mark.slow
# How a run begins, and the steps with which it makes one iteration more.
RUNS: dict[str, tuple[tuple[object, ...], int]] = {
    "counting": ((*flags("CartPole-v1", "ppo_kl", 1), *COUNTING, "--num-timesteps", 100), 200),
    "lstm": ((*flags("CartPole-v1", "ppo2", 2), *LSTM, "--split-minibatches", "true"), 3 * 192),
    "whole": (flags("HalfCheetah-v4", "ppo2", 2), 3 * 192),
}


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        pytest.param("counting", 1, 2, marks=SLOW),
        pytest.param("lstm", 2, 1, marks=SLOW),
        pytest.param("counting", 2, 1, marks=SLOW),
        pytest.param("lstm", 1, 2, marks=SLOW),
        pytest.param("whole", 1, 2),
        pytest.param("whole", 2, 1, marks=SLOW),
    ],
)
def test_another_number_of_ranks_goes_on_with_the_same_trajectories(
    name: str,
    before: int,
    after: int,
    mpi: Callable[..., Finished],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In all bits, because both numbers of ranks divide that of the shards."""
    line, more = RUNS[name]

    def longer(logdir: str) -> tuple[object, ...]:
        return ("--resume", tmp_path / "base" / "checkpoints", "--logdir", tmp_path / logdir, "--num-timesteps", more)

    def run(ranks: int, *lines: tuple[object, ...]) -> str:
        """Run one command after the other; returns what they printed."""
        if ranks == 1:  # here, where TensorFlow is loaded
            assert [main([*map(str, line)]) for line in lines] == [0] * len(lines)
            return capsys.readouterr().out
        arguments = [part for line in lines for part in ("+", *line)][1:]
        finished = mpi(ranks, ROOT / "tests" / "series.py", *arguments)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    stayed = run(before, (*line, "--logdir", tmp_path / "base"), longer("stayed"))
    moved = run(after, longer("moved"))
    assert "elastic" not in stayed
    assert f"elastic, {before} -> {after} ranks, equal\n" in moved
    iteration = int(checkpoint.find(tmp_path / "base")[0].manifest["iteration"]) + 1
    one, other = arrays(tmp_path / "stayed", iteration), arrays(tmp_path / "moved", iteration)
    assert set(one) == set(other)
    assert_same_bits(one, other)
    assert abs(one["parameters"] - arrays(tmp_path / "base")["parameters"]).max() > 1e-3  # it has learned
