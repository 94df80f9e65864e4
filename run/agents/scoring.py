"""`evaluate`: the raw return of a trained agent, in both action modes, with frozen statistics."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import numpy as np

from baselines_ppo.common.envs.episodes import Episodes, PlayedEpisode, cut_after, steps_allowed
from baselines_ppo.common.envs.facts import MEANS, means_of
from baselines_ppo.common.envs.foreign import close_unheard
from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.common.envs.stored import stored_environment
from baselines_ppo.common.files.agent import Agent, load_agent
from baselines_ppo.common.files.remembered import remember
from baselines_ppo.common.job.launcher import launched_rank
from baselines_ppo.common.mpi import world
from baselines_ppo.common.policy.networks import find_network
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.run.agents import facts_in_words
from baselines_ppo.run.agents.acting import backend_for, found_out
from baselines_ppo.run.news import News
from baselines_ppo.zoo.card import MODES, Score

ROWS = 64  # episodes at once, at most
COLUMNS = ["actions", "", "mean return", "std", "min", "max", "mean length"]  # of tables of scores


def evaluate(
    agent: str,
    env: str | None,
    wrapper: tuple[str, ...] | None,
    network: str | None,
    episodes: int,
    seed: int,
    env_kwargs: str | None = None,
    max_steps: int | None = None,
) -> int:
    """Print returns of both action modes over the same episodes; returns the exit code."""
    comm = world()
    loaded, spec = comm.together(lambda: trusted(agent, env, wrapper, network, env_kwargs))
    played = measure(loaded, spec, episodes, seed, max_steps=max_steps)
    if comm.is_root:
        print(f"{loaded.path} on {spec.env_id}: {counted(episodes, 'episode')} of seed {seed}, statistics frozen")
        print(f"{'actions':<14}{'mean':>12}{'std':>12}{'min':>12}{'max':>12}{'mean length':>14}")
        for mode, outcomes in played.items():
            score = score_of(outcomes)
            figures = (score.mean, score.std, score.min, score.max)
            line = f"{mode:<14}" + "".join(f"{x:>12.2f}" for x in figures) + f"{score.mean_length:>14.1f}"
            cut = [episode.length for episode in outcomes if episode.cut]
            facts = ", ".join(facts_in_words.of_score(score))
            ended = f"{len(cut)} of {episodes} {cut_after(cut[0])}" if cut else ""
            print("  ".join(filter(None, [line, facts, ended])))
    return 0


def measure(
    agent: Agent,
    spec: EnvironmentSpec,
    episodes: int,
    seed: int,
    rows: int = ROWS,
    max_steps: int | None = None,
    modes: Sequence[str] = MODES,
) -> dict[str, list[PlayedEpisode]]:
    """Return, by action mode, what the same episodes come to; the ranks share them, and all have the result.

    Args:
      rows: how many are played at once, which changes nothing but the time it takes.
      max_steps: see `steps_allowed`.
      modes: some of `MODES`.

    Raises:
      UsageError: the environment is not supported, or no step is allowed.
      LoadError: it has other spaces than the agent.
      DataError: it raised, or gave something unusable.
    """
    comm = world()
    own = range(comm.rank, episodes, comm.size)
    most = comm.together(lambda: steps_allowed(spec.env_id, max_steps))
    trial = comm.on_root(lambda: found_out(agent, spec), "the trial of an environment")
    if trial.alone and episodes > comm.size and comm.is_root:
        sys.stderr.write(
            f"{spec.env_id}: its episodes are played one after the other{' on each rank' * (comm.size > 1)}\n"
        )
    rows, news = 1 if trial.alone else max(1, min(rows, len(own))), News()

    def say(how_far: Callable[[], str]) -> None:
        news.say(lambda: ("rank 0: " if comm.size > 1 else "") + how_far())

    def play() -> dict[str, list[PlayedEpisode]]:
        backend = backend_for(agent, spec, rows, trial)
        try:
            player = Episodes(agent, backend, rows, spec.env_id, seed, most)
            return {mode: player.play(own, mode == "deterministic", say) for mode in modes}
        finally:
            close_unheard(backend.close)

    played = comm.together(play)
    parts = comm.broadcast(comm.gather(played)) or []
    return {mode: [parts[k % comm.size][mode][k // comm.size] for k in range(episodes)] for mode in modes}


def score_of(episodes: list[PlayedEpisode]) -> Score:
    """Return the figures of some episodes."""
    returns = np.array([episode.episode_return for episode in episodes])
    means = means_of(episode.facts for episode in episodes)
    return Score(
        mean=float(returns.mean()),
        std=float(returns.std()),
        min=float(returns.min()),
        max=float(returns.max()),
        mean_length=float(np.mean([episode.length for episode in episodes])),
        **{name: means.get(name) for name in MEANS.values()},
    )


def row_of(mode: str, score: Score) -> list[str]:
    """Return the figures of some episodes in words, by the columns of `COLUMNS`."""
    figures = (score.mean, score.std, score.min, score.max, score.mean_length)
    return [mode, ", ".join(facts_in_words.of_score(score)), *(f"{figure:,.1f}" for figure in figures)]


def trusted(
    agent: str, env: str | None, wrapper: tuple[str, ...] | None, network: str | None, env_kwargs: str | None = None
) -> tuple[Agent, EnvironmentSpec]:
    """Return an agent and its environment, each part of which is the agent's own unless it is named.

    Modules are imported, and files used, only if the command line names them.

    Raises:
      LoadError: there is no agent, or it asks for a module or a file that the command line does not name.
      UsageError: the keywords are no JSON object.
    """
    loaded = trusted_agent(agent, network, env, wrapper)
    own_kwargs = loaded.env_kwargs if env in (None, loaded.env_id) else ""  # of another one they are of no use
    return loaded, stored_environment(loaded.env_id, loaded.wrappers, own_kwargs, env or None, wrapper, env_kwargs)


def trusted_agent(
    agent: str, network: str | None, env: str | None = None, wrapper: tuple[str, ...] | None = None
) -> Agent:
    """Return an agent, and note the modules that the command line names.

    Raises:
      LoadError: there is no agent, or it asks for a network that the command line does not name.
      UsageError: there is no such network.
    """
    if network is not None:
        find_network(network)
    loaded = load_agent(agent)
    noted = remember(env or "", [*(wrapper or ()), network or ""]) if launched_rank() == 0 else ""
    if noted:
        sys.stderr.write(f"{noted}\n")
    return loaded
