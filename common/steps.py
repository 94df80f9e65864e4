"""Arrays that are written step by step."""

from __future__ import annotations

import numpy as np


class Steps:
    """What happened in the steps of an iteration so far: arrays [T, n, ...] by name, written in place."""

    def __init__(self, room: int) -> None:
        """Begin with none; `room` is the number of steps that are expected."""
        self.made = 0  # T
        self._room = room
        self._arrays: dict[str, np.ndarray] = {}

    def append(self, **values: np.ndarray) -> None:
        """Add a step: of each name, values [n, ...]."""
        t = self.made
        if t == self._room:
            self._room *= 2
            self._arrays = {name: np.resize(x, (self._room, *x.shape[1:])) for name, x in self._arrays.items()}
        for name, x in values.items():
            if t == 0:
                self._arrays[name] = np.empty((self._room, *x.shape), x.dtype)
            self._arrays[name][t] = x
        self.made = t + 1

    def __getitem__(self, name: str) -> np.ndarray:
        """Return one name's array [T, n, ...]."""
        return self._arrays[name][: self.made]
