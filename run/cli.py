"""Flags to configuration: every field of every section is a flag; dashes and underscores both work."""

from __future__ import annotations

import argparse
import itertools
from typing import Any, NoReturn

from baselines_ppo.common.failures import STOPPED_BY_CTRL_C, UsageError, nearest
from baselines_ppo.common.launcher import launched_rank, launched_size
from baselines_ppo.common.opengl import check_chosen
from baselines_ppo.config import TEXTBOOK, all_fields, field_type
from baselines_ppo.fields import element_type, is_optional, plain_type

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
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class Parser(argparse.ArgumentParser):
    """An argument parser that raises a UsageError of one line, with the nearest flag."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage once per rank."""
        prefix = "unrecognized arguments: "
        if message.startswith(prefix):
            flag = message.removeprefix(prefix).split()[0]
            known = [name for action in self._actions for name in action.option_strings]
            message = f"unknown flag {flag}{nearest(flag.split('=')[0], known)}"
        raise UsageError(f"{message}; see python -m baselines_ppo.run --help")


def main(arguments: list[str]) -> int:
    """Run one command; returns its exit code, the same on all ranks.

    Raises:
      Failure: anything a user can act on.
    """
    check_chosen()
    arguments = [_dashed(argument) for argument in arguments]
    command = arguments[0] if arguments and arguments[0] in COMMANDS else "train"
    rest = arguments[1:] if arguments and arguments[0] in COMMANDS else arguments
    if rest and not rest[0].startswith("-") and command == "train":
        raise UsageError(f"unknown command {rest[0]}{nearest(rest[0], COMMANDS)}; known: {', '.join(COMMANDS)}")
    if command == "zoo":
        from baselines_ppo.run.zoo_command import zoo_command

        return zoo_command(rest)
    rest, inner = _divided(rest) if command == "launch" else (rest, [])
    if "-h" in rest or "--help" in rest:
        if launched_rank() == 0:
            parser(command, _algorithm(rest)).print_help()
        return 0
    options = vars(parser(command, _algorithm(rest)).parse_args(rest))
    if command == "train":
        from baselines_ppo.run.train import train_command

        return train_command(options)
    if command == "bench":
        from baselines_ppo.run.bench import bench

        return bench(**options)
    if command == "launch":
        from baselines_ppo.run.launch import launch

        return launch(**options, arguments=inner, options=vars(parser("train", _algorithm(inner)).parse_args(inner)))
    if command == "doctor":
        from baselines_ppo.run.doctor import doctor

        return doctor()
    for name, least in (("episodes", 1), ("seed", 0)):
        if options.get(name, least) < least:
            raise UsageError(f"--{name} is {options[name]}, expected at least {least}")
    if command == "evaluate":
        from baselines_ppo.run.evaluate import evaluate

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
        from baselines_ppo.run.record import Recording, record

        return record(Recording(**options))
    if command == "race":
        from baselines_ppo.run.race import race

        return race(**options)
    if command == "steer":
        from baselines_ppo.run.steer import steer

        return steer(**options)
    from baselines_ppo.run.play import Playing, play

    return play(Playing(**options))


def parser(command: str, alg: str) -> Parser:
    """Return the parser of one command; that of `train` has the fields of one algorithm."""
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
    result.epilog = "Other commands: " + "; ".join(f"{name}: {text}" for name, text in COMMANDS.items())
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
        type=_converter(tuple[str, ...]),
        default=(),
        metavar="A,B,...",
        help="fields that may differ from those of the resumed run, such as learning_rate",
    )
    add("--load-path", metavar="PATH", help="begin with the policy of this agent, checkpoint or run folder")
    add("--play", action="store_true", help="watch the agent in a window when training has ended")
    groups: dict[str | None, Any] = {None: result.add_argument_group("run")}
    config = TEXTBOOK[alg]
    for section, item, value in all_fields(config):
        group = groups.setdefault(section, result.add_argument_group(alg if section == "algorithm" else section))
        kind = field_type(config, section, item)
        group.add_argument(
            "--" + item.name.replace("_", "-"),
            type=_converter(kind),
            metavar=_metavar(item.metadata["choices"], kind),
            **({"nargs": "?", "const": True} if plain_type(kind) is bool else {}),
            default=argparse.SUPPRESS,
            help=f"{item.metadata['help']} (textbook: {_written(value)})".replace("%", "%%"),
        )
    return result


def _add_agent_options(result: Parser, command: str) -> None:
    optional: dict[str, Any] = {"nargs": "?", "default": "RoboHumanoidFlagrun-v1"} if command == "steer" else {}
    result.add_argument("agent", **optional, help="run folder, checkpoint, agent folder or zoo:NAME")
    result.add_argument("--env", metavar="ID", help="environment; default: the one it was trained on")
    result.add_argument("--wrapper", type=_converter(tuple[str, ...]), help="module:Class; default: the agent's own")
    result.add_argument("--network", metavar="MODULE:FUNCTION", help="where the agent's own kind of network is from")
    result.add_argument("--seed", type=_converter(int), default=0, help="of the episodes; default 0")
    if command == "steer":
        _add_page_options(result)
        return
    episodes = 20 if command == "evaluate" else 1
    result.add_argument("--episodes", type=_converter(int), default=episodes, help=f"default {episodes}")
    if command != "evaluate":
        result.add_argument("--stochastic", action="store_true", help="draw actions; default: the most likely ones")
    if command == "play":
        add = result.add_mutually_exclusive_group().add_argument
        for name, text in (("browser", "watch in a browser"), ("headless", "only print returns")):
            add(f"--{name}", dest="where", action="store_const", const=name, default="window", help=text)
        _add_page_options(result)
    if command == "record":
        result.add_argument("--seconds", type=_converter(float), help="at most; default: whole episodes")
        _add_picture_options(result, required=True)


def _add_page_options(result: Parser) -> None:
    result.add_argument("--host", default="127.0.0.1", help="to listen at; default 127.0.0.1: this machine alone")
    result.add_argument("--port", type=_converter(int), default=8080, help="of the page; default 8080, 0: any free one")


def _add_picture_options(result: Parser, required: bool) -> None:
    add = result.add_argument
    add("--out", metavar="FILE", required=required, help="mp4, gif or webp, or html: a replay that opens in a browser")
    add("--width", type=_converter(int), help="of pictures, in pixels; default 640, of a gif 480")
    add("--height", type=_converter(int), help="default 480, of a gif 352")
    add("--fps", type=_converter(float), help="pictures per second, about; default 30, of a gif 20")


def _add_race_options(result: Parser) -> None:
    result.add_argument("agents", nargs="+", metavar="AGENT", help="run folder, checkpoint, agent folder or zoo:NAME")
    result.add_argument("--seconds", type=_converter(float), default=15.0, help="default 15")
    result.add_argument("--seed", type=_converter(int), default=0, help="of the start; default 0")
    _add_picture_options(result, required=False)


def _add_launch_options(result: Parser) -> None:
    result.add_argument("-n", "--ranks", type=_converter(int), default=1, help="that mpirun starts; default 1")
    result.add_argument("--hosts", metavar="FILE", help="lines such as node01:16; default: all ranks on this host")
    result.add_argument("--restarts", type=_converter(int), default=5, help="at most, with --resume; default 5")


def _add_bench_options(result: Parser) -> None:
    envs = ("CartPole-v1", "HalfCheetah-v4", "Humanoid-v4")
    add = result.add_argument
    add("--env", type=_converter(tuple[str, ...]), default=envs, help=f"ids; default {','.join(envs)}")
    add("--ranks", type=_converter(tuple[int, ...]), default=(1, 2), help="numbers of ranks; default 1,2")
    add("--peer-python", metavar="PATH", help="compare with Stable-Baselines3 as this Python has it")
    add("--num-envs", type=_converter(int), default=8, help="environments in all; default 8")
    add("--pairs", type=_converter(int), default=5, help="runs of both that take turns; default 5")
    add("--scaling", action="store_true", help="over --ranks, with the first environment")


def _divided(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return what comes before -- and what comes after it."""
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _algorithm(arguments: list[str]) -> str:
    """Return the algorithm whose flags are meant; an unknown one is reported after parsing."""
    for flag, value in itertools.pairwise([*arguments, ""]):
        name = value if flag == "--alg" else flag.removeprefix("--alg=")
        if name in TEXTBOOK and (flag == "--alg" or flag.startswith("--alg=")):
            return name
    return "ppo2"


def _dashed(argument: str) -> str:
    """Return --num_envs=8 as --num-envs=8."""
    if not argument.startswith("--"):
        return argument
    flag, equals, value = argument.partition("=")
    return flag.replace("_", "-") + equals + value


def _converter(kind: Any) -> Any:
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
            parts = [] if text.lower() == "none" else [part for part in text.split(",") if part]
            return tuple(parts if element_type(kind) is str else map(_whole, parts))
        return plain(text)

    convert.__name__ = {tuple: "list"}.get(plain, plain.__name__)
    return convert


def _whole(text: str) -> int:
    """Return 2500000 for 2.5e6 too."""
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not number.is_integer():
            raise
        return int(number)


def _metavar(choices: tuple[str, ...], kind: Any) -> str:
    return (
        "|".join(choices)
        if choices
        else {tuple: "A,B,...", bool: "true|false"}.get(plain_type(kind), plain_type(kind).__name__.upper())
    )


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return str(value).lower() if value != "" else "-"
