"""How training scales over the ranks of this machine, and what a sum over ranks costs here."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from baselines_ppo.common.job.cores import usable_cores
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.run.bench.record import Row
from baselines_ppo.run.bench.report import ask, job
from baselines_ppo.run.bench.work import Work

SHARED = 16  # environments in all, of the fixed batch
FIXED: dict[str, Any] = {"num_envs": SHARED, "num_steps": 128, "num_minibatches": 32, "num_epochs": 10}
GROWING: dict[str, Any] = {"num_steps": 128, "num_minibatches": 4, "num_epochs": 5, "split_minibatches": True}
PER_RANK = 16  # environments


def scaling_tables(env: str, ranks: tuple[int, ...]) -> list[Row]:
    """Print training over ranks with the same and with a growing batch, and the cost of sums.

    Returns:
      The steps per second, a row for each number of ranks and kind of batch.
    """
    print(f"\n{env}: 16 environments in all, whatever the ranks; every rank learns the whole minibatch of 64")
    one = _rates(1, env, FIXED, None)
    rows: list[Row] = [{"env": env, "batch": "fixed", "ranks": 1, "training": round(one["training"])}]
    for count in ranks:
        if count > 1:
            rates = _rates(count, env, FIXED, one)
            rows.append({"env": env, "batch": "fixed", "ranks": count, "training": round(rates["training"])})
    print(f"\n{env}: 16 environments per rank, minibatches of 512 per rank, gradients averaged over the ranks")
    base = _rates(1, env, _growing(1), None)
    rows.append({"env": env, "batch": "growing", "ranks": 1, "training": round(base["training"])})
    for count in ranks:
        if count > 1:
            rates = _rates(count, env, _growing(count), base)
            rows.append({"env": env, "batch": "growing", "ranks": count, "training": round(rates["training"])})

    counts = [count for count in ranks if count > 1]
    measured = {count: ask(count, {"what": "collectives"})["seconds"] for count in counts}
    sizes = list(next(iter(measured.values()))) if measured else []
    print("\nmicroseconds of a sum over ranks, by the number of floats")
    print(f"{'ranks':>6}" + "".join(f"{int(size):>12,}" for size in sizes))
    for count in counts:
        print(f"{count:>6}" + "".join(f"{measured[count][size] * 1e6:>12.0f}" for size in sizes))
    fitting = [count for count in counts if count <= usable_cores()]
    if fitting:
        latency, per_byte = fit({count: measured[count] for count in fitting})
        print(f"\nfitted: {latency * 1e6:.0f} us per doubling of ranks + {1e-9 / per_byte:.1f} GB/s")
        print(f"what this comes to on clusters: bench --simulate --env {env}")
    return rows


def _growing(ranks: int) -> dict[str, Any]:
    return {**GROWING, "num_envs": PER_RANK * ranks}


def _rates(count: int, env: str, fields: dict[str, Any], one: dict[str, float] | None) -> dict[str, float]:
    rates = job(count, Work(env, "none", fields, "mlp"), iterations=8, parts=False)
    gain = "" if one is None else f"{rates['training'] / one['training']:>8.2f} times one rank"
    shared = f" ({count} ranks on {counted(usable_cores(), 'core')})" if count > usable_cores() else ""
    print(f"{count:>6} ranks {rates['training']:>10,.0f} steps/s{gain}{shared}", flush=True)
    return rates


def fit(measured: dict[int, dict[str, float]]) -> tuple[float, float]:
    """Return latency and seconds per byte of t = latency log2(R) + 2 (R - 1) / R bytes per_byte, by least squares.

    That is what a reduction by halving and doubling costs (Rabenseifner 2004; Thakur et al. 2005, section 4.5,
    there with twice the latency). Each time counts relative to itself, so that small messages count as large ones.
    """
    rows = [
        (math.log2(count) / seconds, 8.0 * int(size) * (count - 1) / count / seconds)
        for count, times in measured.items()
        for size, seconds in times.items()
    ]
    latency, per_byte = np.linalg.lstsq(np.array(rows), np.ones(len(rows)), rcond=None)[0]
    return max(float(latency), 1e-7), max(float(per_byte), 1e-12)
