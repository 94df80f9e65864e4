"""PPO over MPI: one process and sixteen give the same bits.

What is named here is public and stays as it is; all else may change.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines_ppo.former import keep_former_names
from baselines_ppo.result import Result
from baselines_ppo.settings.algorithms import AlgorithmConfig
from baselines_ppo.settings.config import PolicyConfig, RolloutConfig, TrainConfig
from baselines_ppo.settings.fields import option
from baselines_ppo.settings.presets import configure
from baselines_ppo.train import train

if TYPE_CHECKING:
    from baselines_ppo.algorithm import Algorithm, register_algorithm
    from baselines_ppo.cloning.clone import Cloned, clone
    from baselines_ppo.common.files.agent import Agent
    from baselines_ppo.common.gae import gae
    from baselines_ppo.common.policy.networks import Network, register_network
    from baselines_ppo.common.policy.parameters import Parameter
    from baselines_ppo.experiments.compare import compare
    from baselines_ppo.experiments.plot import plot
    from baselines_ppo.experiments.sweep import sweep
    from baselines_ppo.experiments.tune import tune
    from baselines_ppo.experiments.tuning.settings import Tuned
    from baselines_ppo.monitoring.callback import TrainingProgress
    from baselines_ppo.run.agents.in_python import Evaluation, Recorded, evaluate, record
    from baselines_ppo.run.agents.reporting import report
    from baselines_ppo.run.exporting.export import Exported, export
    from baselines_ppo.settings.cloning import CloneConfig
    from baselines_ppo.settings.search_spaces import Choice, LogUniform, Uniform

__all__ = [
    "Agent",
    "Algorithm",
    "AlgorithmConfig",
    "Choice",
    "CloneConfig",
    "Cloned",
    "Evaluation",
    "Exported",
    "LogUniform",
    "Network",
    "Parameter",
    "PolicyConfig",
    "Recorded",
    "Result",
    "RolloutConfig",
    "TrainConfig",
    "TrainingProgress",
    "Tuned",
    "Uniform",
    "clone",
    "compare",
    "configure",
    "evaluate",
    "export",
    "gae",
    "load",
    "option",
    "plot",
    "record",
    "register_algorithm",
    "register_network",
    "report",
    "sweep",
    "train",
    "tune",
]
__version__ = "0.1.0"
keep_former_names()

# Imported when they are asked for, because they load numpy and more, which `--help` does not need.
LATER = {
    "Agent": "common.files.agent",
    "Algorithm": "algorithm",
    "Choice": "settings.search_spaces",
    "CloneConfig": "settings.cloning",
    "Cloned": "cloning.clone",
    "Evaluation": "run.agents.in_python",
    "Exported": "run.exporting.export",
    "LogUniform": "settings.search_spaces",
    "Network": "common.policy.networks",
    "Parameter": "common.policy.parameters",
    "Recorded": "run.agents.in_python",
    "TrainingProgress": "monitoring.callback",
    "Tuned": "experiments.tuning.settings",
    "Uniform": "settings.search_spaces",
    "clone": "cloning.clone",
    "compare": "experiments.compare",
    "evaluate": "run.agents.in_python",
    "export": "run.exporting.export",
    "gae": "common.gae",
    "plot": "experiments.plot",
    "record": "run.agents.in_python",
    "register_algorithm": "algorithm",
    "register_network": "common.policy.networks",
    "report": "run.agents.reporting",
    "sweep": "experiments.sweep",
    "tune": "experiments.tune",
}


def load(path: str | Path) -> Agent:
    """Load a trained agent from a run folder, a checkpoint, an agent folder or `zoo:NAME`; needs no TensorFlow.

    Raises:
      LoadError: the folder is missing, damaged or not an agent.

    >>> agent = load("zoo:CartPole-v1")
    >>> agent.env_id
    'CartPole-v1'
    """
    from baselines_ppo.common.files.agent import load_agent

    return load_agent(path)


def __getattr__(name: str) -> Any:
    if name in LATER:
        return getattr(importlib.import_module(f"baselines_ppo.{LATER[name]}"), name)
    raise AttributeError(f"module 'baselines_ppo' has no attribute {name!r}")
