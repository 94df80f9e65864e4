"""What a rank's messages cost it: how long it waited for the other ranks, and how much it sent."""

from __future__ import annotations

from typing import NamedTuple


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
