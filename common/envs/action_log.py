"""The actions of the episodes under way, from which these can be replayed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

FIRST_CAPACITY = 64  # steps; doubled as often as an episode needs
# Of an episode, that are kept for a replay; of a longer one nothing is, so that checkpoints stay small.
MOST_STEPS = 100_000
MOST_BYTES = 4_000_000
NOBODY = np.zeros(0, dtype=np.int64)


class ActionLog:
    """What n environments were given since their episodes began, up to a length that is worth replaying."""

    def __init__(self, count: int, nothing: np.ndarray) -> None:
        """Begin with none; `nothing` [0, ...] tells their shape and dtype."""
        self.dtype = nothing.dtype
        bytes_of_one = self.dtype.itemsize * math.prod(nothing.shape[1:])
        self.most = max(1, min(MOST_STEPS, MOST_BYTES // max(1, bytes_of_one)))  # steps
        self._actions = np.empty((count, min(FIRST_CAPACITY, self.most), *nothing.shape[1:]), self.dtype)
        self.lengths = np.zeros(count, dtype=np.int64)
        self._too_long = np.zeros(count, dtype=bool)  # and let go
        self._some_too_long = False

    def append(self, actions: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Add to these rows their own of the actions [n, ...]; returns those whose episode is let go with this step."""
        lengths, let_go = self.lengths[rows], NOBODY
        longest = lengths.max(initial=0)
        if longest == self.most:
            let_go = rows[lengths == longest]
            self._too_long[let_go], self.lengths[let_go], self._some_too_long = True, 0, True
        if self._some_too_long:
            rows = rows[~self._too_long[rows]]
            lengths = self.lengths[rows]
            longest = lengths.max(initial=0)
        if longest == self._actions.shape[1]:
            self._grow()
        self._actions[rows, lengths] = actions[rows]
        self.lengths[rows] = lengths + 1
        return let_go

    def clear(self, rows: Sequence[int]) -> None:
        """Forget these rows' actions: new episodes begin there."""
        self.lengths[list(rows)] = 0
        self._too_long[list(rows)] = False
        self._some_too_long = bool(self._too_long.any())

    def of(self, row: int) -> np.ndarray:
        """Return a copy of one row's actions [length, ...]; none of an episode that is too long."""
        return self._actions[row, : self.lengths[row]].copy()

    def _grow(self) -> None:
        """Double the room; of what is not written yet, no memory is taken."""
        count, capacity, *shape = self._actions.shape
        before, self._actions = self._actions, np.empty((count, min(2 * capacity, self.most), *shape), self.dtype)
        for row, length in enumerate(self.lengths):
            self._actions[row, :length] = before[row, :length]
