"""`play`: watch a trained agent in a window."""

from __future__ import annotations

import os
import sys

from baselines_ppo.common.agent import load_agent
from baselines_ppo.common.envs import make_environment
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.seeding import Purpose, episode_seed, generator


def play(agent: str, episodes: int, stochastic: bool, seed: int) -> int:
    """Show episodes in a window and print their returns; returns the exit code.

    Raises:
      UsageError: there is no display to open a window on.
    """
    loaded = load_agent(agent)
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise UsageError(
            "play opens a window, and there is no display here; run it on a desktop (or with ssh -X), "
            f"or see its score: python -m baselines_ppo.run evaluate {agent}"
        )
    environment = make_environment(loaded.env_id, render_mode="human")
    for episode in range(episodes):
        rng = generator(seed, Purpose.EVALUATION, 1, episode)
        observation, _ = environment.reset(seed=episode_seed(seed, 0, episode, Purpose.EVALUATION))
        total, length, ended = 0.0, 0, False
        while not ended:
            action = loaded.act(observation, not stochastic, rng)
            observation, reward, terminated, truncated, _ = environment.step(action)
            total, length, ended = total + float(reward), length + 1, terminated or truncated
        print(f"episode {episode}: return {total:.2f}, length {length}")
    environment.close()
    return 0
