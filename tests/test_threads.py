"""One thread per rank, whatever was imported first."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from baselines_ppo.common.threads import VARIABLES
from tests.conftest import ROOT


@pytest.mark.parametrize(("wanted", "expected"), [(None, 1), ("2", 2)])
def test_numpy_keeps_to_the_limit_even_if_it_was_imported_before(wanted: str | None, expected: int) -> None:
    """Its threads are started by its import: as many as cores, unless the environment says otherwise."""
    code = (
        "import numpy\n"
        "from threadpoolctl import threadpool_info, threadpool_limits\n"
        "threadpool_limits(2)\n"
        "from baselines_ppo.common.threads import limit_threads\n"
        "limit_threads()\n"
        "print(*{pool['num_threads'] for pool in threadpool_info()})"
    )
    env = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    env |= {} if wanted is None else {"OMP_NUM_THREADS": wanted}
    finished = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True)
    assert finished.stdout.split() == [str(expected)], finished.stderr
