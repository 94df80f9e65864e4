"""What a rank's messages cost it: how long it waited for the other ranks, and how much it sent; and their memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Cost(NamedTuple):
    """Of the messages of some time."""

    waited: float  # s, until the others' numbers were here: for ranks that are later, and for the network
    sent: int  # bytes of arrays


class Messages:
    """Counts what the messages of one rank cost since it was asked last."""

    def __init__(self) -> None:
        self._waited, self._sent = 0.0, 0

    def count(self, waited: float, sent: int) -> None:
        """Add one message."""
        self._waited += waited
        self._sent += sent

    def cost(self) -> Cost:
        """Return what all messages since the last call cost."""
        cost = Cost(self._waited, self._sent)
        self._waited, self._sent = 0.0, 0
        return cost


class Buffer:
    """Memory that messages pass through again and again: MPI takes up to eight times as long with new memory."""

    def __init__(self) -> None:
        self._bytes = np.empty(0, np.uint8)

    def of(self, size: int, dtype: np.dtype[Any]) -> np.ndarray:
        """Return room for so many numbers; it holds until the next call."""
        needed = size * dtype.itemsize
        if needed > len(self._bytes):
            self._bytes = np.empty(needed, np.uint8)
        return self._bytes[:needed].view(dtype)
