"""`launch`: train on ranks of its own, which are started again after a crash."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from baselines_ppo.common.failures import UsageError
from baselines_ppo.run.commands import train
from baselines_ppo.run.config_file import with_file
from baselines_ppo.run.parser import HELP_FLAGS, Parser, converter, parser_of
from baselines_ppo.run.program import called
from baselines_ppo.settings.fields import typed_algorithm

HELP = "train on ranks of its own, which are started again after a crash"
USAGE = "-n RANKS [--restarts N] -- --env ID"


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add this command's flags; what follows -- is for the training.

    Raises:
      UsageError: there is no --, but there are flags of a training.
    """
    add = result.add_argument
    add("-n", "--ranks", type=converter(int), default=1, help="that mpirun starts; default 1")
    add("--hosts", metavar="FILE", help="lines such as node01:16; default: all ranks on this host")
    add("--restarts", type=converter(int), default=5, help="at most, with --resume; default 5")
    if "--" in arguments:
        add("arguments", nargs="*", help="of the training")
    elif not HELP_FLAGS & set(arguments):
        _refuse_undivided(result, arguments)
        result.set_defaults(arguments=[])


def run(options: dict[str, Any]) -> int:
    """Start the ranks and watch over them; returns the exit code of the last ones."""
    inner = options["arguments"]
    parser = parser_of("train", train, inner)
    if HELP_FLAGS & set(inner):
        parser.print_help()
        return 0
    from baselines_ppo.run.supervisor import launch

    typed = with_file(vars(parser.parse_args(inner)))
    return launch(**{**options, "arguments": _with_module(inner)}, options=typed)


def _with_module(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with `--alg MODULE:NAME` where the algorithm was named so: the ranks must import it, too."""
    typed = list(arguments)
    for place, word in enumerate(typed):
        if place > 0 and typed[place - 1] == "--alg":
            typed[place] = typed_algorithm(word)
        elif word.startswith("--alg="):
            typed[place] = f"--alg={typed_algorithm(word.removeprefix('--alg='))}"
    return typed


def _refuse_undivided(parser: Parser, arguments: Sequence[str]) -> None:
    known, unknown = parser.parse_known_args(arguments)
    if unknown:
        hosts = [] if known.hosts is None else ["--hosts", known.hosts]
        own = ["-n", str(known.ranks), *hosts, "--restarts", str(known.restarts)]
        typed = shlex.join([*own, "--", *unknown])
        raise UsageError(f"the training's own flags come after --: {called()} launch {typed}")
