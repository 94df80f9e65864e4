"""How fast a training is, and how long it will take from here."""

from __future__ import annotations

from collections import deque

RECENT = 30.0  # s, over which the speed is measured; at least two iterations


class Pace:
    """The speed over the last half minute; the first iteration does not count, as TensorFlow compiles in it."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()  # seconds and steps at the end of iterations

    def mark(self, now: float, steps: int) -> None:
        """Note that so many steps are made in all."""
        self._marks.append((now, steps))
        while len(self._marks) > 2 and self._marks[1][0] <= now - RECENT:
            self._marks.popleft()

    @property
    def rate(self) -> float | None:
        """Steps per second; None after the first iteration."""
        (begun, before), (now, steps) = self._marks[0], self._marks[-1]
        return None if len(self._marks) < 2 else (steps - before) / max(now - begun, 1e-9)

    def left(self, num_timesteps: int) -> float | None:
        """Return the seconds until so many steps are made; None if nobody knows yet."""
        missing, rate = max(num_timesteps - self._marks[-1][1], 0), self.rate
        if not missing:
            return 0.0
        return None if not rate else missing / rate
