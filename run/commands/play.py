"""`play`: watch a trained agent in a window or a browser, or only see its returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baselines_ppo.run.options import add_agent, add_episodes, add_page, add_stochastic, check_least, on_one_rank
from baselines_ppo.run.parser import Parser

HELP = "watch a trained agent in a window or a browser"
USAGE = "AGENT"


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add this command's flags."""
    add_agent(result)
    add_episodes(result, 1)
    add_stochastic(result)
    add = result.add_mutually_exclusive_group().add_argument
    for name, text in (("browser", "watch in a browser"), ("headless", "only print returns")):
        add(f"--{name}", dest="where", action="store_const", const=name, default="window", help=text)
    add_page(result)


def run(options: dict[str, Any]) -> int:
    """Show episodes; returns the exit code."""

    def show() -> int:
        from baselines_ppo.run.agents.playing import Playing, play

        return play(Playing(**options))

    check_least(options)
    return on_one_rank("play", show)
