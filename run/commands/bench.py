"""`bench`: how fast training is, against the bare simulator, against Stable-Baselines3, over ranks, and to a score."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence
from typing import Any

from baselines_ppo.run.parser import Parser, converter

HELP = "how fast training is here, against the bare simulator, a peer, over ranks, and until it has a score"
USAGE = ""
ENVS = ("CartPole-v1", "HalfCheetah-v4", "Humanoid-v4")


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add this command's flags, which are only there where they were typed."""
    add = functools.partial(result.add_argument, default=argparse.SUPPRESS)
    add("--env", type=converter(tuple[str, ...]), help=f"ids; default {','.join(ENVS)}")
    add("--ranks", type=converter(tuple[int, ...]), help="numbers of ranks; default 1,2")
    add("--num-envs", type=converter(int), help="environments in all; default 8, or the preset's")
    network = "mlp, cnn or lstm of the textbook work; default: cnn for Atari, else mlp"
    add("--network", choices=("mlp", "cnn", "lstm"), help=network)
    add("--wrapper", type=converter(tuple[str, ...]), help="of each environment, module:Class")
    add("--preset", action="store_true", help="train with each environment's preset, not the textbook work")
    agent = "with --preset: the policy to begin with; zoo: the pretrained one of each environment"
    add("--agent", help=agent)
    add("--peer-python", metavar="PATH", help="compare with Stable-Baselines3 as this Python has it")
    add("--pairs", type=converter(int), help="runs of both that take turns; default 5, with --score 1")
    score = "measure the seconds until the mean return of 100 episodes is this; one for each environment"
    add("--score", metavar="RETURN", type=converter(tuple[float, ...]), help=score)
    add("--seconds", type=converter(float), help="with --score: until a run is given up; default 3600")
    add("--peer-settings", metavar="FILE.toml", help="with --score: what the peer is trained with")
    add("--scaling", action="store_true", help="over --ranks, with one environment; default CartPole-v1")
    add("--simulate", action="store_true", help="presets of --env on 16 to 4096 ranks, from what one rank takes here")
    add("--ranks-per-host", type=converter(int), help="of the simulation; default 16")
    add("--network-latency", type=converter(float), help="of it, between hosts, us; default 30")
    add("--network-bandwidth", type=converter(float), help="of it, between hosts, GB/s; default 1.25")
    add("--out", metavar="FILE.json", help="write what was measured, with machine, versions and commit")


def run(options: dict[str, Any]) -> int:
    """Measure and print one of five tables; returns the exit code."""
    from baselines_ppo.run.bench.tables import Options, bench

    return bench(Options(**{"env": ENVS, **options}), [*options])
