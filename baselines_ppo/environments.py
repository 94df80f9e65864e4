"""This rank's share of the environments: tried out first, then made, each with a random stream of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from baselines_ppo.common.envs.backend_contract import Backend
from baselines_ppo.common.envs.backends import SerialBackend, make_backend
from baselines_ppo.common.envs.interface import own_environment
from baselines_ppo.common.envs.keywords import keywords_of
from baselines_ppo.common.envs.make import EnvironmentSpec, MakeEnvironment, wrapped
from baselines_ppo.common.envs.process_state import Apart, ProcessState
from baselines_ppo.common.envs.treatment import seed_global_streams, treatment_from_json
from baselines_ppo.common.envs.trial import Trial, try_out, try_out_spec
from baselines_ppo.common.envs.vec_env import VecEnv
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.files.agent import observation_in
from baselines_ppo.common.files.checkpoint import Checkpoint
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.observations import AUTO, Observation
from baselines_ppo.common.seeding import Purpose, episode_seed
from baselines_ppo.settings.config import TrainConfig

MakeBackend = Callable[[int, "Sequence[int] | None", "str | Observation"], Backend]  # how many, see `SerialBackend`


class Environments(NamedTuple):
    """This rank's environments, what was found out about them, and how more of them are made."""

    envs: VecEnv
    trial: Trial
    more: Callable[[int], Backend]  # so many, apart from these, which see and do the same


def make_environments(
    config: TrainConfig,
    comm: Comm,
    environment: Callable[[], Any] | None,
    stored: Checkpoint | None,
    warm: Checkpoint | None,
    process: ProcessState,
) -> Environments:
    """Return this rank's environments.

    Args:
      environment: makes one; None: the configuration's id does.
      stored, warm: what the run goes on from, or begins from.

    Raises:
      UsageError: the environment, a wrapper or a space is not supported; the same on all ranks.
    """
    make = _own_maker(config, environment)
    trial = _tried_out(config, make, stored, comm, process)
    taken_for = _taken_for(config, stored or warm)
    comm.alive.note("making environments")

    def backend(count: int, seeds: Sequence[int] | None, taken_for: str | Observation) -> Backend:
        treatment = trial.treatment
        if make is None:
            made = process.call(make_backend, spec_of(config), count, treatment, seeds, taken_for)
        else:
            made = process.call(SerialBackend, make, count, config.env, treatment, seeds, taken_for)
        process.set_again()
        return made

    envs = comm.together(lambda: _made(config, comm, backend, taken_for, process), "the environments")
    return Environments(envs, trial, lambda count: _apart(backend(count, None, envs.observation), process))


def _own_maker(config: TrainConfig, environment: Callable[[], Any] | None) -> MakeEnvironment | None:
    """Return the user's function that makes an environment, in its wrappers; None where there is none.

    Raises:
      UsageError: it is no such function, or there are arguments for an id beside it.
    """
    if environment is None:
        return None
    if config.env_kwargs:
        raise UsageError("env_kwargs are for an environment id; give them to the environment in your own function")
    return functools.partial(wrapped, own_environment(environment, config.env), config.wrapper)


def _tried_out(
    config: TrainConfig, make: MakeEnvironment | None, stored: Checkpoint | None, comm: Comm, process: ProcessState
) -> Trial:
    """Return how the environments are treated: as in the checkpoint, or as rank 0 finds out for all."""
    kept = None if stored is None else treatment_from_json(stored.manifest.get("environment"))
    if kept is not None and config.eval_interval is None:
        return Trial(kept)
    comm.alive.note("trying the environment out")
    closing = functools.partial(comm.alive.note, f"closing {config.env} after its trial", brief=True)
    find_out: Callable[[], Trial]
    if make is None:
        find_out = functools.partial(try_out_spec, spec_of(config), closing)
    else:
        find_out = functools.partial(try_out, make, config.env, closing)
    trial = comm.on_root(lambda: process.call(find_out), "the trial of an environment")
    if trial.alone and config.num_envs > comm.size:
        raise UsageError(
            f"environment {config.env}: {trial.alone}; let each make its own, or give one to each rank with "
            "mpirun -np R and --num-envs R"
        )
    if trial.alone and config.eval_interval is not None:
        raise UsageError(
            f"environment {config.env}: {trial.alone}, and an evaluation on the way needs environments of its own; "
            "leave --eval-interval out"
        )
    return trial if kept is None else Trial(kept)


def spec_of(config: TrainConfig) -> EnvironmentSpec:
    """Return how the environments of a configuration are made."""
    return EnvironmentSpec(config.env, config.wrapper, keywords_of(config.env_kwargs))


def _made(
    config: TrainConfig,
    comm: Comm,
    make: MakeBackend,
    taken_for: str | Observation,
    process: ProcessState,
) -> VecEnv:
    """Return this rank's environments."""
    share = config.num_envs // comm.size
    indices = range(comm.rank * share, (comm.rank + 1) * share)
    seed_global_streams(episode_seed(config.seed, comm.rank, 0, Purpose.GLOBAL))
    seeds = [episode_seed(config.seed, index, 0, Purpose.MAKING) for index in indices]
    backend = make(share, seeds, taken_for)
    if config.num_episodes is not None and not isinstance(backend, SerialBackend):
        raise UsageError(f"{config.env} steps all its environments at once; give --num-episodes none")
    return VecEnv(_apart(backend, process), indices, config.seed, config.env, comm.rank, config.env_restarts)


def _apart(backend: Backend, process: ProcessState) -> Backend:
    return cast(Backend, Apart(backend, process))


def _taken_for(config: TrainConfig, source: Checkpoint | None) -> str | Observation:
    """Return what observations are taken for: what the user says, else what the agent to begin from takes them for."""
    chosen = config.policy.observations
    return chosen if source is None or chosen != AUTO else observation_in(source)
