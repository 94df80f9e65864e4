"""Flags: their texts as values, and one line for those that are unknown or are called otherwise elsewhere."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Protocol

from baselines_ppo.common.envs.keywords import split_list
from baselines_ppo.common.failures import UsageError, nearest
from baselines_ppo.run.program import called
from baselines_ppo.settings.elsewhere import how, ours_for
from baselines_ppo.settings.fields import EMPTY, element_type, is_optional, plain_type

HELP_FLAGS = frozenset({"-h", "--help"})
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class Command(Protocol):
    """What a module of `run.commands` has; importing it is quick, what it runs is imported by `run`."""

    HELP: str  # one line
    USAGE: str  # what is typed before the flags

    def add_options(self, result: Parser, arguments: Sequence[str]) -> None:
        """Add the command's flags to a parser; which there are may depend on what is typed."""

    def run(self, options: dict[str, Any]) -> int:
        """Run it with the flags' values by their names; returns the exit code, the same on all ranks."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises a UsageError of one line, with the flag that was probably meant."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage once per rank."""
        prefix = "unrecognized arguments: "
        if message.startswith(prefix):
            flag = message.removeprefix(prefix).split()[0].split("=")[0]
            message = f"unknown flag {flag}{self._meant(flag)}" if flag.startswith("-") else f"unexpected word {flag}"
        raise UsageError(f"{message}; see {self.prog} --help")

    def _meant(self, flag: str) -> str:
        known = [name for action in self._actions for name in action.option_strings]
        ours = ours_for(flag, [name.removeprefix("--") for name in known])
        return nearest(flag, known) if ours is None else f"; ours is --{ours}{how(flag, ours)}"


def parser_of(name: str, command: Command, arguments: Sequence[str]) -> Parser:
    """Return the parser of a command for what is typed behind its name."""
    result = Parser(
        prog=called() + ("" if name == "train" else f" {name}"),
        description=command.HELP,
        allow_abbrev=False,
        usage=f"%(prog)s {command.USAGE} [flags]",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=34, width=110),
    )
    command.add_options(result, arguments)
    return result


def value_of(arguments: Sequence[str], flag: str) -> str | None:
    """Return the value of a flag among arguments that are not parsed yet, the last one given; None without."""
    found = None
    for word, value in itertools.pairwise([*arguments, ""]):
        if word == flag:
            found = value
        elif word.startswith(f"{flag}="):
            found = word.removeprefix(f"{flag}=")
    return found


def check_none_empty(arguments: Sequence[str]) -> None:
    """Refuse a value that is empty, as that of a shell's variable which is not set: it would be the working folder.

    Raises:
      UsageError: names the flag.
    """
    for flag, value in itertools.pairwise(["", *arguments]):
        if not value.strip():
            what = flag if flag.startswith("-") else "an argument"
            raise UsageError(f"{what} is empty; give a value, or leave it out")
        name, equals, inner = value.partition("=")
        if name.startswith("--") and equals and not inner.strip():
            raise UsageError(f"{name} is empty; give a value, or leave it out")


def dashed(argument: str) -> str:
    """Return --num_envs=8 as --num-envs=8."""
    if not argument.startswith("--"):
        return argument
    flag, equals, value = argument.partition("=")
    return flag.replace("_", "-") + equals + value


def converter(kind: Any) -> Callable[[str], Any]:
    """Return what turns a flag's text into its type; argparse names the flag if it raises ValueError."""
    plain, optional = plain_type(kind), is_optional(kind)

    def convert(text: str) -> Any:
        if optional and text.lower() == "none":
            return None
        if plain is bool:
            if text.lower() not in TRUE + FALSE:
                raise ValueError(text)
            return text.lower() in TRUE
        if plain is int:
            return _whole(text)
        if plain is tuple:
            parts = [] if text.lower() in ("none", EMPTY) else listed(text)
            element: Any = {int: _whole}.get(element_type(kind), element_type(kind))
            return tuple(map(element, parts))
        return plain(text)

    convert.__name__ = {tuple: "list"}.get(plain, plain.__name__)
    return convert


def listed(text: str) -> list[str]:
    """Return the entries of a list; argparse names the flag if one is empty."""
    try:
        return split_list(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _whole(text: str) -> int:
    """Return 2500000 for 2.5e6 too."""
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not number.is_integer():
            raise
        return int(number)


def metavar(choices: tuple[str, ...], kind: Any) -> str:
    """Return how the help names the value of a flag."""
    plain = plain_type(kind)
    return "|".join(choices) or {tuple: "A,B,...", bool: "true|false"}.get(plain, plain.__name__.upper())
