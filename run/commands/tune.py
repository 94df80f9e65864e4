"""`tune`: look for settings with which an algorithm learns more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, get_type_hints

from baselines_ppo.experiments.tuning.settings import Search
from baselines_ppo.run.commands.train import add_fields
from baselines_ppo.run.options import add_field
from baselines_ppo.run.parser import Parser
from baselines_ppo.settings.fields import written

HELP = "look for better settings: train with many, and show the best"
USAGE = "--env ID"


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add this command's flags, and those of a training: a field that is given is not tried."""
    search = result.add_argument_group("search")
    kinds = get_type_hints(Search)
    for item in fields(Search):
        add_field(search, item, kinds[item.name], "" if item.default == "" else f"default: {written(item.default)}")
    space = "what to try of a field, FIELD=LOW..HIGH or FIELD=A,B,C; may be repeated"
    search.add_argument("--space", action="append", default=[], metavar="FIELD=VALUES", help=space)
    preset = "environment whose settings to begin with, or none for the textbook's; default: this environment's"
    search.add_argument("--preset", help=preset)
    search.add_argument("--logdir", metavar="DIR", help="the study's folder; default: runs/<env>/<study>")
    add_fields(result, arguments)


def run(options: dict[str, Any]) -> int:
    """Search; returns the exit code."""
    from baselines_ppo.run.tuning import tune_command

    return tune_command(options)
