"""`pong`: a person plays against a trained agent, in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baselines_ppo.run.options import AGENT, add_page, check_least, on_one_rank
from baselines_ppo.run.parser import Parser, converter

HELP = "play Pong against a trained agent, in a browser"
USAGE = "[AGENT]"


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add this command's flags."""
    add = result.add_argument
    add("agent", nargs="?", default="RoboPongDuel-v1", help=AGENT)
    add("--network", metavar="MODULE:FUNCTION", help="where the agent's own kind of network is from")
    add("--level", choices=("easy", "medium", "hard"), default="medium", help="of the agent; default medium")
    add("--seed", type=converter(int), default=0, help="of the serves; default 0")
    add_page(result)


def run(options: dict[str, Any]) -> int:
    """Serve its page until Ctrl-C; returns the exit code."""

    def show() -> int:
        from baselines_ppo.run.agents.dueling import pong

        return pong(**options)

    check_least(options)
    return on_one_rank("pong", show)
