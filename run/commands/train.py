"""`train`, the default command: every field of every section of the configuration is a flag."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence
from dataclasses import Field
from typing import Any

from baselines_ppo.common.job.launcher import launched_rank
from baselines_ppo.common.screen.choice import NONE, TABLE
from baselines_ppo.run.config_file import algorithm_in
from baselines_ppo.run.options import add_field
from baselines_ppo.run.parser import HELP_FLAGS, Parser, converter, value_of
from baselines_ppo.settings.config import TEXTBOOK, TrainConfig, all_fields, field_type
from baselines_ppo.settings.fields import written
from baselines_ppo.settings.presets import configure

HELP = "train an agent (the default command)"
USAGE = "--env ID"


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add the flags of the algorithm that the arguments name; the help has its values, or those of a preset."""
    add = result.add_argument
    add("--preset", help="environment whose settings to use, or none for the textbook's; default: this environment's")
    add("--config", metavar="FILE", help="settings from TOML or a run's config.json; flags count more")
    add("--logdir", metavar="DIR", help="a new folder for the run; default: runs/<env>/<alg>-<date>-<seed>")
    add("--resume", metavar="PATH", help="go on with this run folder or checkpoint; auto: the newest of this run")
    override = "fields that may differ from those of the resumed run, such as learning_rate"
    add("--override", type=converter(tuple[str, ...]), default=(), metavar="A,B,...", help=override)
    add("--load-path", metavar="PATH", help="begin with the policy of this agent, checkpoint or run folder")
    screen: dict[str, Any] = {"action": "store_const", "dest": "progress", "default": argparse.SUPPRESS}
    add("--table", **screen, const=TABLE, help="print a table of all figures now and then; same as --progress table")
    add("--quiet", **screen, const=NONE, help="print errors, warnings and the last lines; same as --progress none")
    add("--play", action="store_true", help="watch the agent in a window when training has ended")
    add_fields(result, arguments)


def add_fields(result: Parser, arguments: Sequence[str], names: Collection[str] | None = None) -> None:
    """Add every field of the configuration, for the algorithm that the arguments name.

    Args:
      names: of the fields that are added; None: all.
    """
    groups: dict[str | None, Any] = {None: result.add_argument_group("run")}
    alg = _algorithm(arguments)
    preset = _preset(arguments, alg) if HELP_FLAGS & set(arguments) else None
    config, source = (TEXTBOOK[alg], "textbook") if preset is None else (preset, "default")
    for section, item, value in all_fields(config):
        if names is not None and item.name not in names:
            continue
        if section not in groups:
            groups[section] = result.add_argument_group(alg if section == "algorithm" else section)
        kind = field_type(config, section, item)
        _add_former_name(result, item, kind, arguments)
        add_field(groups[section], item, kind, f"{source}: {written(value)}")


def _add_former_name(result: Parser, item: Field[Any], kind: Any, arguments: Sequence[str]) -> None:
    """Take a field's former name as well, and say so where it is typed."""
    if not item.metadata.get("was"):
        return
    flag = "--" + item.metadata["was"].replace("_", "-")
    result.add_argument(flag, type=converter(kind), dest=item.name, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    if value_of(arguments, flag) is not None and launched_rank() == 0:
        sys.stderr.write(f"warning: {flag} is called --{item.name.replace('_', '-')} now\n")


def run(options: dict[str, Any]) -> int:
    """Train; returns the exit code, the same on all ranks."""
    from baselines_ppo.run.training import train_command

    return train_command(options)


def _preset(arguments: Sequence[str], alg: str) -> TrainConfig | None:
    """Return the settings of the environment that is named, or of another's preset; None where none is."""
    env, preset = value_of(arguments, "--env"), value_of(arguments, "--preset")
    return None if env is None and preset is None else configure(env or "", alg, preset)


def _algorithm(arguments: Sequence[str]) -> str:
    """Return the algorithm whose flags are meant: the named one, or that of the run to resume.

    An unknown one is reported after parsing.
    """
    named, resume = value_of(arguments, "--alg"), value_of(arguments, "--resume")
    if named is None and (file := value_of(arguments, "--config")):
        named = algorithm_in(file)
    if named is None and resume:
        from baselines_ppo.run.training import stored_algorithm as stored  # asks rank 0: the run may be there alone

        named = stored(resume, value_of(arguments, "--logdir"))
    return named if named in TEXTBOOK else "ppo2"
