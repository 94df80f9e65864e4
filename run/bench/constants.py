"""What one rank of a preset takes: the constants of the simulation of many ranks."""

from __future__ import annotations

import contextlib
import functools
import io
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.common.job.signals import StopSignals
from baselines_ppo.common.mpi import Comm
from baselines_ppo.plan import OWN, plan_of
from baselines_ppo.run.bench.simulator import timed
from baselines_ppo.settings.presets import configure
from baselines_ppo.start import start
from baselines_ppo.train import iteration
from baselines_ppo.training_run import TrainingRun

WARM_UP, LEARNT = 1, 3  # iterations: not counted, with learning
COLLECTED, OF_WHOLE = 32, 4  # of collecting alone; the spread is that of the first, of the whole only the mean counts
MESSAGES = (1_000, 10_000, 100_000, 1_000_000)  # floats of the messages that are timed
REPEATS, FASTEST = 200, 0.05  # of them, the share that the other processes of this machine did not disturb


class Constants(NamedTuple):
    """Of one rank with so many environments, for an iteration."""

    environments: int
    collecting: list[float]  # s, of several iterations
    learning: float  # s
    rest: float  # s: statistics, log, agreements
    updates: float
    steps: int  # transitions
    parameters: int
    rollout_bytes: int  # that ranks would give each other where each learns from all steps
    shares_out: bool  # whether ranks share minibatches out, and learn from their own steps


def seconds_of_sums(comm: Comm, repeats: int, share: float) -> dict[int, float]:
    """Return the seconds in which the slowest rank has the sum of so many floats: a quantile over repeats."""
    found = {}
    for floats in MESSAGES:
        x, seconds = np.zeros(floats, np.float32), []
        for _ in range(repeats):
            comm.barrier()
            seconds.append(timed(functools.partial(comm.sum, x)))
        found[floats] = float(np.quantile(comm.stack(np.array(seconds)).max(axis=0), share))
    return found


def exchanges(comm: Comm) -> dict[int, float]:
    """Return the seconds in which two ranks add up so many floats, when nothing else runs here."""
    return seconds_of_sums(comm, REPEATS, FASTEST)


def timed_iteration(run: TrainingRun) -> tuple[float, float, float]:
    """Make one iteration of the training loop; returns the seconds of collecting, learning and all of it."""
    seconds = timed(lambda: iteration(run))
    return run.spent["collecting"], run.spent["learning"], seconds


def constants(env: str, part: int, share_out: bool | None = None) -> dict[str, Any]:
    """Return the constants of this one rank, with a part of the preset's environments.

    Args:
      part: 1, or by what the number of environments is divided.
      share_out: what the whole preset does; None: this is the whole preset.
    """
    fields: dict[str, Any] = {"num_envs": max(1, configure(env).num_envs // part), "track": ()}
    fields |= {} if share_out is None else {"split_minibatches": share_out}
    config = configure(env, log_interval=1e9, save_interval=1e9, **fields)
    with StopSignals() as signals, tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = str(Path(folder) / "run")
        run = start(config, signals, logdir=path, resume=None, load_path=None, environment=None)
        spent: list[tuple[float, float]] = []  # learning, rest
        for _ in range(WARM_UP + LEARNT):
            collected, learnt, seconds = timed_iteration(run)
            spent.append((learnt, seconds - learnt - collected))
        learning, rest = np.median(spent[WARM_UP:], axis=0)
        collecting = []
        for _ in range(OF_WHOLE if part == 1 else COLLECTED):
            rollout = run.collect()
            collecting.append(run.spent["collecting"])
        arrays = {name: x.nbytes for name, x in rollout._asdict().items() if isinstance(x, np.ndarray)}
        run.screen.close()
        run.close()
    return Constants(
        config.num_envs,
        collecting,
        float(learning),
        float(rest),
        run.algorithm.updates / run.counters.iteration,
        rollout.num_transitions,
        len(run.collector.policy.parameters),
        sum(arrays.values()) - arrays["raw_observations"] - arrays["discounted_returns"],
        plan_of(config, run.collector.policy.network, 2).sharing.learns_from == OWN,
    )._asdict()
