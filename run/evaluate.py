"""`evaluate`: the raw return of a trained agent, in both action modes, with frozen statistics."""

from __future__ import annotations

import numpy as np

from baselines_ppo.common.agent import Agent, load_agent
from baselines_ppo.common.envs import check_stored_id, make_environment
from baselines_ppo.common.failures import LoadError
from baselines_ppo.common.mpi import world
from baselines_ppo.common.seeding import Purpose, episode_seed, generator
from baselines_ppo.common.spaces import action_of, observation_size


def evaluate(agent: str, env: str | None, episodes: int, seed: int) -> int:
    """Print returns of both action modes over the same episodes, which the ranks share; returns the exit code."""
    comm = world()
    loaded = comm.on_root(lambda: load_agent(agent))
    env_id = env or check_stored_id(loaded.env_id)
    own = range(comm.rank, episodes, comm.size)
    outcomes = {
        mode: [run_episode(loaded, env_id, seed, episode, mode == "deterministic") for episode in own]
        for mode in ("deterministic", "stochastic")
    }
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


def run_episode(
    agent: Agent, env_id: str, seed: int, episode: int, deterministic: bool, render_mode: str | None = None
) -> tuple[float, int]:
    """Return the raw undiscounted return and the length, in steps, of one episode."""
    environment = make_environment(env_id, render_mode)
    network = agent.policy.network
    spaces = observation_size(environment.observation_space, env_id), action_of(environment.action_space, env_id)
    if spaces != (network.observation_size, network.action):
        raise LoadError(f"{agent.path} was trained on {agent.env_id}; {env_id} has other observations or actions")
    rng = generator(seed, Purpose.EVALUATION, 1, episode)
    observation, _ = environment.reset(seed=episode_seed(seed, 0, episode, Purpose.EVALUATION))
    total, length, ended = 0.0, 0, False
    while not ended:
        action = agent.act(observation, deterministic, rng)
        observation, reward, terminated, truncated, _ = environment.step(action)
        total, length, ended = total + float(reward), length + 1, terminated or truncated
    environment.close()
    return total, length
