"""What the ranks of a benchmark measure together: `mpirun -np R python -m baselines_ppo.run.bench.job JSON`."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from baselines_ppo.common.job.signals import StopSignals
from baselines_ppo.common.mpi import Comm, world
from baselines_ppo.run.bench.constants import constants, exchanges, seconds_of_sums, timed_iteration
from baselines_ppo.run.bench.simulator import environments_rate, simulator_rate
from baselines_ppo.run.bench.visited import seconds_of, visited
from baselines_ppo.settings.presets import configure
from baselines_ppo.start import start
from baselines_ppo.training_run import TrainingRun

WARM_UP = 2  # iterations that compile and fill caches, not counted
REPEATS, MEDIAN = 50, 0.5  # of sums that are timed


def main(request: dict[str, Any]) -> int:
    """Measure what the request asks for, on all ranks at once; rank 0 prints one line of JSON."""
    comm = world()
    if request["what"] == "collectives":
        answer: dict[str, Any] = {"seconds": seconds_of_sums(comm, REPEATS, MEDIAN)}
    elif request["what"] == "exchanges":
        answer = {"seconds": exchanges(comm)}
    elif request["what"] == "constants":
        answer = constants(**request["arguments"])
    else:
        answer = training(comm, **request["arguments"])
    if comm.is_root:
        print(json.dumps(answer), flush=True)
    return 0


def training(
    comm: Comm, env: str, iterations: int, parts: bool, preset: str | None, fields: dict[str, Any], agent: str | None
) -> dict[str, float | None]:
    """Return steps per second over all ranks, medians over iterations: of training, and of its parts.

    Args:
      parts: measure the simulator and the environments alone too; the simulator on the same states is None where
        there is no such figure.
      preset, fields: of the configuration.
      agent: the policy to begin with.
    """
    config = configure(env, "ppo2", preset=preset, log_interval=1e9, save_interval=1e9, **fields)
    rates: dict[str, float | None] = {}
    if parts:
        rates["simulator"] = total(comm, simulator_rate(env, config.num_envs // comm.size))
    with StopSignals() as signals, tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stdout(io.StringIO()):  # the banner
            logdir = comm.broadcast(str(Path(folder) / "run"))
            run = start(config, signals, logdir=logdir, resume=None, load_path=agent, environment=None)
            times = [timed_iteration(run) for _ in range(WARM_UP + iterations)][WARM_UP:]
        median = np.median(comm.stack(np.array(times)).mean(axis=0), axis=0)
        steps = config.steps_per_iteration
        rates |= {"collecting": steps / median[0], "learning": steps / median[1], "training": steps / median[2]}
        if parts:
            rates["same_states"] = simulator_rate_on_the_same_states(comm, run)
            rates["environments"] = total(comm, environments_rate(run.collector.envs))
        run.screen.close()
        run.close()
        comm.barrier()
    return {**rates, "updates": run.algorithm.updates / run.counters.iteration}


def simulator_rate_on_the_same_states(comm: Comm, run: TrainingRun) -> float | None:
    """Return steps per second of nothing but MuJoCo from the states of one more iteration; None without MuJoCo."""
    made, steps = visited(run)
    comm.barrier()  # all ranks at once, as in training
    return total(comm, made / seconds_of(steps)) if steps else None


def total(comm: Comm, rate: float) -> float:
    """Return the sum of a number over ranks."""
    return float(comm.sum(np.array([rate]))[0])


if __name__ == "__main__":
    from baselines_ppo.common.ending import run_job

    run_job(lambda: main(json.loads(sys.argv[1])))
