"""Runs on disk as a training leaves them, but with a log of our choice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from baselines_ppo import configure
from baselines_ppo.common.files.run_folder import RunFolder
from baselines_ppo.settings.config import to_json


def made_run(
    path: Path, returns: Sequence[float | None], env: str = "CartPole-v1", steps: int = 1000, **fields: Any
) -> Path:
    """Make a run folder whose log has a row every so many steps, with these returns; None: no episode has ended."""
    config = configure(env, preset="none", num_timesteps=max(1, steps * len(returns)), **fields)
    folder = RunFolder(path)
    folder.create()
    folder.write_config({**to_json(config), "ranks": 1, "code": "abc", "platform": {"python": "3.11.7"}})
    for k, episode_return in enumerate(returns, start=1):
        folder.write_progress(
            {
                "iteration": k,
                "total_steps": k * steps,
                "seconds": 36.0 * k,
                "episodes": 60 * k,
                "episodes_averaged": min(60 * k, 100),
                "episode_return": episode_return,
            }
        )
    folder.close()
    return path
