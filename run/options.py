"""Flags that several commands share, and the checks of all commands that show an agent."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import Field
from typing import Any

from baselines_ppo.common.failures import STOPPED_BY_CTRL_C, UsageError
from baselines_ppo.common.job.launcher import launched_size
from baselines_ppo.run.parser import Parser, converter, metavar
from baselines_ppo.settings.fields import choices_of, plain_type

AGENT = "run folder, checkpoint, agent folder or zoo:NAME"

RUNS = "run folders, folders that contain runs, or patterns such as 'runs/*/ppo2-*'"

REGISTERED = "registered"


def add_agent(result: Parser, **optional: Any) -> None:
    """Add an agent, the environment it acts in, and the seed of its episodes."""
    add = result.add_argument
    add("agent", **optional, help=AGENT)
    add("--env", metavar="ID", help="environment; default: the one it was trained on")
    add("--env-kwargs", metavar="JSON", help="of the environment; default: the agent's own")
    wrapper = "module:Class or module:Class(key=value); default: its own"
    add("--wrapper", type=converter(tuple[str, ...]), help=wrapper)
    add("--network", metavar="MODULE:FUNCTION", help="where the agent's own kind of network is from")
    add("--seed", type=converter(int), default=0, help="of the episodes; default 0")


def add_field(group: Any, item: Field[Any], kind: Any, note: str = "") -> None:
    """Add a setting as a flag, which is only there where it was typed.

    Args:
      group: of a parser's.
      note: behind its help, in brackets; '' for none.
    """
    group.add_argument(
        "--" + item.name.replace("_", "-"),
        type=converter(kind),
        metavar=metavar(choices_of(item), kind),
        **({"nargs": "?", "const": True} if plain_type(kind) is bool else {}),
        default=argparse.SUPPRESS,
        help=f"{item.metadata['help']}{f' ({note})' * bool(note)}".replace("%", "%%"),
    )


def add_runs(result: Parser) -> None:
    """Add runs, and the fields that put them into groups."""
    result.add_argument("runs", nargs="+", help=RUNS)
    by = "fields that make the groups, such as alg or alg,gamma; default: those in which the runs differ"
    result.add_argument("--by", metavar="FIELD,...", type=converter(tuple[str, ...]), help=by)


def add_threshold(result: Parser, meaning: str) -> None:
    """Add a return that says when an environment is solved."""
    help = f"{meaning}; default: the one that the environment is registered with"
    result.add_argument("--threshold", metavar="RETURN", type=threshold_of, default=REGISTERED, help=help)


def threshold_of(text: str) -> float | str | None:
    """Return a threshold as it is typed; argparse names the flag if it raises ValueError."""
    return {"none": None, REGISTERED: REGISTERED}[text] if text in ("none", REGISTERED) else float(text)


threshold_of.__name__ = "number"  # as argparse calls what it expects


def add_episodes(result: Parser, episodes: int) -> None:
    """Add how many episodes are played, and how long one may be."""
    result.add_argument("--episodes", type=converter(int), default=episodes, help=f"default {episodes}")
    steps = "of an episode at most; default: 30,000 where the environment has no time limit"
    result.add_argument("--max-steps", type=converter(int), metavar="STEPS", help=steps)


def add_stochastic(result: Parser) -> None:
    """Add whether actions are drawn."""
    result.add_argument("--stochastic", action="store_true", help="draw actions; default: the most likely ones")


def add_page(result: Parser) -> None:
    """Add where a page is served."""
    result.add_argument("--host", default="127.0.0.1", help="to listen at; default 127.0.0.1: this machine alone")
    result.add_argument("--port", type=converter(int), default=8080, help="of the page; default 8080, 0: any free one")


def add_pictures(result: Parser, required: bool, others: str = "") -> None:
    """Add the file of a film or replay, and its pictures' size and number.

    Args:
      others: what else the file may be, in words.
    """
    add = result.add_argument
    kinds = f"mp4, gif or webp, or html: a replay that opens in a browser{others}"
    add("--out", metavar="FILE", required=required, help=kinds)
    add("--width", type=converter(int), help="of pictures, in pixels; default 640, of a gif 480")
    add("--height", type=converter(int), help="default 480, of a gif 352")
    add("--fps", type=converter(float), help="pictures per second, about; default 30, of a gif 20")


def check_least(options: Mapping[str, Any], dashes: str = "--") -> None:
    """Check numbers that may not be smaller.

    Args:
      dashes: before the names, where they are flags.

    Raises:
      UsageError: names the number.
    """
    for name, least in (("episodes", 1), ("seed", 0)):
        if options.get(name, least) < least:
            raise UsageError(f"{dashes}{name} is {options[name]}, expected at least {least}")


def on_one_rank(command: str, show: Callable[[], int]) -> int:
    """Run a command that is for one rank alone, until it is over or Ctrl-C ends it; returns the exit code.

    Args:
      command: its name.
      show: does what it is for; returns the exit code.

    Raises:
      UsageError: there are several ranks.
    """
    if launched_size() > 1:
        raise UsageError(f"{command} needs one rank; run it without mpirun")
    try:
        return show()
    except KeyboardInterrupt:  # no training goes on
        return STOPPED_BY_CTRL_C
