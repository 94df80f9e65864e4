"""`evaluate`: the raw return of a trained agent, in both action modes, with frozen statistics."""

from __future__ import annotations

import numpy as np

from baselines_ppo.common.agent import Agent, load_agent
from baselines_ppo.common.backends import Backend, Unusable, make_backend
from baselines_ppo.common.envs import check_stored_id, check_stored_wrappers
from baselines_ppo.common.failures import DataError, LoadError
from baselines_ppo.common.mpi import world
from baselines_ppo.common.networks import find_network
from baselines_ppo.common.seeding import Purpose, episode_seed, generator


def evaluate(
    agent: str, env: str | None, wrapper: tuple[str, ...] | None, network: str | None, episodes: int, seed: int
) -> int:
    """Print returns of both action modes over the same episodes, which the ranks share; returns the exit code."""
    comm = world()
    loaded, env_id, wrappers = comm.together(lambda: trusted(agent, env, wrapper, network))
    own, backend = range(comm.rank, episodes, comm.size), make_backend(env_id, wrappers, 1)
    outcomes = {
        mode: [play_episode(loaded, backend, env_id, seed, episode, mode == "deterministic") for episode in own]
        for mode in ("deterministic", "stochastic")
    }
    backend.close()
    gathered = comm.gather(outcomes)
    if gathered is not None:
        print(f"{loaded.path} on {env_id}: {episodes} episodes of seed {seed}, statistics frozen")
        print(f"{'actions':<14}{'mean':>12}{'std':>12}{'min':>12}{'max':>12}{'mean length':>14}")
        for mode in outcomes:
            pairs = np.array([pair for part in gathered for pair in part[mode]])
            returns, lengths = pairs[:, 0], pairs[:, 1]
            figures = (returns.mean(), returns.std(), returns.min(), returns.max())
            print(f"{mode:<14}" + "".join(f"{x:>12.2f}" for x in figures) + f"{lengths.mean():>14.1f}")
    return 0


def trusted(
    agent: str, env: str | None, wrapper: tuple[str, ...] | None, network: str | None
) -> tuple[Agent, str, tuple[str, ...]]:
    """Return an agent, its environment and wrappers; modules are imported only if the command line names them.

    Raises:
      LoadError: there is no agent, or it asks for a module that the command line does not name.
    """
    if network is not None:
        find_network(network)
    loaded = load_agent(agent)
    wrappers = check_stored_wrappers(loaded.wrappers) if wrapper is None else wrapper
    return loaded, env or check_stored_id(loaded.env_id), wrappers


def play_episode(
    agent: Agent, backend: Backend, env_id: str, seed: int, episode: int, deterministic: bool
) -> tuple[float, int]:
    """Return the raw undiscounted return and the length of one episode in a backend of one row.

    Raises:
      LoadError: the environment has other spaces than the agent.
      DataError: the environment raised, or gave something unusable.
    """
    network = agent.policy.network
    if (backend.observation.shape, backend.action) != (network.observation.shape, network.action):
        raise LoadError(f"{agent.path} was trained on {agent.env_id}; {env_id} has other observations or actions")
    rng = generator(seed, Purpose.EVALUATION, 1, episode)
    agent.reset()
    total, length, ended = 0.0, 0, False
    try:
        observations = backend.reset([0], [episode_seed(seed, 0, episode, Purpose.EVALUATION)])
        while not ended:
            step = backend.step(agent.act_encoded(observations, deterministic, rng), [0])
            if step.raised:
                raise Unusable(0, step.raised[0])
            observations = step.observations
            total, length = total + float(step.rewards[0]), length + 1
            ended = bool(step.terminated[0] or step.truncated[0])
    except Unusable as unusable:
        raise DataError(f"env {env_id}, evaluation episode {episode}, step {length}: {unusable}") from None
    return total, length
