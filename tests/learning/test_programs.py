"""Several trainings in one process: they share what was compiled, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import configure, train
from baselines_ppo.common import programs
from baselines_ppo.common.policy.networks import NETWORKS, mlp, register_network
from tests.conftest import ROOT
from tests.runs import arrays, assert_same_bits

SHAPE: dict[str, Any] = {"num_envs": 2, "num_steps": 32, "num_minibatches": 2, "num_epochs": 2, "num_timesteps": 128}
WHOLE_EPISODES: dict[str, Any] = {"num_envs": 2, "num_episodes": 2, "value_epochs": 2, "num_timesteps": 800}


def trained(folder: Path, alg: str, **fields: Any) -> dict[str, np.ndarray]:
    folder = folder / f"run-{len(list(folder.iterdir()))}"
    shape = WHOLE_EPISODES if alg == "ppo_kl" else SHAPE
    train(configure("Pendulum-v1", alg, preset="none", **{**shape, **fields}), logdir=folder)
    return arrays(folder)


@pytest.mark.parametrize(
    ("alg", "other"),
    [
        ("ppo2", {"learning_rate": 1e-3, "clip_range": 0.3, "seed": 1}),
        pytest.param("ppo2", {"entropy_coef": 0.1}, marks=pytest.mark.slow),
        pytest.param("ppo2", {"kl_coef": 1.0}, marks=pytest.mark.slow),
        pytest.param("ppo2", {"hidden_sizes": (16,)}, marks=pytest.mark.slow),
        ("ppo2", {"kl_stop": 1e-12}),
        pytest.param("ppo1", {"entropy_coef": 0.1, "num_epochs": 3}, marks=pytest.mark.slow),
        pytest.param("trpo", {"cg_damping": 1.0, "adam_epsilon": 1e-3}, marks=pytest.mark.slow),
        pytest.param("trpo", {"num_envs": 4, "num_steps": 16, "num_minibatches": 1}, marks=pytest.mark.slow),
        ("ppo_kl", {"learning_rate": 1e-3, "kl_coef": 3.0, "seed": 1}),
        pytest.param("ppo_kl", {"scale_learning_rates": False, "num_envs": 4}, marks=pytest.mark.slow),
    ],
)
def test_a_training_gives_the_same_whatever_was_trained_before(alg: str, other: dict[str, Any], tmp_path: Path) -> None:
    first, after, again = trained(tmp_path, alg), trained(tmp_path, alg, **other), trained(tmp_path, alg)
    programs._programs.clear()
    alone = trained(tmp_path, alg, **other)
    assert_same_bits(first, again)
    assert_same_bits(after, alone)
    assert first["parameters"].tobytes() != after["parameters"].tobytes()


def test_a_network_of_the_same_name_that_is_built_anew_is_another(tmp_path: Path) -> None:
    """As in a notebook, where a cell is changed and run again."""

    def bent(shape: Any, settings: Any) -> Any:
        found = mlp(shape, settings)
        return found._replace(encode=lambda xp, parts, x: 3.0 * found.encode(xp, parts, x))

    try:
        register_network("mine", mlp)
        plain = trained(tmp_path, "ppo_kl", network="mine")  # of which nothing is compiled
        NETWORKS["mine"] = bent
        changed = trained(tmp_path, "ppo_kl", network="mine")
        programs._programs.clear()
        alone = trained(tmp_path, "ppo_kl", network="mine")
    finally:
        NETWORKS.pop("mine", None)
    assert plain["parameters"].tobytes() != changed["parameters"].tobytes()
    assert_same_bits(changed, alone)


SEARCH = """
import gc, sys, tempfile
from baselines_ppo import configure, train
from baselines_ppo.common.job.memory import resident_megabytes, return_freed_memory
for k in range(7):
    shape = dict(num_envs=2, num_steps=32, num_minibatches=2, num_epochs=1 + k % 2, num_timesteps=128)
    searched = dict(seed=k, learning_rate=1e-4 * (k + 1), clip_range=0.1 + 0.01 * k)
    config = configure("Pendulum-v1", preset="none", **searched, **shape)
    with tempfile.TemporaryDirectory() as folder:
        train(config, logdir=folder + "/run")
    gc.collect()
    return_freed_memory()
    print("MB", resident_megabytes())
"""


@pytest.mark.slow
def test_memory_stays_flat_over_many_trainings() -> None:
    """A program that was compiled takes 15 MB; the first trainings need it, and the two shapes of its batches."""
    finished = subprocess.run([sys.executable, "-c", SEARCH], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert finished.returncode == 0, finished.stderr
    megabytes = [float(line.split()[1]) for line in finished.stdout.splitlines() if line.startswith("MB")]
    assert len(megabytes) == 7
    assert megabytes[6] - megabytes[2] < 4 * 4


@pytest.mark.slow
def test_a_policy_of_convolutions_and_memory_learns_from_sequences_of_any_length(tmp_path: Path) -> None:
    for alg in ("ppo2", "trpo"):
        for steps in (8, 16):
            shape = {**SHAPE, "num_steps": steps, "num_minibatches": 1, "num_timesteps": 2 * steps}
            config = configure("tests.environments:ShownByFrames-v0", alg, preset="none", network="cnn_lstm", **shape)
            train(config, logdir=tmp_path / f"{alg}-{steps}")
            assert np.isfinite(arrays(tmp_path / f"{alg}-{steps}")["parameters"]).all()
