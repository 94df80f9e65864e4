"""Flags: their texts as values, and one line for those that are unknown or are called otherwise elsewhere."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from baselines_ppo.common.envs.keywords import split_list
from baselines_ppo.common.failures import UsageError, nearest
from baselines_ppo.settings.fields import element_type, is_optional, plain_type

TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")

# What OpenAI Baselines, Stable-Baselines3, RL Zoo and CleanRL call our flags; the first that a command has is meant.
ELSEWHERE: dict[tuple[str, ...], tuple[str, ...]] = {
    ("algo", "algorithm"): ("alg",),
    ("env-id", "environment", "task", "gym-id"): ("env",),
    ("env-wrapper", "wrappers"): ("wrapper",),
    ("total-timesteps", "n-timesteps", "timesteps", "steps", "max-timesteps", "total-steps"): ("num-timesteps",),
    ("lr", "step-size", "optim-stepsize", "actor-lr"): ("learning-rate", "value-learning-rate"),
    ("vf-stepsize", "critic-lr", "value-lr"): ("value-learning-rate", "learning-rate"),
    ("lr-schedule", "anneal-lr"): ("learning-rate-schedule", "schedule"),
    ("n-envs", "num-env", "nenvs", "nenv", "num-processes", "num-workers", "n-workers"): ("num-envs",),
    ("n-steps", "nsteps", "rollout-length", "timesteps-per-batch", "timesteps-per-actorbatch"): ("num-steps",),
    ("nminibatches", "n-minibatches", "batch-size", "minibatch-size", "optim-batchsize"): (
        "num-minibatches",
        "value-minibatch-size",
    ),
    ("n-epochs", "noptepochs", "optim-epochs", "update-epochs", "vf-iters", "epochs"): ("num-epochs",),
    ("ent-coef", "entcoeff", "entropy", "entropy-coeff"): ("entropy-coef",),
    ("vf-coef", "value-loss-coef"): ("value-coef",),
    ("cliprange", "clip-coef", "clip-param", "clip", "eps-clip"): ("clip-range",),
    ("clip-range-vf", "cliprange-vf", "clip-vloss"): ("value-clip-range",),
    ("lam", "gae", "lambda"): ("gae-lambda",),
    ("discount", "discount-factor"): ("gamma",),
    ("max-kl", "desired-kl"): ("kl-target",),
    ("cg-iters", "cg-max-steps"): ("cg-steps",),
    ("grad-clip", "clip-grad-norm"): ("max-grad-norm",),
    ("net-arch", "layers", "num-hidden"): ("hidden-sizes",),
    ("policy", "net"): ("network",),
    ("activation-fn",): ("activation",),
    ("normalize", "norm-obs"): ("normalize-observations",),
    ("norm-reward", "normalize-reward", "norm-rew"): ("normalize-returns",),
    ("log-folder", "log-dir", "log-path", "save-path", "output", "output-dir", "run-dir", "tensorboard-log"): (
        "logdir",
        "out",
    ),
    ("save-freq", "checkpoint-freq", "eval-freq"): ("save-interval",),
    ("verbose",): ("log-interval",),
    ("trained-agent", "load", "checkpoint", "model"): ("load-path",),
    ("n-eval-episodes", "n-episodes", "eval-episodes", "num-episodes"): ("episodes", "num-episodes"),
    ("video", "output-file"): ("out",),
    ("n", "np", "num-ranks", "processes"): ("ranks",),
}
OURS = {name: flags for names, flags in ELSEWHERE.items() for name in names}


class Parser(argparse.ArgumentParser):
    """An argument parser that raises a UsageError of one line, with the flag that was probably meant."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage once per rank."""
        prefix = "unrecognized arguments: "
        if message.startswith(prefix):
            flag = message.removeprefix(prefix).split()[0].split("=")[0]
            message = f"unknown flag {flag}{self._meant(flag)}"
        raise UsageError(f"{message}; see {self.prog} --help")

    def _meant(self, flag: str) -> str:
        known = [name for action in self._actions for name in action.option_strings]
        ours = (f"--{name}" for name in OURS.get(flag.lstrip("-").replace("_", "-").lower(), ()))
        found = next((name for name in ours if name in known), None)
        return nearest(flag, known) if found is None else f"; ours is {found}"


def value_of(arguments: Sequence[str], flag: str) -> str | None:
    """Return the value of a flag among arguments that are not parsed yet, the last one given; None without."""
    found = None
    for word, value in itertools.pairwise([*arguments, ""]):
        if word == flag:
            found = value
        elif word.startswith(f"{flag}="):
            found = word.removeprefix(f"{flag}=")
    return found


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
            parts = [] if text.lower() == "none" else split_list(text)
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


def metavar(choices: tuple[str, ...], kind: Any) -> str:
    """Return how the help names the value of a flag."""
    plain = plain_type(kind)
    return "|".join(choices) or {tuple: "A,B,...", bool: "true|false"}.get(plain, plain.__name__.upper())


def written(value: Any) -> str:
    """Return a value as one would type it."""
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return str(value).lower() if value is None or isinstance(value, bool) else str(value) or "-"
