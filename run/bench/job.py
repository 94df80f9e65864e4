"""What the ranks of a benchmark measure together: `mpirun -np R python -m baselines_ppo.run.bench.job JSON`."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.envs.vec_env import VecEnv
from baselines_ppo.common.job.signals import StopSignals
from baselines_ppo.common.mpi import Comm, world
from baselines_ppo.common.policy.distributions import at_first
from baselines_ppo.settings.presets import configure
from baselines_ppo.start import start
from baselines_ppo.train import iteration
from baselines_ppo.training_run import TrainingRun
from baselines_ppo.zoo import is_own

if TYPE_CHECKING:
    from baselines_ppo.zoo.vector_env import RobotVectorEnv

WARM_UP = 2  # iterations that compile and fill caches, not counted
SIMULATED, TOGETHER = 1_000, 150  # steps of the simulator that are timed; at least so many of all environments as one
MESSAGES = (1_000, 10_000, 100_000, 1_000_000)  # floats of the sums that are timed
REPEATS = 50


def main(request: dict[str, Any]) -> int:
    """Measure what the request asks for, on all ranks at once; rank 0 prints one line of JSON."""
    comm = world()
    if request["what"] == "collectives":
        answer: dict[str, Any] = {"seconds": {size: time_of_sum(comm, size) for size in MESSAGES}}
    else:
        answer = training(comm, **request["arguments"])
    if comm.is_root:
        print(json.dumps(answer), flush=True)
    return 0


def training(comm: Comm, env: str, iterations: int, parts: bool, fields: dict[str, Any]) -> dict[str, float]:
    """Return steps per second over all ranks, medians over iterations: of training, and of its parts.

    Args:
      parts: measure the simulator and the environments alone too.
      fields: of the configuration, on top of PPO2's textbook.
    """
    config = configure(env, "ppo2", preset="none", log_interval=1e9, save_interval=1e9, **fields)
    count = fields["num_envs"] // comm.size
    rates = {"simulator": total(comm, simulator_rate(env, count))} if parts else {}
    with StopSignals() as signals, tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stdout(io.StringIO()):  # the banner
            logdir = comm.broadcast(str(Path(folder) / "run"))
            run = start(config, signals, logdir=logdir, resume=None, load_path=None, environment=None)
            times = [timed_iteration(run) for _ in range(WARM_UP + iterations)][WARM_UP:]
        median = np.median(comm.stack(np.array(times)).mean(axis=0), axis=0)
        steps = config.steps_per_iteration
        rates |= {"collecting": steps / median[0], "learning": steps / median[1], "training": steps / median[2]}
        if parts:
            rates["environments"] = total(comm, environments_rate(run.collector.envs))
        run.close()
        comm.barrier()
    return {**rates, "updates": run.algorithm.updates / run.counters.iteration}


def timed_iteration(run: TrainingRun) -> tuple[float, float, float]:
    """Make one iteration of the training loop; returns the seconds of collecting, learning and all of it."""
    seconds = timed(lambda: iteration(run))
    return run.spent["collecting"], run.spent["learning"], seconds


def simulator_rate(env: str, count: int) -> float:
    """Return steps per second of nothing but the simulator on this rank: MuJoCo's own, or else Gymnasium's step.

    MuJoCo repeats the trajectories of random actions, without observations, rewards and resets.

    Args:
      count: environments that are stepped as one, where they can be.
    """
    environment = make_environment(EnvironmentSpec(env))
    environment.action_space.seed(0)
    inner: Any = environment.unwrapped
    if is_own(environment) and inner.vector.task.simulation.model.nu:
        from baselines_ppo.zoo.vector_env import RobotVectorEnv

        return batch_rate(RobotVectorEnv(inner.task, count))
    simulated = hasattr(inner, "model") and hasattr(inner, "frame_skip")
    actions: list[Any] = []
    begins: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    ended, begun = True, time.perf_counter()
    for step in range(SIMULATED):
        if ended:
            environment.reset(seed=step)
            if simulated:
                begins[step] = inner.data.qpos.copy(), inner.data.qvel.copy()
        actions.append(environment.action_space.sample())
        _, _, terminated, truncated, _ = environment.step(actions[-1])
        ended = terminated or truncated
    seconds = time.perf_counter() - begun
    if simulated:
        seconds = repeated(inner, actions, begins)
    environment.close()
    return SIMULATED / seconds


def repeated(inner: Any, actions: list[Any], begins: dict[int, tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the seconds that MuJoCo alone takes for these actions and beginnings of episodes."""
    import mujoco

    seconds, last = 0.0, time.perf_counter()
    for step, action in enumerate(actions):
        if step in begins:
            seconds += time.perf_counter() - last
            mujoco.mj_resetData(inner.model, inner.data)
            inner.set_state(*begins[step])
            last = time.perf_counter()
        inner.data.ctrl[:] = action
        mujoco.mj_step(inner.model, inner.data, nstep=inner.frame_skip)
    return seconds + time.perf_counter() - last


def batch_rate(envs: RobotVectorEnv) -> float:
    """Return steps per second of nothing but MuJoCo, for environments of the zoo that are stepped as one."""
    simulation, rng = envs.task.simulation, np.random.default_rng(0)
    envs.reset(seed=0)
    states = []
    for _ in range(max(SIMULATED // envs.num_envs, TOGETHER)):
        envs.step(rng.uniform(-1, 1, (envs.num_envs, envs.task.action_size)))
        states.append(simulation.state.copy())
    seconds = 0.0
    for state in states:
        simulation.state[:] = state
        seconds += timed(simulation.step)
    return len(states) * envs.num_envs / seconds


def environments_rate(envs: VecEnv) -> float:
    """Return this rank's steps per second of its environments with random actions, as training steps them."""
    rng, distribution = np.random.default_rng(0), envs.action.distribution
    outputs = np.zeros((len(envs), distribution.network_size), np.float32)
    params = distribution.from_network(outputs, at_first(distribution))
    count = max(SIMULATED // len(envs), TOGETHER)
    noise = distribution.noise(rng, count * len(envs))
    begun = time.perf_counter()
    for k in range(count):
        rows = noise[k * len(envs) : (k + 1) * len(envs)]
        envs.step(envs.action.to_environment(distribution.sample(params, rows)))
    return count * len(envs) / (time.perf_counter() - begun)


def time_of_sum(comm: Comm, size: int) -> float:
    """Return the median seconds of a sum over ranks of this many floats."""
    x, seconds = np.zeros(size, np.float32), []
    for _ in range(REPEATS):
        comm.barrier()
        seconds.append(timed(lambda: comm.sum(x)))
    return float(np.median(comm.stack(np.array(seconds)).max(axis=0)))


def timed(function: Callable[[], object]) -> float:
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def total(comm: Comm, rate: float) -> float:
    """Return the sum of a number over ranks."""
    return float(comm.sum(np.array([rate]))[0])


if __name__ == "__main__":
    from baselines_ppo.common.ending import run_job

    run_job(lambda: main(json.loads(sys.argv[1])))
