"""What a network of one's own is given to compute with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np

from baselines_ppo.common.policy.arrays import NUMPY, tensorflow_arrays

SQUASHED = """
from baselines_ppo import Network, Parameter

def squashed(observation_shape, settings):
    weights = Parameter("in", (observation_shape[0], 8), gain=1.0)
    return Network([weights], 8, lambda xp, p, x: xp.sigmoid(x @ p["in"]))
"""


def test_acting_and_learning_know_the_same_names() -> None:
    tensorflow = tensorflow_arrays()
    assert vars(NUMPY).keys() == vars(tensorflow).keys()
    x = np.array([[0.5, -1.0], [2.0, 0.25]], np.float32)
    for name in ("tanh", "exp", "abs", "sum", "max"):
        np.testing.assert_allclose(getattr(NUMPY, name)(x), getattr(tensorflow, name)(x).numpy(), rtol=1e-6)


def test_a_name_that_is_not_there_is_said_in_a_line_before_anything_is_collected(
    trainer: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(SQUASHED)
    done = trainer(1, "--env", "CartPole-v1", "--network", "mine:squashed")
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert "xp has no sigmoid; it has abs, asarray, concatenate, exp" in last
    assert "Traceback" not in done.stderr
