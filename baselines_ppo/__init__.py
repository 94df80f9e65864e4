"""PPO over MPI: one process or hundreds, the same result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from baselines_ppo.settings.presets import configure
from baselines_ppo.train import train

if TYPE_CHECKING:
    from baselines_ppo.common.files.agent import Agent

__all__ = ["configure", "load", "train"]
__version__ = "0.1.0"


def load(path: str) -> Agent:
    """Load a trained agent from a run folder, a checkpoint, an agent folder or `zoo:NAME`; needs no TensorFlow.

    Raises:
      LoadError: the folder is missing, damaged or not an agent.
    """
    from baselines_ppo.common.files.agent import load_agent  # numpy only, but `--help` needs not even that

    return load_agent(path)
