"""`play`: watch a trained agent in a window."""

from __future__ import annotations

from baselines_ppo.common.agent import load_agent
from baselines_ppo.common.envs import check_stored_id
from baselines_ppo.run.display import require_display
from baselines_ppo.run.evaluate import run_episode


def play(agent: str, env: str | None, episodes: int, stochastic: bool, seed: int) -> int:
    """Show episodes in a window and print their returns; returns the exit code.

    Raises:
      UsageError: there is no display to open a window on.
    """
    loaded = load_agent(agent)
    env_id = env or check_stored_id(loaded.env_id)
    require_display()
    for episode in range(episodes):
        total, length = run_episode(loaded, env_id, seed, episode, not stochastic, render_mode="human")
        print(f"episode {episode}: return {total:.2f}, length {length}")
    return 0
