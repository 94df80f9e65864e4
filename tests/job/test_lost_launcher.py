"""The process manager of mpirun is killed: nothing stays behind, and the newest checkpoint is whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from baselines_ppo.common.files import checkpoint
from tests.job.test_alive import until
from tests.job.test_faults import Training


def children(process: int) -> list[int]:
    """Return the processes that one has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        fields = status(int(path.name))
        if fields and int(fields[1]) == process:
            found.append(int(path.name))
    return found


def status(process: int) -> list[str]:
    """Return state and parent of a process; nothing of one that is gone, or was not yet asked for its end."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return [] if fields[0] == "Z" else fields


@pytest.mark.parametrize(("after", "pause"), [(0, 0.5), (0, 1.5), (2, 0.0), (3, 0.02), (4, 0.3)])
def test_ranks_whose_launcher_is_killed_end_with_mpirun(after: int, pause: float, tmp_path: Path) -> None:
    """While it starts, runs and saves: it does so after every iteration."""
    with Training(tmp_path, "stub+none", after=after) as mpirun:
        until(lambda: bool(children(mpirun.pid)), 20)
        (manager,) = children(mpirun.pid)
        until(lambda: len(children(manager)) == 2, 20)
        time.sleep(pause)
        ranks = children(manager)
        os.kill(manager, signal.SIGKILL)
        assert mpirun.wait(20) not in (0, 75)
        until(lambda: not any(map(status, ranks)), 20)
    if after:
        found, skipped = checkpoint.find(tmp_path / "run")
        assert skipped == []
        assert found.manifest["iteration"] >= after
        assert "the launcher of this rank is gone" in (tmp_path / "run" / "ranks" / "01.log").read_text()


WAITS_IN_C = """
import ctypes, os, sys
from baselines_ppo.common.job.parent import killed_with_parent

if os.fork():
    sys.stdin.read()  # until it is killed
with killed_with_parent():
    if sys.argv[1] == "inside":
        os.write(1, b"%d\\n" % os.getpid())
        ctypes.PyDLL(None).sleep(60)  # which keeps Python's lock
os.write(1, b"%d\\n" % os.getpid())
ctypes.PyDLL(None).sleep(60)
"""


@pytest.mark.parametrize("where", ["inside", "behind"])
def test_who_waits_in_c_while_mpi_starts_is_killed_with_its_parent_and_later_is_not(where: str) -> None:
    words = [sys.executable, "-c", WAITS_IN_C, where]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        if where == "inside":
            until(lambda: not status(child), 20)
        else:
            time.sleep(0.5)
            assert status(child)
            os.kill(child, signal.SIGKILL)
