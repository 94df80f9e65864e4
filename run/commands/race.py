"""`race`: trained robots side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baselines_ppo.run.options import AGENT, add_pictures, check_least, on_one_rank
from baselines_ppo.run.parser import Parser, converter

HELP = "trained robots side by side"
USAGE = "AGENT AGENT ..."


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add this command's flags."""
    result.add_argument("agents", nargs="+", metavar="AGENT", help=AGENT)
    result.add_argument("--seconds", type=converter(float), default=15.0, help="default 15")
    result.add_argument("--seed", type=converter(int), default=0, help="of the start; default 0")
    add_pictures(result, required=False)


def run(options: dict[str, Any]) -> int:
    """Let them run, and print who came how far; returns the exit code."""

    def show() -> int:
        from baselines_ppo.run.agents.racing import race

        return race(**options)

    check_least(options)
    return on_one_rank("race", show)
