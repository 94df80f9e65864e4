"""Minari's data sets as demonstrations: those that are on this machine, by id or folder; nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from baselines_ppo.common.envs.masking import mask_in
from baselines_ppo.common.failures import Failure, LoadError, UsageError, short
from baselines_ppo.common.files.demonstrations import Demonstration, Demonstrations
from baselines_ppo.common.policy.actions import action_of

PREFIX = "minari:"


def load(source: str, name: str | Path) -> Demonstrations:
    """Return the episodes of a data set.

    Args:
      source: what the user typed.
      name: its id, such as mujoco/hopper/expert-v0, or its folder.

    Raises:
      UsageError: Minari is not installed.
      LoadError: there is no such data set here, or it cannot be read.
    """
    if not str(name):
        raise LoadError(f"{short(source)} names no data set, expected its id, such as minari:mujoco/hopper/expert-v0")
    try:
        import minari
    except ImportError:
        raise UsageError(f"{short(source)} needs Minari; pip install 'minari[hdf5]>=0.5'") from None
    try:
        if isinstance(name, Path):
            found = minari.MinariDataset(name / "data" if (name / "data").is_dir() else name)
        else:
            found = minari.load_dataset(name, download=False)
        spec, action = found.env_spec, action_of(found.action_space, source)
        episodes = [_demonstration(episode) for episode in found.iterate_episodes()]
    except FileNotFoundError:
        raise LoadError(f"{short(source)} is not on this machine; minari download {short(name)}") from None
    except Failure:
        raise
    except Exception as error:  # a folder from a stranger may be wrong in any way
        reason = f"{type(error).__name__} {short(error)}"
        cure = "give minari:ID, the folder of such a data set, or a file that `record AGENT --out episodes.npz` wrote"
        raise LoadError(f"{short(source)} cannot be read by Minari: {reason}; {cure}") from None
    return Demonstrations(source, None if spec is None else str(spec.id), episodes, action=action)


def _demonstration(episode: Any) -> Demonstration:
    rewards = np.asarray(episode.rewards, np.float64)
    terminated = bool(np.asarray(episode.terminations)[-1])
    masks = mask_in(episode.infos)
    return Demonstration(episode.observations, episode.actions, rewards, terminated, masks)
