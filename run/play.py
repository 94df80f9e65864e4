"""`play`: watch a trained agent in a window."""

from __future__ import annotations

import functools

from baselines_ppo.common.backends import SerialBackend
from baselines_ppo.common.envs import make_environment
from baselines_ppo.run.display import require_display
from baselines_ppo.run.evaluate import play_episode, trusted


def play(
    agent: str,
    env: str | None,
    wrapper: tuple[str, ...] | None,
    network: str | None,
    episodes: int,
    stochastic: bool,
    seed: int,
) -> int:
    """Show episodes in a window and print their returns; returns the exit code.

    Raises:
      UsageError: there is no display to open a window on.
    """
    loaded, env_id, wrappers = trusted(agent, env, wrapper, network)
    require_display()
    backend = SerialBackend(functools.partial(make_environment, env_id, wrappers, render_mode="human"), 1, env_id)
    for episode in range(episodes):
        total, length = play_episode(loaded, backend, env_id, seed, episode, deterministic=not stochastic)
        print(f"episode {episode}: return {total:.2f}, length {length}")
    backend.close()
    return 0
