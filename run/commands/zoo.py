"""`zoo`: the pretrained agents; what they are, how good they are, whether that is still so, and how one is added."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from baselines_ppo.common.envs.keywords import canonical_wrapper
from baselines_ppo.common.failures import UsageError, nearest, short
from baselines_ppo.common.files.whole import shown
from baselines_ppo.run.options import check_least, on_one_rank
from baselines_ppo.run.parser import HELP_FLAGS, Parser, converter

ACTIONS = {
    "list": "all pretrained agents in a table",
    "show": "one in full: how it was trained, what it scores, its learning curve",
    "score": "measure an agent again and write its card anew",
    "verify": "check files and scores against the cards; exit code 65 if a score is lower than chance explains",
    "add": "make a pretrained agent of a run's best checkpoint",
    "remove": "delete a pretrained agent",
    "table": "all of them as a Markdown table",
    "page": "all of them as cards on one web page: picture, scores, learning curve, command",
}
HELP = "the pretrained agents: list, show, score, verify, add, remove, table or page"
USAGE = "ACTION"


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add the flags of the action that the arguments begin with.

    Raises:
      UsageError: there is no such action.
    """
    action = arguments[0] if arguments else ""
    if action in ACTIONS:
        result.add_argument("action", choices=[action], help=argparse.SUPPRESS)
        result.prog, result.usage, result.description = f"{result.prog} {action}", None, ACTIONS[action]
        _add_options_of(action, result)
    elif HELP_FLAGS & set(arguments):
        result.formatter_class = argparse.RawDescriptionHelpFormatter
        result.description = "\n".join(f"  {name:<8}{text}" for name, text in ACTIONS.items())
        result.epilog = f"The flags of one: {result.prog} ACTION --help"
    else:
        unknown = f"unknown action {action}{nearest(action, ACTIONS)}" if action else "no action"
        raise UsageError(f"zoo: {unknown}; known: {', '.join(ACTIONS)}")


def run(options: dict[str, Any]) -> int:
    """Run one of the actions; returns its exit code, the same on all ranks."""
    from baselines_ppo.common.mpi import world

    action = options.pop("action")
    check_least(options)
    if action in ("list", "show", "table"):
        from baselines_ppo.run.cards import tables as cards

        printing: dict[str, Callable[..., int]] = {"list": cards.list_agents, "show": cards.show, "table": cards.table}
        return world().on_root(lambda: printing[action](**options))
    if action == "page":
        return _page(**options)
    from baselines_ppo.common.policy.networks import find_network
    from baselines_ppo.run.cards import measure, shelf
    from baselines_ppo.run.cards.export import Named

    if "network" in options:
        network = options.pop("network")
        if network is not None:
            find_network(network)
        options["named"] = Named(options.pop("env"), options.pop("wrapper"), options.pop("env_kwargs"))
    actions: dict[str, Callable[..., int]] = {
        "score": measure.score,
        "verify": measure.verify,
        "add": shelf.add,
        "remove": shelf.remove,
    }
    return actions[action](**options)


def _page(out: str, films: bool) -> int:
    """Write the page of all agents; returns the exit code."""

    def write() -> int:
        from baselines_ppo.run.cards.gallery import write_gallery

        path = write_gallery(out, films)
        print(f"wrote {short(shown(path))}: {path.stat().st_size / 1e6:.1f} MB")
        return 0

    return on_one_rank("zoo page", write)


def _add_options_of(action: str, result: Parser) -> None:
    add = result.add_argument
    if action in ("show", "score"):
        add("name", metavar="NAME", help="an agent's, or its folder")
    elif action == "verify":
        add("names", metavar="NAME", nargs="*", help="agents' or their folders; default: all pretrained ones")
    elif action == "remove":
        add("name", metavar="NAME", help="of the agent")
    elif action == "add":
        add("run", metavar="RUN", help="run folder: its best checkpoint; RUN:last: its newest; or a single checkpoint")
        add("--name", help="of the agent; default: its environment's")
        add("--replace", action="store_true", help="put it in the place of one of the same name")
    elif action == "page":
        add("--out", metavar="FILE", default="zoo.html", help="the page, or a folder for zoo.html; default zoo.html")
        add("--films", action="store_true", help="a film or a replay of each beside it; takes some minutes")
    if action in ("score", "verify", "add"):
        add("--env", metavar="ID", help="the agent's own, where it is of a module: module:id")
        add("--env-kwargs", metavar="JSON", help="the agent's own, where they may lead to a file")
        add("--wrapper", type=_listed, help="the agent's own, where they are of a module: module:Class")
        add("--network", metavar="MODULE:FUNCTION", help="where the agent's own kind of network is from")
        episodes = 20 if action == "verify" else 100
        add("--episodes", type=converter(int), default=episodes, help=f"in each action mode; default {episodes}")
    if action in ("score", "add"):
        add("--seed", type=converter(int), default=0, help="of the episodes; default 0")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(map(canonical_wrapper, converter(tuple[str, ...])(text)))


_listed.__name__ = "list"  # as argparse calls it
