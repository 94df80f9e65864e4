"""`sweep`: train environments x algorithms x seeds x values, as many runs at once as there are cores."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from baselines_ppo.common.failures import UsageError
from baselines_ppo.experiments.sweeping.description import PRESET, kinds_of
from baselines_ppo.run.options import add_field
from baselines_ppo.run.parser import Parser, converter, listed
from baselines_ppo.settings.config import TEXTBOOK
from baselines_ppo.settings.elsewhere import meant_here
from baselines_ppo.settings.fields import plain_type

HELP = "train environments x algorithms x seeds x values; killed and started again, it goes on"
USAGE = "[FILE.toml] --env A,B --alg A,B --seeds 0-4 --logdir DIR"
SEVERAL = {"env": "--env A,B", "alg": "--alg A,B", "seed": "--seeds 0-4", "seeds": "--seeds 0-4"}  # without --vary


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add this command's flags, and the settings of all algorithms."""
    add = result.add_argument
    add("file", nargs="?", metavar="FILE", help="TOML file that describes the sweep; flags come before what it says")
    names, given = converter(tuple[str, ...]), argparse.SUPPRESS  # by default nothing, so that the file says it
    add("--env", type=names, metavar="A,B,...", help="Gymnasium environment ids", default=given)
    add("--alg", type=names, metavar="A,B,...", help="algorithms; default ppo2", default=given)
    add("--seeds", help="such as 0-4 or 0,1,7; default 0", default=given)
    vary = "values to try of a field, such as learning_rate=1e-4,3e-4; of lists, divided by ;; may be repeated"
    add("--vary", action="append", default=[], metavar="FIELD=A,B,...", help=vary)
    add("--preset", help="environment whose settings to use, or none for the textbook's", default=given)
    add("--logdir", metavar="DIR", help="folder of the sweep; default: that of the file, or runs/<its name>")
    add("--ranks", type=converter(int), help="of each run; default: 1 where there are as many runs as cores")
    add("--jobs", type=converter(int), help="runs at once; default: as many as the cores have room for")
    add("--only", type=converter(int), metavar="K", help="train run K alone, as in a job of a cluster; the first is 0")
    add("--list", action="store_true", help="list the runs by their numbers, and begin none")
    slurm = "write an array job of Slurm and submit it; with options of sbatch, as in '--slurm=--time=12:00:00'"
    add("--slurm", nargs="?", const="", metavar="OPTIONS", help=slurm)
    settings = result.add_argument_group(
        "settings of the training; those that an algorithm has not are left out for it"
    )
    for name, (item, kind) in kinds_of(TEXTBOOK).items():
        if name != PRESET:  # which is above
            add_field(settings, item, kind)


def run(options: dict[str, Any]) -> int:
    """Make the runs of a sweep, list them, or hand them to Slurm; returns the exit code."""
    from baselines_ppo.run.sweeping import sweep_command

    vary: dict[str, list[Any]] = {}
    for name, values in map(varied, options.pop("vary")):
        vary.setdefault(name, []).extend(values)
    return sweep_command({**options, **({"vary": vary} if vary else {})})


def varied(text: str) -> tuple[str, list[Any]]:
    """Return field and values of FIELD=A,B,...

    Raises:
      UsageError: there is no such field, or a value is not of its type.
    """
    name, equals, words = text.partition("=")
    name, fields = name.strip().replace("-", "_"), kinds_of(TEXTBOOK)
    if not equals:
        raise UsageError(f"--vary is {text}, expected FIELD=A,B,...")
    if name in SEVERAL:
        raise UsageError(f"--vary {text}: give {SEVERAL[name]} instead")
    if name not in fields:
        raise UsageError(f"--vary {text}: {name} is no field{meant_here(name, fields)}")
    kind = fields[name][1]
    try:
        parts = words.split(";") if plain_type(kind) is tuple else listed(words)
        return name, [converter(kind)(part.strip()) for part in parts]
    except (ValueError, argparse.ArgumentTypeError):
        raise UsageError(f"--vary {text}: expected values of type {plain_type(kind).__name__}") from None
