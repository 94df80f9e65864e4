"""The actions of the episodes under way, from which these can be replayed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

FIRST_CAPACITY = 64  # steps; doubled as often as an episode needs


class ActionLog:
    """What n environments were given since their episodes began."""

    def __init__(self, count: int, nothing: np.ndarray) -> None:
        """Begin with none; `nothing` [0, ...] tells their shape and dtype."""
        self.dtype = nothing.dtype
        self._actions = np.empty((count, FIRST_CAPACITY, *nothing.shape[1:]), self.dtype)
        self.lengths = np.zeros(count, dtype=np.int64)

    def append(self, actions: np.ndarray, rows: np.ndarray) -> None:
        """Add to these rows their own of the actions [n, ...]."""
        lengths = self.lengths[rows]
        if lengths.max(initial=0) == self._actions.shape[1]:
            self._grow()
        self._actions[rows, lengths] = actions[rows]
        self.lengths[rows] = lengths + 1

    def clear(self, rows: Sequence[int]) -> None:
        """Forget these rows' actions: new episodes begin there."""
        self.lengths[list(rows)] = 0

    def of(self, row: int) -> np.ndarray:
        """Return a copy of one row's actions [length, ...]."""
        return self._actions[row, : self.lengths[row]].copy()

    def _grow(self) -> None:
        """Double the room; of what is not written yet, no memory is taken."""
        count, capacity, *shape = self._actions.shape
        before, self._actions = self._actions, np.empty((count, 2 * capacity, *shape), self.dtype)
        for row, length in enumerate(self.lengths):
            self._actions[row, :length] = before[row, :length]
