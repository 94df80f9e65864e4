"""Flags to run to, one after the other, for each of n robots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from baselines_ppo.zoo.scene import FIELD

REACHED = 1.0  # m, from where a flag counts as reached
LIFE = 150  # control steps until a flag is replaced though it was not reached
AHEAD = 0.5  # the chance that the first flag is straight ahead
NEVER = -(1 << 40)  # the age of a flag that somebody placed, and that stays until it is reached
FOREVER = 2 * NEVER  # the age of one that stays even then


class Flags:
    """One flag per robot."""

    def __init__(self, places: np.ndarray) -> None:
        """Take over their places, [n, 2] m, live."""
        self.places = places
        self._ages = np.zeros(len(places), dtype=np.int64)  # control steps
        self.reached = np.zeros(len(places), dtype=np.int64)  # in this episode
        self.state = {"flag_age": self._ages, "flags_reached": self.reached}

    def begin(self, row: int, generator: np.random.Generator) -> None:
        """Place the first flag of an episode: often straight ahead, so that running fast is learned."""
        if generator.random() < AHEAD:
            self._place(row, generator.uniform(FIELD[0] / 2, FIELD[0]), 0.0)
        else:
            self._place_anywhere(row, generator)
        self.reached[row] = 0

    def renew(self, positions: np.ndarray, failed: np.ndarray, generators: Sequence[np.random.Generator]) -> np.ndarray:
        """Replace flags that were reached or are too old; returns which, [n] bool.

        Args:
          positions: of the robots, [n, 2] m.
          failed: whose simulation has become unstable, [n] bool: where these are means nothing.
        """
        self._ages += 1
        reached = (distances(self.places, positions) < REACHED) & (self._ages >= NEVER) & ~failed
        self.reached += reached
        due = reached | (self._ages >= LIFE)
        for row in np.flatnonzero(due).tolist():
            self._place_anywhere(row, generators[row])
        return due

    def put(self, row: int, x: float, y: float, stays: bool = False) -> None:
        """Place a flag, in m; until the episode ends it stays, or until it is reached, which then counts."""
        self._place(row, x, y)
        self._ages[row] = FOREVER if stays else NEVER

    def _place_anywhere(self, row: int, generator: np.random.Generator) -> None:
        self._place(row, *generator.uniform(-0.5, 0.5, 2) * FIELD)

    def _place(self, row: int, x: float, y: float) -> None:
        self.places[row], self._ages[row] = (x, y), 0


def distances(targets: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the distances in m, [n], of places [n, 2]."""
    return np.hypot(targets[:, 0] - positions[:, 0], targets[:, 1] - positions[:, 1])
