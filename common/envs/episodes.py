"""Episodes of an agent, several at once; what each comes to depends on its number and the seed alone."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from baselines_ppo.common.envs.backend_contract import Backend, Unusable
from baselines_ppo.common.envs.facts import Facts, facts_at
from baselines_ppo.common.envs.make import time_limit
from baselines_ppo.common.failures import DataError, UsageError
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.policy.given_arrays import unlearnable
from baselines_ppo.common.seeding import Purpose, episode_seed, generator

MOST_STEPS = 30_000  # of an episode that may never end by itself; Atari's longest have 27,000


SayHowFar = Callable[[Callable[[], str]], None]


def say_nothing(how_far: Callable[[], str]) -> None:
    """Say nothing."""


class PlayedEpisode(NamedTuple):
    """What one episode came to."""

    episode_return: float  # raw, undiscounted
    length: int  # steps
    facts: Facts  # what the environment said of it
    cut: bool = False  # after the most steps that it was given, not by its environment


class Episodes:
    """Plays numbered episodes in the rows of a backend; where one ends, the next begins."""

    def __init__(
        self,
        agent: Agent,
        backend: Backend,
        rows: int,
        env_id: str,
        seed: int,
        most_steps: float = math.inf,
        purpose: Purpose = Purpose.EVALUATION,
    ) -> None:
        """Take over a backend of so many rows, which has the agent's spaces; none has begun.

        Args:
          most_steps: after which an episode is cut; see `steps_allowed`.
          purpose: whose random streams the episodes have.
        """
        self._agent, self._backend, self._env_id, self._seed = agent, backend, env_id, seed
        self._most_steps, self._purpose = most_steps, purpose
        self._fresh = backend.capture()  # before anything was played that an environment might remember
        self._numbers = np.zeros(rows, dtype=np.int64)
        self._lengths = np.zeros(rows, dtype=np.int64)
        self._returns = np.zeros(rows)
        self._ended = np.zeros(rows, dtype=bool)  # by their environments, in the last step
        self._generators = [self._noise_of(0)] * rows
        self._observations = np.zeros((rows, *backend.observation.shape), backend.observation.dtype)

    def play(self, numbers: Iterable[int], deterministic: bool, tell: SayHowFar = say_nothing) -> list[PlayedEpisode]:
        """Return what the episodes of these numbers come to, in their order.

        Args:
          tell: is told at each step how far it is, in words that are made if they are asked for.

        Raises:
          DataError: the environment raised, or gave something unusable.
        """
        waiting = list(numbers)
        order, played = list(waiting), dict[int, PlayedEpisode]()
        self._agent.reset()
        try:
            under_way = self._begin(range(len(self._numbers)), waiting)
            while under_way:
                ended = self._step(under_way, deterministic)
                tell(functools.partial(_how_far, len(played), len(order), int(self._lengths[under_way].max())))
                played |= self._outcomes(ended)
                begun = self._begin(ended, waiting)
                under_way = [row for row in under_way if row in begun or row not in ended]
        except Unusable as unusable:
            raise DataError(f"env {self._env_id}, {self._where(unusable.row)}: {unusable}") from None
        return [played[number] for number in order]

    def _begin(self, rows: Iterable[int], waiting: list[int]) -> list[int]:
        """Begin the episodes that come next, as many as there are rows for; returns these rows."""
        begun = [row for row, _ in zip(rows, list(waiting), strict=False)]
        if not begun:
            return []
        for row in begun:
            self._numbers[row] = waiting.pop(0)
            self._generators[row] = self._noise_of(int(self._numbers[row]))
        seeds = [episode_seed(self._seed, 0, int(self._numbers[row]), self._purpose) for row in begun]
        self._lengths[begun], self._returns[begun] = 0, 0.0
        if self._fresh is not None:
            self._backend.restore(begun, [{name: x[row] for name, x in self._fresh.items()} for row in begun])
        self._observations[begun] = self._backend.reset(begun, seeds)
        self._check_observations(begun)
        self._agent.reset(np.isin(np.arange(len(self._numbers)), begun))
        return begun

    def _step(self, rows: list[int], deterministic: bool) -> list[int]:
        """Step these rows; returns those whose episode has ended, or is cut."""
        draw = self._agent.policy.distribution.noise
        noise = None if deterministic else np.concatenate([draw(stream, 1) for stream in self._generators])
        step = self._backend.step(self._agent.act_with_noise(self._observations, noise), rows)
        for row, reason in step.raised.items():
            raise Unusable(row, reason)
        self._observations[rows] = step.observations[rows]
        self._lengths[rows] += 1
        self._check_observations(rows)
        self._returns[rows] += step.rewards[rows]
        self._ended = step.terminated | step.truncated
        return [row for row in rows if self._ended[row] or self._lengths[row] >= self._most_steps]

    def _check_observations(self, rows: list[int]) -> None:
        if (found := unlearnable(self._observations[rows])) is not None:
            raise Unusable(rows[found[0]], f"the observation has {found[1]}")

    def _outcomes(self, rows: list[int]) -> dict[int, PlayedEpisode]:
        """Return what the episodes that ended in these rows came to, by their numbers."""
        if not rows:
            return {}
        for row in rows:
            if not np.isfinite(self._returns[row]):
                raise Unusable(row, f"the return is {self._returns[row]}")
        facts = self._backend.episode_facts()
        return {
            int(self._numbers[row]): PlayedEpisode(
                float(self._returns[row]),
                int(self._lengths[row]),
                facts_at(facts, row),
                cut=not self._ended[row],
            )
            for row in rows
        }

    def _noise_of(self, number: int) -> np.random.Generator:
        return generator(self._seed, self._purpose, 1, number)

    def _where(self, row: int | None) -> str:
        if row is None:
            return f"evaluation episodes {self._numbers.min()} to {self._numbers.max()}"
        return f"evaluation episode {self._numbers[row]}, step {self._lengths[row]}"


def _how_far(ended: int, count: int, step: int) -> str:
    return f"{ended} of {count} episodes ended, step {step:,} of one under way"


def steps_allowed(env_id: str, asked: int | None) -> float:
    """Return after how many steps an episode is cut: those asked for, or many, where its environment has no time limit.

    Raises:
      UsageError: less than one is asked for, or the environment is unknown.
    """
    if asked is None:
        return MOST_STEPS if time_limit(env_id) is None else math.inf
    if asked < 1:
        raise UsageError(f"--max-steps is {asked}, expected at least 1")
    return asked


def cut_after(most_steps: float) -> str:
    """Return why an episode was cut, and what to do where that is not wanted."""
    return f"cut after {most_steps:,} steps (--max-steps allows more)"
