"""Flags to configuration: every field of every section is a flag; dashes and underscores both work."""

from __future__ import annotations

import argparse
import importlib
import shlex
from typing import Any

from baselines_ppo import __version__
from baselines_ppo.common.failures import STOPPED_BY_CTRL_C, UsageError, nearest
from baselines_ppo.common.job.launcher import launched_rank, launched_size
from baselines_ppo.common.job.opengl import check_chosen
from baselines_ppo.run.parser import Parser, check_none_empty, converter, dashed, metavar, value_of, written
from baselines_ppo.settings.config import TEXTBOOK, TrainConfig, all_fields, field_type
from baselines_ppo.settings.fields import choices_of, plain_type
from baselines_ppo.settings.presets import configure

COMMANDS = {
    "train": "train an agent (the default command)",
    "evaluate": "raw return of a trained agent, deterministic and stochastic",
    "play": "watch a trained agent in a window or a browser",
    "record": "a film or a replay of a trained agent, without a display",
    "race": "trained robots side by side",
    "steer": "a trained agent in a browser, which runs where you click",
    "bench": "how fast training is here, against the bare simulator, a peer, and over ranks",
    "launch": "train on ranks of its own, which are started again after a crash",
    "doctor": "what is in force here, and what is wrong with it",
    "zoo": "the pretrained agents: list, show, score, verify, add, remove or table",
}
USAGE = {
    "train": "--env ID", "bench": "", "doctor": "", "launch": "-n RANKS [--restarts N] -- --env ID",
    "record": "AGENT --out FILE", "race": "AGENT AGENT ...", "steer": "[AGENT]",
}  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run one command; returns its exit code, the same on all ranks.

    Raises:
      Failure: anything a user can act on.
    """
    check_chosen()
    arguments = [dashed(argument) for argument in arguments]
    check_none_empty(arguments)
    arguments = registered(arguments)
    command = arguments[0] if arguments and arguments[0] in COMMANDS else "train"
    rest = arguments[1:] if arguments and arguments[0] in COMMANDS else arguments
    if "--version" in arguments[:1]:
        if launched_rank() == 0:
            print(f"baselines_ppo {__version__}")
        return 0
    if rest and not rest[0].startswith("-") and command == "train":
        raise UsageError(f"unknown command {rest[0]}{nearest(rest[0], COMMANDS)}; known: {', '.join(COMMANDS)}")
    if command == "zoo":
        from baselines_ppo.run.commands.zoo import zoo_command

        return zoo_command(rest)
    rest, inner = _divided(rest) if command == "launch" else (rest, [])
    if "-h" in inner or "--help" in inner:  # the training's own
        command, rest = "train", inner
    alg = _algorithm(rest) if command == "train" else "ppo2"
    if "-h" in rest or "--help" in rest:
        shown = parser(command, alg, _preset(rest, alg) if command == "train" else None)
        if launched_rank() == 0:
            shown.print_help()
        return 0
    if command == "launch" and not inner:
        _divide_here(rest)
    options = vars(parser(command, alg).parse_args(rest))
    if command == "train":
        from baselines_ppo.run.commands.train import train_command

        return train_command(options)
    if command == "bench":
        from baselines_ppo.run.commands.bench import bench

        return bench(**options)
    if command == "launch":
        from baselines_ppo.run.commands.launch import launch

        return launch(**options, arguments=inner, options=vars(parser("train", _algorithm(inner)).parse_args(inner)))
    if command == "doctor":
        from baselines_ppo.run.commands.doctor import doctor

        return doctor()
    for name, least in (("episodes", 1), ("seed", 0)):
        if options.get(name, least) < least:
            raise UsageError(f"--{name} is {options[name]}, expected at least {least}")
    if command == "evaluate":
        from baselines_ppo.run.commands.evaluate import evaluate

        return evaluate(**options)
    try:
        return _shown(command, options)
    except KeyboardInterrupt:  # no training goes on
        return STOPPED_BY_CTRL_C


def _shown(command: str, options: dict[str, Any]) -> int:
    """Run one of the commands that show an agent; returns its exit code."""
    if launched_size() > 1:
        raise UsageError(f"{command} needs one rank; run it without mpirun")
    if command == "record":
        from baselines_ppo.run.commands.record import Recording, record

        return record(Recording(**options))
    if command == "race":
        from baselines_ppo.run.commands.race import race

        return race(**options)
    if command == "steer":
        from baselines_ppo.run.commands.steer import steer

        return steer(**options)
    from baselines_ppo.run.commands.play import Playing, play

    return play(Playing(**options))


def parser(command: str, alg: str, preset: TrainConfig | None = None) -> Parser:
    """Return the parser of one command; that of `train` has the fields of one algorithm.

    Args:
      preset: whose values the help gives; None: the textbook's.
    """
    result = Parser(
        prog="python -m baselines_ppo.run" + ("" if command == "train" else f" {command}"),
        description=COMMANDS[command],
        allow_abbrev=False,
        usage=f"%(prog)s {USAGE.get(command, 'AGENT')} [flags]",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=34, width=110),
    )
    if command == "bench":
        _add_bench_options(result)
    elif command == "launch":
        _add_launch_options(result)
    elif command == "race":
        _add_race_options(result)
    elif command in ("evaluate", "play", "record", "steer"):
        _add_agent_options(result, command)
    if command != "train":
        return result
    result.epilog = "With --env ID the help gives that environment's own defaults. Other commands: " + "; ".join(
        f"{name}: {text}" for name, text in COMMANDS.items()
    )
    add = result.add_argument
    add(
        "--preset",
        help="environment whose settings to use, or none for the textbook's; default: this environment's",
    )
    add("--logdir", metavar="DIR", help="a new folder for the run; default: runs/<env>/<alg>-<date>-<seed>")
    add(
        "--resume",
        metavar="PATH",
        help="go on with this run folder or checkpoint; auto: the newest of this run",
    )
    add(
        "--override",
        type=converter(tuple[str, ...]),
        default=(),
        metavar="A,B,...",
        help="fields that may differ from those of the resumed run, such as learning_rate",
    )
    add("--load-path", metavar="PATH", help="begin with the policy of this agent, checkpoint or run folder")
    add("--play", action="store_true", help="watch the agent in a window when training has ended")
    groups: dict[str | None, Any] = {None: result.add_argument_group("run")}
    config, source = (TEXTBOOK[alg], "textbook") if preset is None else (preset, "default")
    for section, item, value in all_fields(config):
        group = groups.setdefault(section, result.add_argument_group(alg if section == "algorithm" else section))
        kind = field_type(config, section, item)
        group.add_argument(
            "--" + item.name.replace("_", "-"),
            type=converter(kind),
            metavar=metavar(choices_of(item), kind),
            **({"nargs": "?", "const": True} if plain_type(kind) is bool else {}),
            default=argparse.SUPPRESS,
            help=f"{item.metadata['help']} ({source}: {written(value)})".replace("%", "%%"),
        )
    return result


def _add_agent_options(result: Parser, command: str) -> None:
    optional: dict[str, Any] = {"nargs": "?", "default": "RoboHumanoidFlagrun-v1"} if command == "steer" else {}
    result.add_argument("agent", **optional, help="run folder, checkpoint, agent folder or zoo:NAME")
    result.add_argument("--env", metavar="ID", help="environment; default: the one it was trained on")
    result.add_argument("--env-kwargs", metavar="JSON", help="of the environment; default: the agent's own")
    result.add_argument(
        "--wrapper", type=converter(tuple[str, ...]), help="module:Class or module:Class(key=value); default: its own"
    )
    result.add_argument("--network", metavar="MODULE:FUNCTION", help="where the agent's own kind of network is from")
    result.add_argument("--seed", type=converter(int), default=0, help="of the episodes; default 0")
    if command == "steer":
        _add_page_options(result)
        return
    episodes = 20 if command == "evaluate" else 1
    result.add_argument("--episodes", type=converter(int), default=episodes, help=f"default {episodes}")
    steps = "of an episode at most; default: 30,000 where the environment has no time limit"
    result.add_argument("--max-steps", type=converter(int), metavar="STEPS", help=steps)
    if command != "evaluate":
        result.add_argument("--stochastic", action="store_true", help="draw actions; default: the most likely ones")
    if command == "play":
        add = result.add_mutually_exclusive_group().add_argument
        for name, text in (("browser", "watch in a browser"), ("headless", "only print returns")):
            add(f"--{name}", dest="where", action="store_const", const=name, default="window", help=text)
        _add_page_options(result)
    if command == "record":
        seconds = "at most; default: whole episodes, of endless ones 120 s"
        result.add_argument("--seconds", type=converter(float), help=seconds)
        _add_picture_options(result, required=True)


def _add_page_options(result: Parser) -> None:
    result.add_argument("--host", default="127.0.0.1", help="to listen at; default 127.0.0.1: this machine alone")
    result.add_argument("--port", type=converter(int), default=8080, help="of the page; default 8080, 0: any free one")


def _add_picture_options(result: Parser, required: bool) -> None:
    add = result.add_argument
    add("--out", metavar="FILE", required=required, help="mp4, gif or webp, or html: a replay that opens in a browser")
    add("--width", type=converter(int), help="of pictures, in pixels; default 640, of a gif 480")
    add("--height", type=converter(int), help="default 480, of a gif 352")
    add("--fps", type=converter(float), help="pictures per second, about; default 30, of a gif 20")


def _add_race_options(result: Parser) -> None:
    result.add_argument("agents", nargs="+", metavar="AGENT", help="run folder, checkpoint, agent folder or zoo:NAME")
    result.add_argument("--seconds", type=converter(float), default=15.0, help="default 15")
    result.add_argument("--seed", type=converter(int), default=0, help="of the start; default 0")
    _add_picture_options(result, required=False)


def _add_launch_options(result: Parser) -> None:
    result.add_argument("-n", "--ranks", type=converter(int), default=1, help="that mpirun starts; default 1")
    result.add_argument("--hosts", metavar="FILE", help="lines such as node01:16; default: all ranks on this host")
    result.add_argument("--restarts", type=converter(int), default=5, help="at most, with --resume; default 5")


def _add_bench_options(result: Parser) -> None:
    envs = ("CartPole-v1", "HalfCheetah-v4", "Humanoid-v4")
    add = result.add_argument
    add("--env", type=converter(tuple[str, ...]), default=envs, help=f"ids; default {','.join(envs)}")
    add("--ranks", type=converter(tuple[int, ...]), default=(1, 2), help="numbers of ranks; default 1,2")
    add("--peer-python", metavar="PATH", help="compare with Stable-Baselines3 as this Python has it")
    add("--num-envs", type=converter(int), default=8, help="environments in all; default 8")
    add("--pairs", type=converter(int), default=5, help="runs of both that take turns; default 5")
    add("--scaling", action="store_true", help="over --ranks, with the first environment")


def registered(arguments: list[str]) -> list[str]:
    """Return the arguments with `--alg NAME` for `--alg MODULE:NAME`, after MODULE was imported, which registers it.

    Raises:
      UsageError: there is no such module, or it registers no such algorithm.
    """
    named = value_of(arguments, "--alg")
    if named is None or ":" not in named:
        return arguments
    module, _, name = named.partition(":")
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise UsageError(f"--alg {named}: {error}") from None
    if name not in TEXTBOOK:
        raise UsageError(f"--alg {named}: {module} does not register {name}; known: {', '.join(TEXTBOOK)}")
    return [name if word == named else word.replace(f"--alg={named}", f"--alg={name}") for word in arguments]


def _divided(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return what comes before -- and what comes after it."""
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _divide_here(arguments: list[str]) -> None:
    """Refuse to launch with a training's flags that have no -- before them.

    Raises:
      UsageError: says what to type.
    """
    known, unknown = parser("launch", "ppo2").parse_known_args(arguments)
    if unknown:
        hosts = [] if known.hosts is None else ["--hosts", known.hosts]
        own = ["-n", str(known.ranks), *hosts, "--restarts", str(known.restarts)]
        typed = shlex.join([*own, "--", *unknown])
        raise UsageError(f"the training's own flags come after --: python -m baselines_ppo.run launch {typed}")


def _preset(arguments: list[str], alg: str) -> TrainConfig | None:
    """Return the settings of the environment that is named, or of another's preset; None where none is."""
    env, preset = value_of(arguments, "--env"), value_of(arguments, "--preset")
    return None if env is None and preset is None else configure(env or "", alg, preset)


def _algorithm(arguments: list[str]) -> str:
    """Return the algorithm whose flags are meant: the named one, or that of the run to resume.

    An unknown one is reported after parsing.
    """
    named, resume = value_of(arguments, "--alg"), value_of(arguments, "--resume")
    if named is None and resume:
        from baselines_ppo.run.commands.train import (
            stored_algorithm,  # which asks rank 0, as what it reads may be there alone
        )

        named = stored_algorithm(resume, value_of(arguments, "--logdir"))
    return named if named in TEXTBOOK else "ppo2"
