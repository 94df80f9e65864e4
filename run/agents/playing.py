"""`play`: watch a trained agent in a window or a browser, or only see its returns."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import gymnasium

from baselines_ppo.common.envs.backend_contract import Backend
from baselines_ppo.common.envs.episodes import Episodes, PlayedEpisode, cut_after, steps_allowed
from baselines_ppo.common.envs.foreign import close_unheard
from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.job.opengl import has_display
from baselines_ppo.run.agents import facts_in_words
from baselines_ppo.run.agents.acting import backend_for, seen_backend_for
from baselines_ppo.run.agents.scoring import trusted
from baselines_ppo.run.news import News
from baselines_ppo.run.show.display import NO_DISPLAY
from baselines_ppo.run.show.pictures import follow
from baselines_ppo.run.show.simulated import is_simulated

WINDOW, BROWSER = "window", "browser"


@dataclass(frozen=True)
class Playing:
    """Which agent, how long, and where it is seen; None: as the agent has it."""

    agent: str
    env: str | None
    env_kwargs: str | None  # JSON
    wrapper: tuple[str, ...] | None
    network: str | None
    episodes: int  # but in a browser, where it goes on until Ctrl-C
    max_steps: int | None  # of an episode, but in a browser; None: see `steps_allowed`
    stochastic: bool
    seed: int
    where: str
    host: str  # where a browser finds it, like the next
    port: int


def play(playing: Playing) -> int:
    """Show episodes and print their returns; returns the exit code.

    Raises:
      UsageError: it is to be shown in a browser, and cannot be.
    """
    loaded = trusted(playing.agent, playing.env, playing.wrapper, playing.network, playing.env_kwargs)
    agent, spec = loaded
    where, deterministic = playing.where, not playing.stochastic
    most = steps_allowed(spec.env_id, playing.max_steps)
    if where == BROWSER or (where == WINDOW and not has_display()):
        check_shown(spec, where)
    if where == WINDOW and not has_display():
        print(f"{NO_DISPLAY}, so a browser shows it; or make a film with record", file=sys.stderr, flush=True)
        where = BROWSER
    if where == BROWSER:
        from baselines_ppo.run.agents.serving import watch

        return watch(playing.agent, loaded, playing.seed, deterministic, playing.host, playing.port)
    if where == WINDOW:
        backend: Backend = seen_backend_for(agent, spec, lambda: in_window(spec))
    else:
        backend = backend_for(agent, spec)
    try:
        player, news = Episodes(agent, backend, 1, spec.env_id, playing.seed, most), News()
        for episode in range(playing.episodes):
            print(told(episode, *player.play([episode], deterministic, news.say)), flush=True)
    finally:
        close_unheard(backend.close)
    return 0


def check_shown(spec: EnvironmentSpec, where: str) -> None:
    """Check that a browser can show an environment, before anything is said of one.

    Raises:
      UsageError: MuJoCo does not simulate it.
    """
    environment = make_environment(spec)
    try:
        if not is_simulated(environment):
            cause = f"a browser shows what MuJoCo simulates, and {spec.env_id} is not"
            cause = cause if where == BROWSER else f"{NO_DISPLAY}, and {cause}"
            raise UsageError(f"{cause}; make a film with record, or see only its returns with play --headless")
    finally:
        close_unheard(environment.close)


def in_window(spec: EnvironmentSpec) -> gymnasium.Env[Any, Any]:
    """Return an environment that shows itself in a window.

    Raises:
      UsageError: the environment or a wrapper is not supported.
    """
    environment = make_environment(spec, render_mode="human")
    follow(environment, spec.env_id)
    return environment


def told(number: int, played: PlayedEpisode) -> str:
    """Return a line on an episode."""
    facts = "".join(f", {fact}" for fact in facts_in_words.of_episode(played.facts))
    cut = f", {cut_after(played.length)}" if played.cut else ""
    return f"episode {number}: return {played.episode_return:.2f}, length {played.length}{facts}{cut}"
