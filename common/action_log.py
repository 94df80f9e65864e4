"""The actions of the episodes under way, from which these can be replayed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FIRST_CAPACITY = 64  # steps; doubled as often as an episode needs


class ActionLog:
    """What n environments were given since their episodes began."""

    def __init__(self, count: int, nothing: np.ndarray) -> None:
        """Begin with none; `nothing` [0, ...] tells their shape and dtype."""
        self._actions = np.zeros((FIRST_CAPACITY, count, *nothing.shape[1:]), nothing.dtype)
        self.lengths = np.zeros(count, dtype=np.int64)

    def append(self, actions: np.ndarray, rows: np.ndarray) -> None:
        """Add to these rows their own of the actions [n, ...]."""
        lengths = self.lengths[rows]
        if lengths.max(initial=0) == len(self._actions):
            self._actions = np.concatenate([self._actions, np.zeros_like(self._actions)])
        self._actions[lengths, rows] = actions[rows]
        self.lengths[rows] = lengths + 1

    def clear(self, rows: Sequence[int]) -> None:
        """Forget these rows' actions: new episodes begin there."""
        self.lengths[list(rows)] = 0

    def of(self, row: int) -> np.ndarray:
        """Return a copy of one row's actions [length, ...]."""
        return self._actions[: self.lengths[row], row].copy()
