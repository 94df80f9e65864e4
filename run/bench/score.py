"""How long a training takes until it has a score.

Trainings of all programs are looked at in the same way. There is a check after each iteration, learning included, in
which an episode has ended, as soon as there were 100. The score is reached when two checks in a row find that the mean
return of the last 100 training episodes is at least the score. The time is that from the start of the process to the
second of these checks.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from baselines_ppo.run.bench.sides import Iteration, Side

WINDOW = 100  # episodes whose mean return is the score
LOOK = 0.1  # s, between two looks at what a training has written


class Watch:
    """Sees iteration after iteration, and knows when the score is reached."""

    def __init__(self, score: float) -> None:
        self.score, self.last, self.highest = score, Iteration(0, 0, None), float("-inf")
        self.reached = False
        self._was_above = False  # at the last check

    def see(self, iteration: Iteration) -> None:
        """Look at an iteration, the next one."""
        checked = iteration.episodes > self.last.episodes and iteration.episodes >= WINDOW
        self.last = iteration
        if checked and iteration.mean_return is not None:
            above = iteration.mean_return >= self.score
            self.highest = max(self.highest, iteration.mean_return)
            self.reached = above and self._was_above
            self._was_above = above


class Outcome(NamedTuple):
    """What came of a training."""

    seconds: float | None  # until the score was reached; None: it was not
    steps: int  # until then, or until it ended
    highest: float | None  # mean return at a check

    @property
    def words(self) -> str:
        """What came of it, for the screen."""
        steps = f"{self.steps:,} steps"
        if self.seconds is not None:
            return f"{self.seconds:,.1f} s, {steps}"
        return f"not in {steps}" + ("" if self.highest is None else f", {self.highest:,.1f} at most")


def outcome(side: Side, score: float, seconds: float) -> Outcome:
    """Let a training run until it has the score, ends by itself, or was given so many seconds."""
    watch, seen, passed = Watch(score), 0, 0.0
    begun = time.monotonic()
    side.begin()
    try:
        while not watch.reached and passed < seconds:
            ended = side.ended()
            iterations, passed = side.iterations(), time.monotonic() - begun
            for iteration in iterations[seen:]:
                if not watch.reached:
                    watch.see(iteration)
            seen = len(iterations)
            if ended:
                break
            time.sleep(LOOK)
    finally:
        side.stop()
    highest = None if watch.highest == float("-inf") else watch.highest
    return Outcome(passed if watch.reached else None, watch.last.steps, highest)
