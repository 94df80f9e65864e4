"""`clone`: an agent from demonstrations, by behaviour cloning, for a training to begin with."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, get_type_hints

from baselines_ppo.common.failures import UsageError
from baselines_ppo.run.commands.train import add_fields
from baselines_ppo.run.options import add_field
from baselines_ppo.run.parser import Parser
from baselines_ppo.settings.cloning import CloneConfig
from baselines_ppo.settings.config import PolicyConfig
from baselines_ppo.settings.fields import flags_of, written

HELP = "an agent from demonstrations, for a training to begin with"
USAGE = "--env ID --data FILE --out FOLDER"

# What a clone shares with the training that goes on from it.
RUN = ("env", "env_kwargs", "wrapper", "alg", "seed")
ROLLOUT = (
    "gamma", "normalize_observations", "clip_observations", "normalize_returns", "clip_rewards", "clip_raw_rewards",
)  # fmt: skip
KEPT = ("env", "init_log_std")  # is named apart; is the clone's own
SHARED = {*RUN, *ROLLOUT, *(item.name for item in fields(PolicyConfig))}


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add this command's flags, and those of a training that it shares."""
    add = result.add_argument
    data = "npz of `record AGENT --out episodes.npz`, minari:ID, or the folder of a Minari data set"
    add("--data", metavar="FILE", required=True, help=data)
    add("--out", metavar="FOLDER", required=True, help="of the agent; new or empty")
    add("--preset", help="environment whose settings to use, or none for the textbook's; default: this environment's")
    group, kinds = result.add_argument_group("cloning"), get_type_hints(CloneConfig)
    for item in fields(CloneConfig):
        add_field(group, item, kinds[item.name], f"default: {written(item.default)}")
    add_fields(result, arguments, SHARED)


def run(options: dict[str, Any]) -> int:
    """Fit a policy, and say what to type next; returns the exit code, the same on all ranks."""
    from baselines_ppo.cloning.clone import clone
    from baselines_ppo.common.ending import say
    from baselines_ppo.common.files.whole import quoted, shown
    from baselines_ppo.common.mpi import world
    from baselines_ppo.common.screen.numbers import counted
    from baselines_ppo.run.program import command
    from baselines_ppo.settings.presets import configure

    if "env" not in options:
        raise UsageError("which environment? give --env, such as --env HalfCheetah-v4")
    data, out, preset = (options.pop(name) for name in ("data", "out", "preset"))
    settings = CloneConfig(
        **{item.name: options.pop(item.name) for item in fields(CloneConfig) if item.name in options}
    )
    config = configure(**{"alg": "ppo2", **options}, preset=preset)
    cloned = clone(config, data, out, settings)
    if world().is_root:
        folder, typed = quoted(cloned.folder), command()
        given = {**({} if preset is None else {"preset": preset}), **options}
        same = shlex.join(flags_of({name: value for name, value in given.items() if name not in KEPT}))
        say(
            f"done: {counted(cloned.epochs, 'epoch')}, log likelihood {cloned.log_likelihood:.3f}\n"
            f"agent:    {shown(cloned.folder)}\n"
            f"evaluate: {typed} evaluate {folder}\n"
            f"train:    {' '.join(filter(None, [typed, '--env', config.env, same, '--load-path', folder]))}"
        )
    return 0
