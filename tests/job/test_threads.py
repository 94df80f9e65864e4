"""One thread per rank, whatever was imported first."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from baselines_ppo.common.job.threads import VARIABLES
from tests.conftest import ROOT

LIMIT = "from baselines_ppo.common.job.threads import limit_threads; limit_threads()"
SHOW = (
    "import os; from threadpoolctl import threadpool_info; "
    "print(max(pool['num_threads'] for pool in threadpool_info()), os.environ['TF_NUM_INTRAOP_THREADS'])"
)


def threads_of(*lines: str, **environment: str) -> list[int]:
    """Return how many threads numpy and TensorFlow are given by a Python that runs these lines."""
    env = {name: value for name, value in os.environ.items() if name not in (*VARIABLES, "TF_NUM_INTRAOP_THREADS")}
    command = [sys.executable, "-c", "\n".join((*lines, SHOW))]
    finished = subprocess.run(command, cwd=ROOT, env={**env, **environment}, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    return [int(number) for number in finished.stdout.split()]


def test_numpy_keeps_to_one_even_if_it_was_imported_before() -> None:
    two = "from threadpoolctl import threadpool_limits; threadpool_limits(2)"  # as its import does on two cores
    assert threads_of("import numpy", two, LIMIT) == [1, 1]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("OMP_NUM_THREADS", "2", [2, 2]),
        ("OMP_NUM_THREADS", "2,1", [2, 2]),
        ("OMP_NUM_THREADS", "", [1, 1]),
        ("OPENBLAS_NUM_THREADS", "2", [2, 1]),
    ],
)
def test_what_the_user_has_set_stays(name: str, value: str, expected: list[int]) -> None:
    """Also when a training limits the threads a second time, after numpy was imported."""
    assert threads_of(LIMIT, "import numpy", LIMIT, **{name: value}) == expected
    assert threads_of("import numpy", LIMIT, **{name: value})[1] == expected[1]
