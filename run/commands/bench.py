"""`bench`: how fast training is, against the bare simulator, against Stable-Baselines3, and over ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baselines_ppo.run.parser import Parser, converter

HELP = "how fast training is here, against the bare simulator, a peer, and over ranks"
USAGE = ""
ENVS = ("CartPole-v1", "HalfCheetah-v4", "Humanoid-v4")


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add this command's flags."""
    add = result.add_argument
    add("--env", type=converter(tuple[str, ...]), default=ENVS, help=f"ids; default {','.join(ENVS)}")
    add("--ranks", type=converter(tuple[int, ...]), default=(1, 2), help="numbers of ranks; default 1,2")
    add("--peer-python", metavar="PATH", help="compare with Stable-Baselines3 as this Python has it")
    add("--num-envs", type=converter(int), default=8, help="environments in all; default 8")
    add("--pairs", type=converter(int), default=5, help="runs of both that take turns; default 5")
    add("--scaling", action="store_true", help="over --ranks, with the first environment")
    add("--out", metavar="FILE.json", help="write what was measured, with machine, versions and commit")


def run(options: dict[str, Any]) -> int:
    """Measure and print one of three tables; returns the exit code."""
    from baselines_ppo.run.bench.tables import bench

    return bench(**options)
