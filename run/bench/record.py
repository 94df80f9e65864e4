"""A measurement as a JSON record: what was typed, where it ran, by which code, and what it gave."""

from __future__ import annotations

import itertools
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from baselines_ppo.common.files.whole import write_whole
from baselines_ppo.common.job.cores import usable_cores
from baselines_ppo.state.code import code_digest
from baselines_ppo.state.platform_facts import platform_facts

Row = dict[str, Any]  # of one environment and number of ranks
PLACES = ("--out=", "--peer-python=")  # flags whose values are places on this machine
PEER = "/path/to/sb3/bin/python"  # what stands for one


def write(path: Path, kind: str, rows: list[Row]) -> None:
    """Write a record of what was measured.

    Args:
      kind: which table it is of: parts, peer, score, scaling or simulation.

    Raises:
      WriteError: the file cannot be written.
    """
    record = {
        "kind": kind,
        "command": shlex.join(["python", "-m", "baselines_ppo.run", *typed(sys.argv[1:])]),
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit(),
        "code": code_digest(),
        "cores": usable_cores(),
        "platform": platform_facts(),
        "rows": rows,
    }
    write_whole(path, json.dumps(record, indent=1) + "\n")


def typed(arguments: list[str]) -> list[str]:
    """Return the arguments that decide what is measured: not the record's own file, nor where the peer's Python is."""
    split = [part for word in arguments for part in (word.split("=", 1) if word.startswith(PLACES) else [word])]
    kept = [word for before, word in itertools.pairwise(["", *split]) if "--out" not in (before, word)]
    return [PEER if before == "--peer-python" else word for before, word in itertools.pairwise(["", *kept])]


def commit() -> str | None:
    """Return the commit of the checkout that this code is in, with a + if files differ from it; None outside of one."""
    folder = Path(__file__).resolve().parent

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "record.py")  # else it is installed inside of somebody else's checkout
        changed = git("status", "--porcelain", "--untracked-files=no")  # anywhere in the checkout
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):  # no git, or no checkout
        return None
