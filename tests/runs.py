"""Small runs of the real command, and what they leave behind."""

from __future__ import annotations

import csv
import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.remembered import notes_file
from baselines_ppo.run.cli import main
from tests.conftest import ROOT, command

TIMES = (
    "memory_mb", "seconds", "steps_per_second", "environments_share", "acting_share", "learning_share",
    "evaluating_share", "waiting_share", "sent_mb",
)  # fmt: skip

# Passes over an iteration's experience; the preset of each algorithm but the textbook's has none for these.
PASSES: dict[str, tuple[object, ...]] = {
    **dict.fromkeys(("ppo1", "ppo2", "trpo"), ("--num-minibatches", 4, "--num-epochs", 3)),
    "ppo_kl": ("--num-epochs", 3, "--value-epochs", 2, "--value-minibatch-size", 48, "--wrapper", "none"),
}
COUNTING = ("--num-episodes", 6, "--num-steps", 256)  # ppo_kl: one of each environment; its textbook T is not used
LSTM = ("--network", "lstm", "--lstm-size", 16, "--num-minibatches", 1)


def flags(env: str, alg: str, iterations: int, num_envs: int = 6) -> tuple[object, ...]:
    """Return a small run: six environments, 32 steps, 4 minibatches, 3 epochs."""
    shape = ("--num-envs", num_envs, "--num-steps", 32, *PASSES[alg])
    counted = ("--num-episodes", "none") if alg == "ppo_kl" else ()
    length = ("--num-timesteps", iterations * num_envs * 32)
    return ("--env", env, "--alg", alg, *shape, *counted, *length, "--save-interval", 0)


def run_all(ranks: int, lines: Iterable[Sequence[object]]) -> None:
    """Run one command after the other: one rank is this process, where TensorFlow is loaded; more are a job."""
    words = [[*map(str, line)] for line in lines]
    if ranks == 1:
        assert [main(line) for line in words] == [0] * len(words)
        return
    series = [word for line in words for word in ("+", *line)][1:]
    job = command(ranks, str(ROOT / "tests" / "series.py"), *series)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    finished = subprocess.run(job, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert finished.returncode == 0, finished.stderr


def arrays(path: Path, iteration: int | None = None) -> dict[str, np.ndarray]:
    if iteration is not None:
        return checkpoint.load(path / "checkpoints" / f"ckpt-{iteration:08d}").arrays
    return checkpoint.find(path)[0].arrays


def assert_same_bits(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert set(one) == set(other)
    different = [name for name in one if one[name].tobytes() != other[name].tobytes()]
    assert different == []


def forget() -> None:
    """Let no module be known that somebody has named before, as where a run is somebody else's."""
    notes_file().unlink(missing_ok=True)


def figures(path: Path) -> list[dict[str, str]]:
    """Return progress.csv without what depends on the clock."""
    with (path / "progress.csv").open() as file:
        return [{name: x for name, x in row.items() if name not in TIMES} for row in csv.DictReader(file)]
