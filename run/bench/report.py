"""The tables of `bench`, and the jobs that measure what is in them."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from baselines_ppo.common.failures import Failure, UsageError
from baselines_ppo.common.job.cores import cores
from baselines_ppo.common.job.launcher import find_mpirun
from baselines_ppo.run.bench.record import Row
from baselines_ppo.state.platform_facts import PACKAGES, platform_facts

PARTS = ("simulator", "environments", "collecting", "learning", "training")
STEPS = 2048  # of an iteration, over all environments
SHAPE = {"num_minibatches": 32, "num_epochs": 10}  # minibatches of 64


def machine() -> str:
    """Return one line about this machine and what runs on it."""
    facts = platform_facts()
    packages = ", ".join(f"{name} {facts[name] or 'missing'}" for name in PACKAGES)
    return f"{len(cores())} cores of {facts['cpu']}; Python {facts['python']}, {packages}"


def speed_table(envs: tuple[str, ...], ranks: tuple[int, ...], num_envs: int) -> list[Row]:
    """Print and return steps per second of the parts of training, over all ranks, which measure at the same time."""
    rows: list[Row] = []
    shape = f"{num_envs} environments in all, 2048 steps per iteration, minibatches of 64, 10 epochs, two layers of 64"
    print(f"\nsteps per second over all ranks; {shape}")
    print(f"{'environment':<26}{'ranks':>6}" + "".join(f"{name:>14}" for name in PARTS) + "  training / simulator")
    for env in envs:
        for count in ranks:
            rates = job(count, env, iterations=10, parts=True, fields=work(num_envs))
            row = "".join(f"{rates[name]:>14,.0f}" for name in PARTS)
            print(f"{env:<26}{count:>6}{row}{rates['training'] / rates['simulator']:>22.2f}", flush=True)
            rows.append({"env": env, "ranks": count, **{name: round(rates[name]) for name in PARTS}})
    return rows


def against(env: str, ranks: int, num_envs: int, pairs: int, peer_python: str) -> Row:
    """Print and return how many times faster training is than Stable-Baselines3's, in runs that take turns.

    Both do the same work; the peer's environments are in its process or in one process each, whichever is faster.
    """
    trials = {kind: peer(peer_python, env, kind, ranks, num_envs, 3) for kind in ("dummy", "subprocess")}
    kind = max(trials, key=lambda name: trials[name]["training"])
    print(f"\n{env}: {ranks} ranks against Stable-Baselines3 with {kind} environments, steps per second")
    print(f"the peer: {trials[kind]['facts']}")
    ours, theirs = [], []
    for pair in range(1, pairs + 1):
        ours.append(job(ranks, env, iterations=15, parts=False, fields=work(num_envs))["training"])
        theirs.append(peer(peer_python, env, kind, ranks, num_envs, 5)["training"])
        print(f"pair {pair}: {ours[-1]:>9,.0f} {theirs[-1]:>9,.0f} {ours[-1] / theirs[-1]:>7.2f}", flush=True)
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    middle = statistics.median(ours) / statistics.median(theirs)
    spread = f"pairs {min(ratios):.2f} to {max(ratios):.2f}"
    print(f"medians {statistics.median(ours):,.0f} and {statistics.median(theirs):,.0f}: {middle:.2f} times ({spread})")
    return {
        "env": env,
        "ranks": ranks,
        "peer": f"Stable-Baselines3 with {kind} environments: {trials[kind]['facts']}",
        "training": round(statistics.median(ours)),
        "peer_training": round(statistics.median(theirs)),
        "pairs": pairs,
        "ratio": round(middle, 2),
        "lowest_ratio": round(min(ratios), 2),
        "highest_ratio": round(max(ratios), 2),
    }


def work(num_envs: int) -> dict[str, int]:
    """Return the fields of a configuration for one iteration's work."""
    return {"num_envs": num_envs, "num_steps": STEPS // num_envs, **SHAPE}


def job(ranks: int, env: str, **arguments: Any) -> dict[str, float]:
    """Return what some ranks measured of training."""
    return ask(ranks, {"what": "training", "arguments": {"env": env, **arguments}})


def ask(ranks: int, request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of a job of this many ranks.

    Raises:
      Failure: it ended without one; its message is on standard error.
    """
    launcher = [find_mpirun(), "-np", str(ranks)] if ranks > 1 else []
    measured = request.get("arguments", {}).get("env", "sums over ranks")
    _say(f"{measured}, {ranks} {'rank' if ranks == 1 else 'ranks'}")
    return _answer([*launcher, sys.executable, "-m", "baselines_ppo.run.bench.job", json.dumps(request)])


def peer(python: str, env: str, kind: str, threads: int, num_envs: int, iterations: int) -> dict[str, Any]:
    """Return Stable-Baselines3's steps per second, with as many threads as there are ranks here, and its versions."""
    shape = {"num_envs": num_envs, "num_steps": STEPS // num_envs, "minibatch_size": 64, "num_epochs": 10}
    _say(f"{env}, Stable-Baselines3 with {kind} environments")
    request = {"env": env, "kind": kind, "threads": threads if kind == "dummy" else 1, "iterations": iterations}
    return _answer([python, str(Path(__file__).with_name("peer.py")), json.dumps({**request, **shape})])


def _say(measured: str) -> None:
    """Say beside the table what is measured, because each of them takes up to minutes."""
    print(f"measuring {measured} ...", file=sys.stderr, flush=True)


def _answer(command: list[str]) -> dict[str, Any]:
    """Run a command and return the JSON of its last line."""
    try:
        finished = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise UsageError(f"there is no {command[0]}") from None
    if finished.returncode != 0:
        sys.stderr.write(finished.stderr)
        raise Failure(f"{command[0]} ended with exit code {finished.returncode}; see above")
    return json.loads(finished.stdout.splitlines()[-1])
