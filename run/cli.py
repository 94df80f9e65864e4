"""From what is typed to the command that is meant: `python -m baselines_ppo.run [COMMAND] ...`."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import cast

from baselines_ppo import __version__
from baselines_ppo.common.failures import UsageError, nearest
from baselines_ppo.common.job.launcher import launched_rank
from baselines_ppo.common.job.opengl import check_chosen
from baselines_ppo.run.parser import HELP_FLAGS, Command, Parser, check_none_empty, dashed, parser_of, value_of
from baselines_ppo.settings.config import imported_algorithm

# Each is a module of `run.commands`; the first is meant where none is named.
COMMANDS = (
    "train",
    "evaluate",
    "play",
    "record",
    "race",
    "steer",
    "pong",
    "export",
    "clone",
    "sweep",
    "plot",
    "compare",
    "report",
    "tune",
    "bench",
    "launch",
    "doctor",
    "zoo",
)

ELSEWHERE = {"enjoy": "play", "optimize": "tune", "record-video": "record"}  # what RL Zoo's scripts are called

SEVERAL = "sweep"  # names several algorithms, and imports them itself


def main(arguments: list[str]) -> int:
    """Run one command; returns its exit code, the same on all ranks.

    Raises:
      Failure: anything a user can act on.
    """
    check_chosen()
    arguments = [dashed(argument) for argument in arguments]
    check_none_empty(arguments)
    if "--version" in arguments[:1]:
        if launched_rank() == 0:
            print(f"baselines_ppo {__version__}")
        return 0
    name, rest = divided(registered(arguments))
    shown = parser(name, rest)
    own = rest[: rest.index("--")] if "--" in rest else rest
    if HELP_FLAGS & set(own):
        if launched_rank() == 0:
            shown.print_help()
        return 0
    return find(name).run(vars(shown.parse_args(rest)))


def divided(arguments: list[str]) -> tuple[str, list[str]]:
    """Return the command's name, and what is typed behind it.

    Raises:
      UsageError: there is no such command.
    """
    if arguments and arguments[0] in COMMANDS:
        return arguments[0], arguments[1:]
    if arguments and not arguments[0].startswith("-"):
        known = ", ".join(COMMANDS)
        ours = ELSEWHERE.get(arguments[0].replace("_", "-"))
        hint = f"; ours is {ours}" if ours else nearest(arguments[0], COMMANDS)
        raise UsageError(f"unknown command {arguments[0]}{hint}; known: {known}")
    return COMMANDS[0], arguments


def find(name: str) -> Command:
    """Return a command by its name."""
    return cast(Command, importlib.import_module(f"baselines_ppo.run.commands.{name}"))


def parser(name: str, arguments: Sequence[str]) -> Parser:
    """Return the parser of a command for what is typed behind its name; the default one's help names the others."""
    result = parser_of(name, find(name), arguments)
    if name == COMMANDS[0] and HELP_FLAGS & set(arguments):
        others = "; ".join(f"{other}: {find(other).HELP}" for other in COMMANDS)
        result.epilog = f"With --env ID the help gives that environment's own defaults. Other commands: {others}"
    return result


def registered(arguments: list[str]) -> list[str]:
    """Return the arguments with `--alg NAME` for `--alg MODULE:NAME`, after MODULE was imported, which registers it.

    Raises:
      UsageError: there is no such module, or it registers no such algorithm.
    """
    named = value_of(arguments, "--alg")
    if named is None or ":" not in named or arguments[0] == SEVERAL:
        return arguments
    name = imported_algorithm(named)
    return [name if word == named else word.replace(f"--alg={named}", f"--alg={name}") for word in arguments]
