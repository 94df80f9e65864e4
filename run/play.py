"""`play`: watch a trained agent in a window or a browser, or only see its returns."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from baselines_ppo.common.backend_contract import Backend
from baselines_ppo.common.backends import SerialBackend, make_backend
from baselines_ppo.common.envs import EnvironmentSpec, make_environment
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.foreign import close_unheard
from baselines_ppo.common.observations import Observation
from baselines_ppo.common.opengl import has_display
from baselines_ppo.run.display import NO_DISPLAY
from baselines_ppo.run.episodes import Episode, Episodes, cut_after, steps_allowed
from baselines_ppo.run.evaluate import trusted
from baselines_ppo.run.pictures import follow
from baselines_ppo.run.simulated import is_simulated

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
        from baselines_ppo.run.steer import watch

        return watch(playing.agent, loaded, playing.seed, deterministic, playing.host, playing.port)
    seen = agent.policy.network.observation
    if where == WINDOW:
        backend: Backend = window(spec, seen)
    else:
        backend = make_backend(spec.env_id, spec.wrappers, 1, taken_for=seen, **spec.keywords)
    player = Episodes(agent, backend, 1, spec.env_id, playing.seed, most)
    for episode in range(playing.episodes):
        print(told(episode, *player.play([episode], deterministic)), flush=True)
    close_unheard(backend.close)
    return 0


def check_shown(spec: EnvironmentSpec, where: str) -> None:
    """Check that a browser can show an environment, before anything is said of one.

    Raises:
      UsageError: MuJoCo does not simulate it.
    """
    environment = make_environment(spec.env_id, spec.wrappers, **spec.keywords)
    try:
        if not is_simulated(environment):
            cause = f"a browser shows what MuJoCo simulates, and {spec.env_id} is not"
            cause = cause if where == BROWSER else f"{NO_DISPLAY}, and {cause}"
            raise UsageError(f"{cause}; make a film with record, or see only its returns with play --headless")
    finally:
        close_unheard(environment.close)


def window(spec: EnvironmentSpec, taken_for: Observation) -> SerialBackend:
    """Return an environment that shows itself in a window.

    Raises:
      UsageError: the environment or a wrapper is not supported.
    """
    environment = make_environment(spec.env_id, spec.wrappers, render_mode="human", **spec.keywords)
    follow(environment, spec.env_id)
    return SerialBackend(lambda: environment, 1, spec.env_id, taken_for=taken_for)


def told(number: int, played: Episode) -> str:
    """Return a line on an episode."""
    flags = "" if played.flags_reached is None else f", {played.flags_reached} flags reached"
    cut = f", {cut_after(played.length)}" if played.cut else ""
    return f"episode {number}: return {played.episode_return:.2f}, length {played.length}{flags}{cut}"
