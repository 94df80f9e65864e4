"""From a configuration to a run that is ready to iterate: parts, folder, banner; new, resumed or warm."""

from __future__ import annotations

import dataclasses
import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from baselines_ppo.common import checkpoint
from baselines_ppo.common.agent import agent_of
from baselines_ppo.common.checkpoint import Checkpoint
from baselines_ppo.common.envs import make_environment
from baselines_ppo.common.failures import LoadError, UsageError
from baselines_ppo.common.logger import Logger
from baselines_ppo.common.mpi import Comm, world
from baselines_ppo.common.normalizer import Normalizer
from baselines_ppo.common.policy import ActorCritic, Policy
from baselines_ppo.common.rollout import Collector
from baselines_ppo.common.run_folder import CONFIG, RunFolder, runs_of
from baselines_ppo.common.seeding import Purpose, generator
from baselines_ppo.common.tensorflow_start import start_tensorflow
from baselines_ppo.common.vec_env import SerialVecEnv
from baselines_ppo.config import PPO1Config, TrainConfig, all_fields, from_json, resolve, to_json
from baselines_ppo.snapshot import restore, segment, versions
from baselines_ppo.training_run import Algorithm, TrainingRun

# What may differ from a checkpoint's configuration when it is resumed.
RESUMABLE = ("num_timesteps", "num_envs", "save_interval", "log_interval")


def start(
    config: TrainConfig,
    *,
    logdir: str | Path | None,
    resume: str | Path | None,
    load_path: str | Path | None,
    environment: Callable[[], Any] | None,
) -> TrainingRun:
    """Return a run at its first iteration, or at that of a checkpoint; the arguments are those of `train`.

    Raises:
      UsageError, LoadError, WriteError: the same on all ranks.
    """
    if resume is not None and load_path is not None:
        raise UsageError("give --resume to go on with a run or --load-path to begin a new one, not both")
    comm = world()
    config = resolve(config, comm.size)
    stored = _read(resume, comm)
    warm = _read(load_path, comm)
    changes = [] if stored is None else _compare(config, stored)
    continued = resume is not None and _is_run_folder(resume)
    # What can be refused comes first and is quick; TensorFlow takes seconds to load.
    envs = _environments(config, comm, environment)
    folder = _open_folder(_folder_path(config, logdir, resume, comm), comm, stored if continued else None)
    run = _build(config, comm, envs, folder)
    if comm.is_root:
        folder.write_config({**to_json(config), "ranks": comm.size, "command": sys.argv, "versions": versions()})
        run.logger = Logger(folder, config.num_timesteps, config.log_interval)
        print(banner(run), flush=True)
    if warm is not None:
        _warm_start(run, warm)
    if stored is None:
        run.lineage = [segment(run, exact=True)]
        run.collector.envs.reset()
        return run
    exactness = restore(run, stored)
    if continued:
        run.mark_saved()
    if comm.is_root:
        print(f"resumed {stored.path.name} at {run.counters.total_steps:,} steps: {exactness}", flush=True)
        for change in changes:
            print(f"changed: {change}", flush=True)
    return run


def _read(path: str | Path | None, comm: Comm) -> Checkpoint | None:
    """Return the newest valid checkpoint at a path, read by rank 0, on all ranks."""
    if path is None:
        return None
    found, skipped = comm.on_root(lambda: checkpoint.find(Path(path).expanduser()))
    if comm.is_root:
        for reason in skipped:
            sys.stderr.write(f"warning: skipping a checkpoint: {reason}\n")
    return found


def _compare(config: TrainConfig, stored: Checkpoint) -> list[str]:
    """Return what differs from the checkpoint's configuration; refuse what would not be the same run."""
    before = {item.name: value for _, item, value in all_fields(from_json(stored.manifest["config"]))}
    now = {item.name: value for _, item, value in all_fields(config)}
    changes = {name: f"{name} {before.get(name)} -> {now[name]}" for name in now if before.get(name) != now[name]}
    differing = [change for name, change in changes.items() if name not in RESUMABLE]
    if differing:
        raise UsageError(
            f"cannot resume {stored.path} with another configuration: {'; '.join(differing)}; "
            "leave these flags out, or begin a new run with --load-path"
        )
    return list(changes.values())


def _environments(config: TrainConfig, comm: Comm, environment: Callable[[], Any] | None) -> SerialVecEnv:
    """Return this rank's share of the environments."""
    share = config.num_envs // comm.size
    indices = range(comm.rank * share, (comm.rank + 1) * share)
    make = environment or functools.partial(make_environment, config.env)
    return SerialVecEnv(make, indices, config.seed, config.env, comm.rank)


def _build(config: TrainConfig, comm: Comm, envs: SerialVecEnv, folder: RunFolder) -> TrainingRun:
    """Return the run with its policy, collector and algorithm."""
    network = ActorCritic(
        envs.observation_size,
        envs.action,
        config.policy.hidden_sizes,
        config.policy.activation,
        config.policy.shared_trunk,
    )
    rng = generator(config.seed, Purpose.PARAMETERS)
    parameters = comm.broadcast(network.initial_parameters(rng, config.policy.init_log_std))
    settings = config.rollout
    clip = settings.clip_observations if settings.normalize_observations else None
    policy = Policy(network, parameters, clip)
    scaler = Normalizer((), settings.clip_rewards) if settings.normalize_returns else None
    collector = Collector(envs, policy, scaler, config.seed, settings.gamma)
    return TrainingRun(config, comm, collector, _algorithm(config, policy, comm, envs.indices), folder)


def _algorithm(config: TrainConfig, policy: Policy, comm: Comm, environments: range) -> Algorithm:
    """Return the learner that the configuration names; loads TensorFlow."""
    start_tensorflow()
    if isinstance(config.algorithm, PPO1Config):
        from baselines_ppo.ppo1 import PPO1

        return PPO1(config, policy, comm, environments)
    from baselines_ppo.ppo2 import PPO2

    return PPO2(config, policy, comm, environments)


def _is_run_folder(path: str | Path) -> bool:
    return (Path(path).expanduser() / CONFIG).exists()


def _folder_path(config: TrainConfig, logdir: str | Path | None, resume: str | Path | None, comm: Comm) -> Path:
    """Return the run's folder: that of the resumed run, the one asked for, or a new one by its default name."""
    if resume is not None and _is_run_folder(resume):
        return Path(resume).expanduser()
    if logdir is not None:
        return Path(logdir).expanduser()
    base = runs_of(config.env) / f"{config.alg}-{time.strftime('%Y%m%d-%H%M%S')}-{config.seed}"

    def unused() -> Path:
        candidates = (base, *(base.with_name(f"{base.name}-{k}") for k in range(2, 1000)))
        return next(path for path in candidates if not path.exists())

    return comm.on_root(unused)


def _open_folder(path: Path, comm: Comm, stored: Checkpoint | None) -> RunFolder:
    """Return the run's folder, made or, to go on from a checkpoint, opened by rank 0."""
    folder = RunFolder(path)

    def prepare() -> None:
        if stored is None:
            folder.create()
        else:
            folder.open()
            folder.resume_progress(stored.manifest["iteration"])

    comm.on_root(prepare)
    return folder


def _warm_start(run: TrainingRun, source: Checkpoint) -> None:
    """Begin with the policy and statistics of an agent; the optimiser and all counters begin anew.

    Raises:
      LoadError: its network is another one.
    """
    loaded, policy = agent_of(source).policy, run.collector.policy
    if loaded.network != policy.network:
        theirs, ours = dataclasses.asdict(loaded.network), dataclasses.asdict(policy.network)
        differing = "; ".join(
            f"{name} {theirs[name]}, here {ours[name]}" for name in ours if theirs[name] != ours[name]
        )
        raise LoadError(f"{source.path} has another network: {differing}")
    policy.observations.moments = loaded.observations.moments
    policy.value_targets.moments = loaded.value_targets.moments
    run.algorithm.restore({**run.algorithm.state(), "parameters": loaded.parameters})


def banner(run: TrainingRun) -> str:
    """Return what is about to happen: algorithm, sizes over all ranks, and where it is logged."""
    config, network = run.config, run.collector.policy.network
    updates = config.algorithm.num_epochs * config.algorithm.num_minibatches
    return (
        f"{config.alg} on {config.env}: {run.comm.size} ranks, {config.num_envs} environments, seed {config.seed}\n"
        f"each iteration: {config.num_envs} x {config.rollout.num_steps} = {config.steps_per_iteration:,} steps, "
        f"{updates} updates of {config.minibatch_size:,} ({config.algorithm.num_epochs} epochs x "
        f"{config.algorithm.num_minibatches} minibatches), all over all ranks\n"
        f"policy and value function: {config.policy.network} "
        f"{'-'.join(map(str, config.policy.hidden_sizes))} {config.policy.activation}, "
        f"{network.layout.size:,} parameters\n"
        f"until {config.num_timesteps:,} steps; logs and checkpoints in {run.folder.path}"
    )
