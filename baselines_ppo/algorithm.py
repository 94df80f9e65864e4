"""What the training loop needs of an algorithm, and how one is registered under its name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.rollout import Rollout
from baselines_ppo.plan import OWN, Plan
from baselines_ppo.settings.config import TEXTBOOK, TrainConfig


class Algorithm(Protocol):
    """Learns from one rollout after the other; every rank holds the same."""

    environments: range  # global indices of those whose steps this rank learns from: its own, or all

    @property
    def updates(self) -> int:
        """Number of gradient steps made."""

    def update(self, rollout: Rollout, progress: float) -> dict[str, float]:
        """Learn from one rollout; returns metrics, the same on all ranks.

        Args:
          progress: share of the run's steps that is done, from 0 to 1.
        """

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the next update depends on, the same on all ranks, besides the policy's statistics."""

    def restore(self, state: Mapping[str, np.ndarray], changed: frozenset[str] = frozenset()) -> None:
        """Restore the arrays of `state()`; constants, such as a fixed learning rate, are the configuration's.

        Args:
          changed: fields with new values in the configuration; a value that adapts starts again from its new setting.
        """

    def environment_state(self) -> list[dict[str, np.ndarray]]:
        """Return what else it depends on, of each environment it learns from: arrays of any length, or nothing."""
        return []

    def restore_environments(self, states: list[dict[str, np.ndarray]]) -> None:
        """Take what `environment_state()` returned, of each environment it learns from."""
        return


# Makes the learner of one run. The ranks whose steps it learns from are those of the `Comm`; the range has the global
# indices of the environments that these steps are of.
Learner = Callable[[Plan, Policy, Comm, range], Algorithm]

# By name, the learner or "module:class", which is imported when a training begins because it loads TensorFlow.
LEARNERS: dict[str, Learner | str] = {
    "ppo1": "baselines_ppo.ppo1:PPO1",
    "ppo2": "baselines_ppo.ppo2:PPO2",
    "ppo_kl": "baselines_ppo.ppo_kl:PPOKL",
    "trpo": "baselines_ppo.trpo:TRPO",
}

BUILT_IN = frozenset(LEARNERS)


def register_algorithm(name: str, textbook: TrainConfig, learner: Learner | str) -> None:
    """Make an algorithm known as `--alg NAME` and to `configure`.

    The same name once more, as when a cell of a notebook is run again, is the new algorithm from then on.

    Args:
      textbook: its values where no preset has others; its `algorithm` is a dataclass of yours, an `AlgorithmConfig`,
        whose fields become flags.
      learner: class of the learner, or "module:class", which is imported when a training begins.

    Raises:
      UsageError: the name is that of an algorithm of ours.

    >>> from dataclasses import dataclass
    >>> from baselines_ppo import AlgorithmConfig, TrainConfig, configure, option, register_algorithm
    >>> @dataclass(frozen=True)
    ... class Mine(AlgorithmConfig):
    ...     learning_rate: float = option(1e-3, "step size", above=0)
    >>> register_algorithm("mine", TrainConfig(algorithm=Mine()), "my_module:Learner")
    >>> configure("CartPole-v1", "mine").algorithm.learning_rate
    0.001
    """
    if name in BUILT_IN:
        raise UsageError(f"the algorithm {name} is built in; give yours another name")
    TEXTBOOK[name], LEARNERS[name] = replace(textbook, alg=name), learner


def make_learner(plan: Plan, policy: Policy, comm: Comm, indices: range) -> Algorithm:
    """Return the learner of a run on this rank; may load TensorFlow.

    Args:
      indices: of this rank's own environments.
    """
    learn = find_learner(plan.config.alg)
    if plan.sharing.learns_from == OWN:
        return learn(plan, policy, comm, indices)
    return learn(plan, policy, Comm(), range(plan.config.num_envs))


def find_learner(name: str) -> Learner:
    """Return the learner of a registered algorithm; may load TensorFlow."""
    learner = LEARNERS[name]
    if not isinstance(learner, str):
        return learner
    module, _, found = learner.partition(":")
    made: Learner = getattr(importlib.import_module(module), found)
    return made
