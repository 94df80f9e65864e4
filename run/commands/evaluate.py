"""`evaluate`: the raw return of a trained agent, in both action modes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baselines_ppo.run.options import add_agent, add_episodes, check_least
from baselines_ppo.run.parser import Parser

HELP = "raw return of a trained agent, deterministic and stochastic"
USAGE = "AGENT"


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add this command's flags."""
    add_agent(result)
    add_episodes(result, 20)


def run(options: dict[str, Any]) -> int:
    """Print a table of returns; returns the exit code."""
    from baselines_ppo.run.agents.scoring import evaluate

    check_least(options)
    return evaluate(**options)
