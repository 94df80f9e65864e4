"""Runs that move to a processor whose matrix products are rounded differently."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT, command
from tests.policy.test_rows import KNOWN
from tests.runs import flags


def trained(folder: Path, kernels: str, *words: object) -> str:
    done = subprocess.run(
        command(1, "-m", "baselines_ppo.run", *map(str, (*flags("tests.stubbed:CartPole-v1", "ppo2", 2), *words))),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_CORETYPE": kernels},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif("avx" not in KNOWN, reason="needs a processor with AVX")
def test_a_resume_with_other_kernels_says_that_it_is_not_exact(tmp_path: Path) -> None:
    trained(tmp_path, "Nehalem", "--num-timesteps", 256, "--logdir", "run")
    shown = trained(tmp_path, "Sandybridge", "--num-timesteps", 512, "--resume", "run")
    assert "not bit-exact, blas Nehalem -> Sandybridge" in shown
