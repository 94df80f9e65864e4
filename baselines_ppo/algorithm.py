"""What the training loop needs of an algorithm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from baselines_ppo.common.rollout import Rollout


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
        """Take the arrays of `state()`, but no value that does not move by itself: that is the configuration's.

        Args:
          changed: fields whose values in the configuration are new: what moved away from the old ones begins there.
        """

    def environment_state(self) -> list[dict[str, np.ndarray]]:
        """Return what else it depends on, of each environment it learns from: arrays of any length, or nothing."""
        return []

    def restore_environments(self, states: list[dict[str, np.ndarray]]) -> None:
        """Take what `environment_state()` returned, of each environment it learns from."""
        return
