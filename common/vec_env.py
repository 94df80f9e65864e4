"""Several environments stepped as one, each episode with a seed of its own so that it can be replayed."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.common.envs import MakeEnvironment
from baselines_ppo.common.failures import DataError
from baselines_ppo.common.seeding import episode_seed
from baselines_ppo.common.spaces import action_of, observation_size


class Step(NamedTuple):
    """What one step of n environments gave, checked; ended episodes have begun anew (same-step autoreset)."""

    observations: np.ndarray  # [n, D] float32, what to act on next
    next_observations: np.ndarray  # [n, D] float32, what the step led to: the final one where an episode ended
    rewards: np.ndarray  # [n] float64, raw
    terminated: np.ndarray  # [n] bool
    truncated: np.ndarray  # [n] bool


@dataclass
class EpisodeRecord:
    """All that is needed to bring one environment back to where it was: its episode, replayed."""

    episode: int  # number of the episode under way, of this environment
    actions: np.ndarray  # [length, ...] as given to the environment
    observation: np.ndarray  # [D] the last one, in the environment's own dtype


class SerialVecEnv:
    """Environments in this process, one after the other."""

    def __init__(self, make: MakeEnvironment, indices: range, seed: int, env_id: str, rank: int) -> None:
        """Make one environment for each global index; none has begun yet.

        Raises:
          UsageError: the environment or one of its spaces is not supported.
        """
        self.indices, self.env_id = indices, env_id
        self._seed, self._rank = seed, rank
        self._environments = [make() for _ in indices]
        space = self._environments[0].observation_space
        self._dtype = space.dtype or np.dtype(np.float64)
        self.observation_size = observation_size(space, env_id)
        self.action = action_of(self._environments[0].action_space, env_id)
        count = len(indices)
        self._episodes = np.zeros(count, dtype=np.int64)
        self._began = np.zeros(count, dtype=np.int64)  # number of the step before which the episode began
        self._log: deque[np.ndarray] = deque()  # actions [n, ...] of the last steps, as far as episodes reach
        self._steps = 0
        self._raw = np.zeros((count, self.observation_size), self._dtype)
        self.observations = np.zeros((count, self.observation_size), np.float32)

    def __len__(self) -> int:
        return len(self.indices)

    def reset(self, first_episodes: np.ndarray | None = None) -> np.ndarray:
        """Begin an episode everywhere, of the given numbers [n] (0 by default); returns observations [n, D]."""
        self._episodes[:] = 0 if first_episodes is None else first_episodes
        for i in range(len(self)):
            self._begin(i)
        self.observations = self._checked(self._raw, None)
        return self.observations

    def step(self, actions: np.ndarray) -> Step:
        """Step all environments with actions [n, ...]; an ended episode is followed by the next one at once.

        Raises:
          DataError: an action, observation or reward is unusable; says where it came from.
        """
        if not np.isfinite(actions).all():
            raise DataError(f"{self._where(_first_bad(actions))}: the policy's action is NaN or Inf")
        count = len(self)
        self._log.append(actions.copy())  # an environment may change what it is given
        self._steps += 1
        rewards, flags = np.empty(count), np.empty((2, count), dtype=bool)
        for i, environment in enumerate(self._environments):
            result = environment.step(actions[i])
            if len(result) != 5:
                raise DataError(f"{self._where(i)}: step returned {len(result)} values, expected 5")
            observation, reward, flags[0, i], flags[1, i], _ = result
            self._take(i, observation)
            try:
                rewards[i] = float(reward)
            except (TypeError, ValueError):
                raise DataError(f"{self._where(i)}: the reward is {reward!r}, expected a number") from None
        next_observations = self._checked(self._raw, actions)
        if not np.isfinite(rewards).all():
            i = _first_bad(rewards)
            raise DataError(f"{self._where(i)}: the reward is {rewards[i]}; last action {actions[i]}")
        terminated, truncated = flags
        self.observations = next_observations
        ended = np.flatnonzero(terminated | truncated)
        if len(ended):
            for i in ended.tolist():
                self._episodes[i] += 1
                self._begin(i)
            self.observations = self._checked(self._raw, None)
            self._forget()
        return Step(self.observations, next_observations, rewards, terminated, truncated)

    def capture(self) -> list[EpisodeRecord]:
        """Return a record of each environment's episode under way."""
        log = list(self._log)
        records = []
        for i in range(len(self)):
            own = [actions[i] for actions in log[len(log) - (self._steps - self._began[i]) :]]
            actions = np.stack(own) if own else self.action.no_actions()
            records.append(EpisodeRecord(int(self._episodes[i]), actions, self._raw[i].copy()))
        return records

    def restore(self, records: list[EpisodeRecord]) -> list[int]:
        """Replay the recorded episodes; returns the global indices where that did not give the same state.

        Those begin a new episode. The comparison is bit for bit, on the last observation.
        """
        length = max(len(record.actions) for record in records)
        padded = [np.zeros((length - len(r.actions), *r.actions.shape[1:]), r.actions.dtype) for r in records]
        columns = [np.concatenate([pad, record.actions]) for pad, record in zip(padded, records, strict=True)]
        self._log = deque(np.stack(rows) for rows in zip(*columns, strict=True))
        self._steps = length
        failed = []
        for i, record in enumerate(records):
            self._episodes[i] = record.episode
            if not self._replay(i, record):
                failed.append(self.indices[i])
                self._episodes[i] += 1
                self._begin(i)
        self.observations = self._checked(self._raw, None)
        return failed

    def close(self) -> None:
        """Close all environments."""
        for environment in self._environments:
            environment.close()

    def _begin(self, i: int) -> None:
        observation, _ = self._environments[i].reset(seed=self._episode_seed(i))
        self._began[i] = self._steps
        self._take(i, observation)

    def _replay(self, i: int, record: EpisodeRecord) -> bool:
        self._begin(i)
        self._began[i] = self._steps - len(record.actions)
        for action in record.actions:
            observation, _, terminated, truncated, _ = self._environments[i].step(action)
            if terminated or truncated:
                return False
            self._take(i, observation)
        return self._raw[i].tobytes() == record.observation.astype(self._dtype).tobytes()

    def _forget(self) -> None:
        """Drop logged actions from before every episode under way."""
        for _ in range(len(self._log) - (self._steps - int(self._began.min()))):
            self._log.popleft()

    def _take(self, i: int, observation: Any) -> None:
        """Store one raw observation; a wrong shape or type would be broadcast silently."""
        if not isinstance(observation, np.ndarray) or observation.shape != self._raw.shape[1:]:
            got = observation.shape if isinstance(observation, np.ndarray) else repr(observation)
            raise DataError(f"{self._where(i)}: the observation is {got}, expected shape {self._raw.shape[1:]}")
        self._raw[i] = observation

    def _checked(self, raw: np.ndarray, actions: np.ndarray | None) -> np.ndarray:
        """Return observations as float32, a new array; NaN and Inf (also from the cast) end the run."""
        with np.errstate(over="ignore"):
            observations = raw.astype(np.float32)
        if not np.isfinite(observations).all():
            i = _first_bad(observations)
            places = np.flatnonzero(~np.isfinite(observations[i])).tolist()
            action = "none yet" if actions is None else actions[i]
            raise DataError(f"{self._where(i)}: the observation has NaN or Inf at {places}; last action {action}")
        return observations

    def _episode_seed(self, i: int) -> int:
        return episode_seed(self._seed, self.indices[i], int(self._episodes[i]))

    def _where(self, i: int) -> str:
        return (
            f"env {self.env_id}, rank {self._rank}, environment {self.indices[i]}, episode {self._episodes[i]} "
            f"(seed {self._episode_seed(i)}), step {self._steps - self._began[i]}"
        )


def _first_bad(x: np.ndarray) -> int:
    """Return the first index along the first axis that holds NaN or Inf."""
    return int(np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))[0])
