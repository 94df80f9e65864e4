"""`steer`: a trained agent in the browser, which runs where one clicks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baselines_ppo.run.options import add_agent, add_page, check_least, on_one_rank
from baselines_ppo.run.parser import Parser

HELP = "a trained agent in a browser, which runs where you click"
USAGE = "[AGENT]"


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add this command's flags."""
    add_agent(result, nargs="?", default="RoboHumanoidFlagrunHarder-v1")
    add_page(result)


def run(options: dict[str, Any]) -> int:
    """Serve its page until Ctrl-C; returns the exit code."""

    def show() -> int:
        from baselines_ppo.run.agents.serving import steer

        return steer(**options)

    check_least(options)
    return on_one_rank("steer", show)
