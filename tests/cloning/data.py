"""Demonstrations of tasks whose right actions are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import tests.environments  # noqa: F401  # registers the tasks
from baselines_ppo.common.files import demonstrations
from baselines_ppo.common.files.demonstrations import Demonstration, stacked


def wanted(environment: gymnasium.Env[Any, Any]) -> Any:
    """Return the right action for what a task of tests/tasks.py has last shown."""
    task: Any = environment.unwrapped
    numbers = task.wanted if task.choices else task.wanted[:2].astype(np.float32)
    return int(numbers[0]) if isinstance(task.action_space, gymnasium.spaces.Discrete) else numbers


def right_episodes(task: str, count: int) -> list[Demonstration]:
    """Return episodes of a task in which every action was right."""
    environment, episodes = gymnasium.make(f"{task}-v0"), []
    for seed in range(count):
        observation, _ = environment.reset(seed=seed)
        seen, done, rewards, over = [observation], [], [], False
        while not over:
            done.append(wanted(environment))
            observation, reward, terminated, truncated, _ = environment.step(done[-1])
            seen.append(observation)
            rewards.append(float(reward))
            over = terminated or truncated
        episodes.append(Demonstration(stacked(seen), stacked(done), np.array(rewards), bool(terminated)))
    return episodes


def about(task: str) -> dict[str, Any]:
    """Return what a file says of its environment."""
    return {"env": f"tests.environments:{task}-v0", "wrapper": [], "env_kwargs": ""}


def right_file(folder: Path, task: str, count: int) -> Path:
    """Write such episodes into a file; returns its path."""
    path = folder / f"{task}.npz"
    demonstrations.save(path, right_episodes(task, count), about(task))
    return path
