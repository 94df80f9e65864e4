"""The table of the parts of training, and the jobs that measure what is in it and in others."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from typing import Any

from baselines_ppo.common.failures import Failure, UsageError, short
from baselines_ppo.common.job.cores import usable_cores
from baselines_ppo.common.job.launcher import find_mpirun
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.run.bench.record import Row
from baselines_ppo.run.bench.work import Work
from baselines_ppo.state.platform_facts import PACKAGES, platform_facts

# Headings by the names of the parts, in a record too.
PARTS = {
    "simulator": "simulator",
    "same_states": "same states",
    "environments": "environments",
    "collecting": "collecting",
    "learning": "learning",
    "training": "training",
}
RATIOS = {"simulator": "training / simulator", "same_states": "/ same states"}


def machine() -> str:
    """Return one line about this machine and what runs on it."""
    facts = platform_facts()
    packages = ", ".join(f"{name} {facts[name] or 'missing'}" for name in PACKAGES)
    return f"{counted(usable_cores(), 'core')} of {facts['cpu']}; Python {facts['python']}, {packages}"


def speed_table(works: list[tuple[Work, int]]) -> list[Row]:
    """Print and return steps per second of the parts of training, over all ranks, which measure at the same time.

    Args:
      works: each with a number of ranks.
    """
    rows: list[Row] = []
    for shape, group in itertools.groupby(works, key=lambda pair: pair[0].shape):
        print(f"\nsteps per second over all ranks; {shape}")
        headings = "".join(f"{heading:>14}" for heading in PARTS.values())
        print(f"{'environment':<26}{'ranks':>6}{headings}  {'  '.join(RATIOS.values())}")
        for work, count in group:
            rates = job(count, work, iterations=10, parts=True)
            row = "".join(f"{_figure(rates[name], ',.0f'):>14}" for name in PARTS)
            shares = {name: _share(rates, name) for name in RATIOS}
            ratios = "".join(f"{_figure(shares[name], '.2f'):>{len(RATIOS[name]) + 2}}" for name in RATIOS)
            print(f"{work.env:<26}{count:>6}{row}{ratios}", flush=True)
            measured = {name: round(rates[name]) for name in PARTS if rates[name] is not None}
            of_limit = {f"of_{name}": round(share, 2) for name, share in shares.items() if share is not None}
            rows.append({"env": work.env, "ranks": count, **measured, **of_limit})
    if without := sorted({row["env"] for row in rows if "same_states" not in row}):
        print(f"{', '.join(without)}: nothing for the same states, because Python makes no steps of MuJoCo there")
    return rows


def _share(rates: dict[str, Any], name: str) -> float | None:
    """Return training as a share of a limit."""
    return None if rates[name] is None else rates["training"] / rates[name]


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def job(ranks: int, work: Work, iterations: int, parts: bool) -> dict[str, Any]:
    """Return what some ranks measured of training."""
    arguments = {**work._asdict(), "iterations": iterations, "parts": parts}
    del arguments["network"]
    return ask(ranks, {"what": "training", "arguments": arguments})


def ask(ranks: int, request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of a job of this many ranks.

    Raises:
      Failure: it ended without one; its message is on standard error.
    """
    launcher = [find_mpirun(), "-np", str(ranks)] if ranks > 1 else []
    measured = request.get("arguments", {}).get("env", "sums over ranks")
    announce(f"{measured}, {counted(ranks, 'rank')}")
    return answer([*launcher, sys.executable, "-m", "baselines_ppo.run.bench.job", json.dumps(request)])


def announce(measured: str) -> None:
    """Say beside the table what is measured, because each of them takes up to minutes."""
    print(f"measuring {measured} ...", file=sys.stderr, flush=True)


def answer(command: list[str]) -> dict[str, Any]:
    """Run a command and return the JSON of all its lines as one.

    Raises:
      UsageError: there is no such program, or it says in one line what is wrong.
      Failure: it has failed; its message is on standard error.
    """
    try:
        finished = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise UsageError(f"{short(command[0])} cannot be run: {error.strerror}") from None
    if finished.returncode == UsageError.exit_code and finished.stderr.strip():
        raise UsageError(finished.stderr.strip().splitlines()[-1].removeprefix("error: "))
    if finished.returncode != 0:
        sys.stderr.write(finished.stderr)
        raise Failure(f"{command[0]} ended with exit code {finished.returncode}; see above")
    said: dict[str, Any] = {}
    for line in finished.stdout.splitlines():
        if line.startswith("{"):
            said |= json.loads(line)
    return said
