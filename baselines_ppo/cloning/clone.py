"""`clone`: from demonstrations to an agent that PPO can begin with."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.cloning import minari_data
from baselines_ppo.cloning.steps import Steps, discounted, parted, reward_scaler_of, steps_of
from baselines_ppo.common.ending import inside_job, protected
from baselines_ppo.common.envs.backends import make_backend
from baselines_ppo.common.envs.foreign import close_unheard
from baselines_ppo.common.envs.keywords import same_meaning
from baselines_ppo.common.envs.trial import try_out_spec
from baselines_ppo.common.failures import Failure, LoadError, UsageError, short
from baselines_ppo.common.files import checkpoint, demonstrations
from baselines_ppo.common.files.demonstrations import Demonstrations
from baselines_ppo.common.files.remembered import remember
from baselines_ppo.common.files.whole import empty_folder, place
from baselines_ppo.common.job.tensorflow_start import start_tensorflow
from baselines_ppo.common.job.threads import limit_checked_threads
from baselines_ppo.common.moments import moments_of
from baselines_ppo.common.mpi import Comm, world
from baselines_ppo.common.policy.actions import Action
from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.fit import difference
from baselines_ppo.common.policy.normalizer import Normalizer
from baselines_ppo.common.policy.observations import Observation
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.common.seeding import Purpose, generator
from baselines_ppo.environments import spec_of
from baselines_ppo.settings.cloning import CloneConfig
from baselines_ppo.settings.config import TrainConfig
from baselines_ppo.state.platform_facts import platform_facts
from baselines_ppo.wiring import actor_critic_of

BETWEEN_LINES = 5.0  # s


class Cloned(NamedTuple):
    """A policy that was fitted to demonstrations."""

    folder: Path  # of the agent; `load` and `load_path` take it
    episodes: int  # that it learned from
    steps: int  # likewise
    mean_return: float  # of all demonstrations, raw
    epochs: int  # that were made
    log_likelihood: float  # mean over the held-out steps; without these, over the last epoch while it learned


class Data(NamedTuple):
    """What all ranks hold of the demonstrations."""

    learned: Steps
    held_out: Steps | None
    mean_return: float  # of both


def clone(
    config: TrainConfig,
    data: str | Path,
    out: str | Path,
    settings: CloneConfig = CloneConfig(),  # noqa: B008  # it is frozen
) -> Cloned:
    """Fit a policy to demonstrations, and write it as an agent that a training of `config` can begin with.

    Args:
      config: from `configure`: environment, networks, statistics and discount are those of the training.
      data: an npz file that `record` wrote, minari:ID, or the folder of a data set of Minari's.
      out: a new or empty folder.
      settings: how it is fitted.

    Raises:
      UsageError: the demonstrations are of another environment, or the networks remember.
      LoadError: there are no demonstrations, or they are damaged.
      DataError: an episode does not have the environment's spaces, or its numbers cannot be learned from.
      WriteError: the folder cannot be written.
    """
    settings.checked()
    return protected(lambda: _clone(config, str(data), out, settings, world()))


def _clone(config: TrainConfig, source: str, out: str | Path, settings: CloneConfig, comm: Comm) -> Cloned:
    folder = comm.on_root(lambda: empty_folder(out), "the agent's folder")
    limit_checked_threads()
    spaces, found = comm.on_root(lambda: _data(config, source, settings), "the demonstrations")
    network = actor_critic_of(config, *spaces)
    policy, scaler = _policy(config, network, found.learned)
    targets = discounted(found.learned, config.rollout, scaler)
    if config.algorithm.normalize_value_targets:
        policy.value_targets.moments = moments_of(targets.returns)
    if comm.is_root:
        noted = remember(config.env, (*config.wrapper, config.policy.network))
        print("\n".join(filter(None, (_told(source, found, config), noted))), flush=True)
    start_tensorflow(inside_job())
    from baselines_ppo.cloning.fit import Fit  # needs TensorFlow, which takes seconds to load

    fit = Fit(settings, config.seed, policy, comm)
    fitted = fit.fit(found.learned, targets, found.held_out, _teller(comm))
    comm.assert_equal({"parameters": policy.parameters}, "after cloning")
    steps, episodes = len(found.learned.rewards), len(found.learned.lengths)
    result = Cloned(folder, episodes, steps, found.mean_return, len(fitted.epochs), fitted.best.judged)
    facts = {**result._asdict(), "data": source, "settings": asdict(settings)}
    comm.on_root(lambda: _save(folder, config, policy, scaler, facts), "the agent")
    return result


def _network(config: TrainConfig) -> ActorCritic:
    """Return the actor-critic of a training.

    Raises:
      UsageError: the environment or a space is not supported, or the network remembers.
    """
    spec = spec_of(config)
    backend = make_backend(spec, 1, try_out_spec(spec).treatment, taken_for=config.policy.observations)
    close_unheard(backend.close)
    network = actor_critic_of(config, backend.observation, backend.action)
    if network.recurrent:
        raise UsageError(
            f"clone takes networks without memory, not {network.policy_network.name}; give --network mlp or cnn"
        )
    return network


def _data(config: TrainConfig, source: str, settings: CloneConfig) -> tuple[tuple[Observation, Action], Data]:
    """Return the spaces of a training, and the demonstrations as steps of these."""
    demonstrated = _read(config, source)  # which says if it is of another environment
    network = _network(config)
    _check_action(demonstrated, network)
    steps = steps_of(demonstrated, network)
    learned, held_out = parted(steps, settings.held_out, config.seed)
    return (network.observation, network.action), Data(learned, held_out, float(steps.returns.mean()))


def _check_action(demonstrated: Demonstrations, network: ActorCritic) -> None:
    """Check that demonstrations have the actions of the environment: numbers beyond its bounds would be clipped.

    Raises:
      UsageError: they have others; names what differs.
    """
    seen, action = network.observation, demonstrated.action or network.action
    if words := difference((seen, action), (seen, network.action)):
        raise UsageError(
            f"{short(demonstrated.source)} has other actions than the environment has here: {words}; give the "
            "environment and the wrappers that it was recorded with"
        )


def _read(config: TrainConfig, source: str) -> Demonstrations:
    """Return the demonstrations that a user means.

    Raises:
      LoadError: there are none.
      UsageError: they are of another environment.
    """
    try:
        found = _found(source)
    except LoadError:
        if _is_agent(source):
            name, cure = short(source), f"type record {shlex.quote(source)} --out episodes.npz, and give that file"
            raise LoadError(f"{name} is an agent, and holds no demonstrations; {cure}") from None
        raise
    own = {"env": config.env, "wrapper": config.wrapper, "env_kwargs": config.env_kwargs}
    theirs = {"env": found.env_id, "wrapper": found.wrappers, "env_kwargs": found.env_kwargs}
    for name, value in theirs.items():
        if value is not None and not _same(name, value, own[name]):
            flag, (said, here) = f"--{name.replace('_', '-')}", (_typed(each) for each in (value, own[name]))
            raise UsageError(
                f"{short(source)} was recorded with {flag} {said}, and this is for {here}; give {flag} {said}, or "
                "other demonstrations"
            )
    return found


def _found(source: str) -> Demonstrations:
    """Return what is where a user says that demonstrations are."""
    if source.startswith(minari_data.PREFIX):
        return minari_data.load(source, source.removeprefix(minari_data.PREFIX))
    path = place(source)
    return minari_data.load(source, path) if path.is_dir() else demonstrations.load(path)


def _is_agent(source: str) -> bool:
    """Return whether a user has named an agent: a run, a checkpoint, or a pretrained one."""
    try:
        checkpoint.find(source)
    except Failure:
        return False
    return True


def _typed(value: Any) -> str:
    """Return the value of a flag as it is typed."""
    return short(value if isinstance(value, str) else ",".join(value)) or "none"


def _same(name: str, one: Any, other: Any) -> bool:
    """Return whether two values mean the same; an environment does, whatever module registers it."""
    if name == "env":
        return str(one).rpartition(":")[2] == str(other).rpartition(":")[2]
    return one == other or same_meaning(name, one, other)


def _policy(config: TrainConfig, network: ActorCritic, steps: Steps) -> tuple[Policy, Normalizer | None]:
    """Return a policy as a training begins with it, with the statistics of some steps, and what scales rewards."""
    rollout = config.rollout
    parameters = network.initial_parameters(generator(config.seed, Purpose.PARAMETERS), config.policy.init_log_std)
    policy = Policy(network, parameters, rollout.clip_observations if rollout.normalize_observations else None)
    if rollout.normalize_observations and policy.normalizes:
        policy.observations.moments = moments_of(policy.numbers(steps.observations))
    return policy, reward_scaler_of(steps, rollout)


def _save(folder: Path, config: TrainConfig, policy: Policy, scaler: Normalizer | None, facts: dict[str, Any]) -> None:
    """Write the agent.

    Raises:
      WriteError: it cannot be written.
    """
    from baselines_ppo.state.snapshot import acted_on  # needs TensorFlow

    statistics = {"observations": policy.observations, "value_targets": policy.value_targets}
    if scaler is not None:
        statistics["rewards"] = scaler
    arrays = {f"{name}/{key}": x for name, kept in statistics.items() for key, x in kept.state().items()}
    cloned = {**facts, "folder": folder.name}
    manifest = {"kind": "agent", **acted_on(config, policy), "cloned": cloned, "platform": platform_facts()}
    checkpoint.save(folder.parent, folder.name, manifest, {"parameters": policy.parameters, **arrays})


def _told(source: str, data: Data, config: TrainConfig) -> str:
    """Return what is learned from, in a line."""
    held = "none" if data.held_out is None else f"{len(data.held_out.lengths):,} more"
    learned = data.learned
    return (
        f"clone on {config.env}: {counted(len(learned.lengths), 'episode')}, "
        f"{counted(len(learned.rewards), 'step')} of {short(source)}, "
        f"mean return {data.mean_return:,.1f}; {held} held out"
    )


def _teller(comm: Comm) -> Callable[[Any], None]:
    """Return what prints a line on an epoch now and then, on rank 0."""
    said = -np.inf

    def tell(epoch: Any) -> None:
        nonlocal said
        if comm.is_root and time.monotonic() > said + BETWEEN_LINES:
            said = time.monotonic()
            print(in_words(epoch), flush=True)

    return tell


def in_words(epoch: Any) -> str:
    """Return a line on an epoch."""
    held = "" if epoch.held_out is None else f", held out {epoch.held_out:8.3f}"
    return (
        f"epoch {epoch.number:4d}  log likelihood {epoch.log_likelihood:8.3f}{held}  "
        f"explained variance {epoch.explained_variance:.2f}"
    )
