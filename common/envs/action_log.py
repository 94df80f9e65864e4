"""What is kept of the episodes under way, so that these can be brought back: their actions, or their states."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FIRST_CAPACITY = 64  # steps; doubled as often as an episode needs
# Of an episode, that are kept for a replay; of a longer one nothing is, so that checkpoints stay small.
MOST_STEPS = 100_000
MOST_BYTES = 4_000_000
NOBODY = np.zeros(0, dtype=np.int64)


@dataclass
class EpisodeRecord:
    """All that is needed to bring one environment back to where it was: its state, or its episode, replayed."""

    episode: int  # number of the episode under way, of this environment
    actions: np.ndarray  # [length, ...] as given to the environment; none where there is a state
    observation: np.ndarray  # [...] the last one, in the environment's own dtype
    episode_return: float  # raw, so far
    restarts: int = 0  # how often the environment was made again
    length: int = 0  # steps so far
    state: dict[str, np.ndarray] | None = None  # where the environment can say it: everything, the future included
    attributes: Mapping[str, Any] = field(default_factory=dict)  # that were set when the episode began

    @property
    def too_long(self) -> bool:
        """Whether there is nothing from which the environment could be brought back."""
        return self.state is None and len(self.actions) < self.length


class ActionLog:
    """What n environments were given since their episodes began, up to a length that is worth replaying."""

    def __init__(self, count: int, nothing: np.ndarray) -> None:
        """Begin with none; `nothing` [0, ...] tells their shape and dtype."""
        self.dtype = nothing.dtype
        bytes_of_one = self.dtype.itemsize * math.prod(nothing.shape[1:])
        self.most = max(1, min(MOST_STEPS, MOST_BYTES // max(1, bytes_of_one)))  # steps
        self._actions = np.empty((count, min(FIRST_CAPACITY, self.most), *nothing.shape[1:]), self.dtype)
        self._rows = np.arange(count)
        self.lengths = np.zeros(count, dtype=np.int64)
        self._longest = 0  # of them
        self._too_long = np.zeros(count, dtype=bool)  # and let go
        self._some_too_long = False

    def append(self, actions: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Add to these rows, or to all, their own of the actions [n, ...]; returns whose episode is let go with it."""
        if rows is None and self._longest < self._actions.shape[1] and not self._some_too_long:  # as mostly
            self._actions[self._rows, self.lengths] = actions
            self.lengths += 1
            self._longest += 1
            return NOBODY
        rows, let_go = self._rows if rows is None else rows, NOBODY
        if self._longest == self.most:
            let_go = rows[self.lengths[rows] == self.most]
            self._too_long[let_go], self.lengths[let_go], self._some_too_long = True, 0, True
        elif self._longest == self._actions.shape[1]:
            self._grow()
        rows = rows[~self._too_long[rows]]
        self._actions[rows, self.lengths[rows]] = actions[rows]
        self.lengths[rows] += 1
        self._longest = int(self.lengths.max())
        return let_go

    def clear(self, rows: Sequence[int]) -> None:
        """Forget these rows' actions: new episodes begin there."""
        self.lengths[list(rows)] = 0
        self._longest = int(self.lengths.max())
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
