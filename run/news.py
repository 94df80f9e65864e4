"""Lines that say now and then how far something is that takes long."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from baselines_ppo.common.job.launcher import launched_rank

EVERY = 10.0  # s, between two lines


class News:
    """Says how far it is, on standard error, as it is no result; on rank 0 alone."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def say(self, how_far: Callable[[], str]) -> None:
        """Say how far it is if it is time again."""
        now = time.monotonic()
        if launched_rank() == 0 and now > self._said + EVERY:
            self._said = now
            print(how_far(), file=sys.stderr, flush=True)
