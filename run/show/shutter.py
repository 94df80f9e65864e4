"""When pictures are taken: how many in a second, from when on there are enough, and how far it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np

from baselines_ppo.common.envs.backend_contract import Backend, Outcome
from baselines_ppo.common.envs.foreign import close_unheard
from baselines_ppo.common.envs.make import FRAMES, is_atari
from baselines_ppo.common.failures import UsageError
from baselines_ppo.run.news import News
from baselines_ppo.run.show.simulated import said_rate

RATES, RATE = {".gif": 20.0}, 30.0  # pictures per second, about; of gifs, and of all other kinds of files
# That can be asked for. Browsers show a picture of a gif or webp for 100 ms that is to be shown for less than 20 ms.
LOWEST, HIGHEST, HIGHEST_OF = 1.0, 1000.0, {".gif": 50.0, ".webp": 50.0}
LONGEST = 1e6  # s
ENDLESS = 120.0  # s, of an environment that may never end an episode, unless more is asked for
ATARI_RATE = 60.0  # frames of a game per second


class Shutter:
    """Takes a moment every few steps, and says now and then how far it is."""

    def __init__(self, take: Callable[[], None], stride: int, rate: float) -> None:
        self.moments = 0  # that were taken
        self._take, self._stride, self._rate = take, stride, rate
        self._news = News()

    def step(self, number: int) -> None:
        """Take this step's moment if it is its turn; 0 is where an episode begins."""
        if number % self._stride:
            return
        self._take()
        self.moments += 1
        self._news.say(lambda: f"{self.moments / self._rate:.1f} s so far")


class Filmed:
    """A backend of one environment, of which moments are taken until there are enough: then its episode is cut."""

    captures = False

    def __init__(self, backend: Backend, shutter: Shutter, most: float) -> None:
        self.observation, self.action = backend.observation, backend.action
        self._backend, self._shutter, self._most, self._steps = backend, shutter, most, 0

    @property
    def full(self) -> bool:
        """Whether there are enough."""
        return self._shutter.moments >= self._most

    def reset(self, rows: Sequence[int], seeds: Sequence[int]) -> np.ndarray:
        observations = self._backend.reset(rows, seeds)
        self._steps = 0
        self._shutter.step(0)
        return observations

    def step(self, actions: np.ndarray, rows: Sequence[int]) -> Outcome:
        outcome = self._backend.step(actions, rows)
        self._steps += 1
        if not self.full:
            self._shutter.step(self._steps)
        return outcome._replace(truncated=outcome.truncated | self.full)

    def make_again(self, row: int) -> None:
        self._backend.make_again(row)

    def capture(self) -> None:
        return None

    def restore(self, rows: Sequence[int], states: Sequence[dict[str, np.ndarray]]) -> np.ndarray:
        return self._backend.restore(rows, states)

    def episode_facts(self) -> dict[str, np.ndarray]:
        return self._backend.episode_facts()

    def set_attributes(self, rows: Sequence[int], attributes: Sequence[Mapping[str, Any]]) -> None:
        self._backend.set_attributes(rows, attributes)

    def close(self) -> None:
        close_unheard(self._backend.close)


def pace(steps_per_second: float, kind: str, wanted: float | None) -> tuple[int, float]:
    """Return after how many steps each picture is taken, and how many pictures a second has then.

    Args:
      wanted: about, see `check_rate`; None: what is usual for this kind of file.
    """
    nearest = round(steps_per_second / (wanted or RATES.get(kind, RATE)))
    stride = max(1, nearest, math.ceil(steps_per_second / HIGHEST_OF.get(kind, HIGHEST)))
    return stride, steps_per_second / stride


def check_rate(wanted: float | None, kind: str) -> None:
    """Check how many pictures per second are asked for.

    Raises:
      UsageError: a file of this kind has none, so few or so many.
    """
    highest = HIGHEST_OF.get(kind, HIGHEST)
    if wanted is not None and not LOWEST <= wanted <= highest:
        more = f", or another kind of file than a {kind}" if LOWEST <= wanted <= HIGHEST else ""
        raise UsageError(f"--fps is {wanted:g}, expected {LOWEST:g} to {highest:g}{more}")


def check_seconds(seconds: float) -> None:
    """Check how long is asked for.

    Raises:
      UsageError: it is no time, or for ever.
    """
    if not 0 < seconds <= LONGEST:
        raise UsageError(f"--seconds is {seconds:g}, expected more than 0 and at most {LONGEST:,.0f}")


def moments_in(seconds: float, rate: float, most: float) -> int:
    """Return how many moments at a rate per second fill some seconds.

    Args:
      most: moments that a file can hold.

    Raises:
      UsageError: it cannot hold so many.
    """
    moments = math.ceil(seconds * rate)
    if moments > most:
        raise UsageError(
            f"--seconds is {seconds:g}, and such a file holds {most / rate:.1f} s of these pictures; "
            "make them smaller, lower --fps, or make an mp4"
        )
    return moments


def steps_per_second(environment: gymnasium.Env[Any, Any], env_id: str) -> float:
    """Return how many steps of an environment make a second of its own time."""
    if is_atari(env_id.rpartition(":")[2]):
        return ATARI_RATE / FRAMES
    return said_rate(environment)
