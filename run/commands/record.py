"""`record`: films of a trained agent, replays that open in a browser, and demonstrations; needs no display."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baselines_ppo.run.options import add_agent, add_episodes, add_pictures, add_stochastic, check_least, on_one_rank
from baselines_ppo.run.parser import Parser, converter

HELP = "a film or a replay of a trained agent, without a display, or its episodes"
USAGE = "AGENT --out FILE"


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add this command's flags."""
    add_agent(result)
    add_episodes(result, 1)
    add_stochastic(result)
    seconds = "at most; default: whole episodes, of endless ones 120 s"
    result.add_argument("--seconds", type=converter(float), help=seconds)
    add_pictures(result, required=True, others="; or npz: demonstrations for `clone`")


def run(options: dict[str, Any]) -> int:
    """Write a film, a replay or demonstrations; returns the exit code."""

    def show() -> int:
        from baselines_ppo.run.agents.recording import Recording, record

        return record(Recording(**options))

    check_least(options)
    return on_one_rank("record", show)
