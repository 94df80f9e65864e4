"""What the value function says of an iteration's steps, and of what came after each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.policy import Policy


class Cuts(NamedTuple):
    """Steps after which an episode goes on unseen: the last of the iteration, and those at which it was truncated.

    What was observed after them is no other step's observation; their V(s_{t+1}) is made of it.
    """

    steps: np.ndarray  # [k] int32
    environments: np.ndarray  # [k] int32, the rollout's columns
    observations: np.ndarray  # [k, ...] as the policy takes them
    states: np.ndarray  # [k, S] float32, what was remembered then

    @staticmethod
    def at(step: int, environments: np.ndarray, observations: np.ndarray, states: np.ndarray) -> Cuts:
        """Return those of some environments after one step."""
        steps = np.full(len(environments), step, np.int32)
        return Cuts(steps, environments.astype(np.int32), observations, states)

    @staticmethod
    def joined(parts: Sequence[Cuts]) -> Cuts:
        """Return several as one."""
        return Cuts(*map(np.concatenate, zip(*parts, strict=True)))

    def of_all_ranks(self, num_environments: int, comm: Comm) -> Cuts:
        """Return those of all ranks on every rank, where each has so many environments."""
        sizes = comm.stack(np.array([len(self.steps)]), "the number of cuts")[:, 0]
        padded = {name: _padded(x, int(sizes.max())) for name, x in self._asdict().items()}
        gathered = comm.stack_all(padded, "the cuts")
        parts = [Cuts(*(x[rank, :size] for x in gathered.values())) for rank, size in enumerate(sizes)]
        first = np.arange(comm.size) * num_environments  # of each rank's environments
        return Cuts.joined(
            [part._replace(environments=part.environments + k) for part, k in zip(parts, first, strict=True)]
        )


def _padded(x: np.ndarray, count: int) -> np.ndarray:
    """Return an array with zeros behind it, [count, ...]."""
    return np.concatenate([x, np.zeros((count - len(x), *x.shape[1:]), x.dtype)])


def values_of(policy: Policy, observations: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Return V(s_t) [T, n], in the unit of scaled rewards, of normalised observations and states [T, n, ...]."""
    num_steps, count = observations.shape[:2]
    rows = (x.reshape(num_steps * count, *x.shape[2:]) for x in (observations, states))
    return policy.values(*rows).reshape(num_steps, count)


def next_values_of(policy: Policy, values: np.ndarray, ends: np.ndarray, cuts: Cuts) -> np.ndarray:
    """Return V(s_{t+1}) [T, n]: the next step's value, 0 where the episode ended, and at the cuts what came after.

    Args:
      values: V(s_t), [T, n].
      ends: whether the episode ended with step t, [T, n] bool.
    """
    following = np.zeros_like(values)
    following[:-1] = values[1:]
    following[ends] = 0.0
    if len(cuts.steps):
        following[cuts.steps, cuts.environments] = policy.values(cuts.observations, cuts.states)
    return following
