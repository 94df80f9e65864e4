"""Several environments stepped as one, each episode with a seed of its own so that it can be replayed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.common.envs.action_log import ActionLog, EpisodeRecord
from baselines_ppo.common.envs.backend_contract import Backend, Outcome, Unusable
from baselines_ppo.common.failures import DataError
from baselines_ppo.common.policy.actions import one_of
from baselines_ppo.common.policy.given_arrays import LARGEST, unlearnable
from baselines_ppo.common.policy.observations import learned_dtype
from baselines_ppo.common.policy.spaces.masks import untrained_actions
from baselines_ppo.common.seeding import episode_seed


class Step(NamedTuple):
    """What one step of n environments gave, checked; ended episodes have begun anew (same-step autoreset)."""

    observations: np.ndarray  # [n, ...] what to act on next: float32, float64 where it takes that, or bytes of images
    next_observations: np.ndarray  # [n, ...] what the step led to: the final one where an episode ended
    rewards: np.ndarray  # [n] float64, raw
    terminated: np.ndarray  # [n] bool
    truncated: np.ndarray  # [n] bool
    dropped: np.ndarray  # [n] bool: truncated because the environment raised and was made again


class Ended(NamedTuple):
    """What the episodes came to that a step has ended; the rows of the others mean nothing."""

    returns: np.ndarray  # [n] float64, raw, undiscounted
    lengths: np.ndarray  # [n] int64, in steps
    facts: Mapping[str, np.ndarray]  # what their environments said, see `facts_of_rows`


class VecEnv:
    """One rank's environments: seeds and records of their episodes, and checks of what they give."""

    def __init__(self, backend: Backend, indices: range, seed: int, env_id: str, rank: int, restarts: int = 0) -> None:
        """Take over a backend whose rows are these global indices; none has begun yet.

        Args:
          restarts: how often each environment that raises is made again.
        """
        self.indices, self.env_id = indices, env_id
        self.observation, self.action = backend.observation, backend.action
        self._backend, self._seed, self._rank, self._restarts = backend, seed, rank, restarts
        count = len(indices)
        self._episodes = np.zeros(count, dtype=np.int64)
        self._no_actions = untrained_actions(self.action, None, None)  # [0, ...]
        self._actions = ActionLog(count, self._no_actions)
        self.episode_returns = np.zeros(count)  # of the episodes under way
        self.episode_lengths = np.zeros(count, dtype=np.int64)  # of these, in steps
        self._everyone, self._nobody = range(count), np.zeros(count, dtype=bool)
        self._restarted = np.zeros(count, dtype=np.int64)
        self._learned, self._captures = learned_dtype(self.observation), backend.captures
        self.attributes: Mapping[str, Any] = {}  # that are set where an episode begins, by name
        self._in_force: list[Mapping[str, Any]] = [{}] * count  # of them, in the episodes under way
        self._said = False  # that an episode is too long to be replayed
        self.ended = Ended(self.episode_returns, self.episode_lengths, {})  # with the last step that ended any
        self._raw = np.zeros((count, *self.observation.shape), self.observation.dtype)
        self.observations = self._usable(self._raw, None)

    def __len__(self) -> int:
        return len(self.indices)

    def reset(self, first_episodes: np.ndarray | None = None) -> np.ndarray:
        """Begin an episode everywhere, of the given numbers [n] (0 by default); returns observations [n, ...]."""
        self._episodes[:] = 0 if first_episodes is None else first_episodes
        self._begin(range(len(self)))
        self.observations = self._usable(self._raw, None)
        return self.observations

    def step(self, actions: np.ndarray, rows: np.ndarray | None = None) -> Step:
        """Step environments with actions [n, ...]; an ended episode is followed by the next one at once.

        Args:
          rows: those to step, all by default; the others stay as they are, with reward 0. A vector form steps all.

        Raises:
          DataError: an action, observation or reward is unusable, or an environment raised; says where.
        """
        if actions.dtype.kind == "f" and not np.isfinite(actions).all():
            raise DataError(f"{self._where(_first_bad(actions))}: the policy's action is NaN or Inf")
        actions = np.array(actions, self._actions.dtype)  # a copy: an environment may change what it is given
        self._count(actions, rows)
        outcome = self._outcome(actions, self._everyone if rows is None else rows.tolist())
        rewards, terminated, truncated, dropped = outcome.rewards, outcome.terminated, outcome.truncated, self._nobody
        if rows is None and not outcome.raised:
            self._raw[:] = outcome.observations
        else:
            stepped, dropped = np.zeros((2, len(self)), dtype=bool)
            stepped[self._everyone if rows is None else rows] = True
            for row in outcome.raised:  # cut before the step that failed
                stepped[row], dropped[row] = False, True
            rewards = np.where(stepped, rewards, 0.0)
            terminated, truncated = terminated & stepped, truncated & stepped | dropped
            self._raw[stepped] = outcome.observations[stepped]
        self.episode_returns += rewards
        next_observations = self._usable(self._raw, actions)
        if not (usable := np.abs(rewards) <= LARGEST).all():
            row = int(np.argmin(usable))
            beyond = f", beyond what float32 holds ({LARGEST:.1e})" if np.isfinite(rewards[row]) else ""
            action = one_of(self.action, actions, row)
            raise DataError(f"{self._where(row)}: the reward is {rewards[row]}{beyond}; last action {action}")
        self.observations = next_observations
        ended = [row for row, ends in enumerate((terminated | truncated).tolist()) if ends]
        if ended:
            facts = self._backend.episode_facts()
            self.ended = Ended(self.episode_returns.copy(), self.episode_lengths.copy(), facts)
            self._episodes[ended] += 1
            self._begin(ended)
            self.observations = self._usable(self._raw, None)
        return Step(self.observations, next_observations, rewards, terminated, truncated, dropped)

    def capture(self) -> list[EpisodeRecord]:
        """Return a record of each environment's episode under way."""
        states = self._backend.capture()
        return [
            EpisodeRecord(
                episode=int(self._episodes[i]),
                actions=self._actions.of(i),
                observation=self._raw[i].copy(),
                episode_return=float(self.episode_returns[i]),
                restarts=int(self._restarted[i]),
                length=int(self.episode_lengths[i]),
                state=None if states is None else {name: values[i] for name, values in states.items()},
                attributes=self._in_force[i],
            )
            for i in range(len(self))
        ]

    def restore(self, records: list[EpisodeRecord], note: Callable[[str], None] = lambda doing: None) -> list[int]:
        """Restore the recorded states, or replay the episodes; returns the global indices where that failed.

        Those begin a new episode. The comparison is bit for bit, on the last observation and the return.

        Args:
          note: is told of every step, as a sign of life.
        """
        self._episodes[:] = [record.episode for record in records]
        self._restarted[:] = [record.restarts for record in records]
        longest = max(len(record.actions) for record in records)
        taken = [record.actions[:1] for record in records if len(record.actions)]
        actions = np.repeat(taken[0] if taken else self._no_actions, len(self), axis=0)  # valid ones for idle rows
        ended = {i for i, record in enumerate(records) if record.too_long}
        for t in range(longest + 1):  # all end together, so that a vector form can step them as one
            begun = [i for i, record in enumerate(records) if longest - len(record.actions) <= t and i not in ended]
            first = [i for i in begun if longest - len(records[i].actions) == t]
            self._begin(first, [records[i].attributes for i in first])
            if t == longest:
                break
            note(f"replaying, step {t}")
            for i in begun:
                actions[i] = records[i].actions[t - longest]
            self._count(actions, np.array(begun, dtype=np.int64))
            outcome = self._outcome(actions.copy(), begun)
            for i in begun:
                self._raw[i] = outcome.observations[i]
                self.episode_returns[i] += outcome.rewards[i]
                if outcome.terminated[i] or outcome.truncated[i] or i in outcome.raised:
                    ended.add(i)
        ended |= self._restore_states(records)
        failed = [
            i
            for i, record in enumerate(records)
            if i in ended
            or self.episode_returns[i] != record.episode_return
            or self._raw[i].tobytes() != record.observation.astype(self._raw.dtype).tobytes()
        ]
        self._episodes[failed] += 1
        self._begin(failed)
        self.observations = self._usable(self._raw, None)
        return [self.indices[i] for i in failed]

    def set_attribute(self, name: str, value: Any) -> None:
        """Set an attribute of each environment, to what JSON holds, whenever an episode begins from now on.

        Raises:
          UsageError: there is no such attribute, or it cannot be set for each environment.
        """
        self.attributes = {**self.attributes, name: value}
        self._backend.set_attributes(self._everyone, [self.attributes] * len(self))

    def close(self) -> None:
        """Close all environments."""
        self._backend.close()

    def _restore_states(self, records: list[EpisodeRecord]) -> set[int]:
        """Bring the rows that have one to their recorded state; returns those where this cannot be done."""
        states = {i: record.state for i, record in enumerate(records) if record.state is not None}
        if not states:
            return set()
        rows = list(states)
        try:
            self._raw[rows] = self._backend.restore(rows, list(states.values()))
        except (KeyError, ValueError):  # of another version, or another environment
            return set(rows)
        self.episode_returns[rows] = [records[i].episode_return for i in rows]
        self.episode_lengths[rows] = [records[i].length for i in rows]
        return set()

    def _count(self, actions: np.ndarray, rows: np.ndarray | None) -> None:
        """Note that these rows, or all, are given their own of the actions [n, ...]."""
        self.episode_lengths[slice(None) if rows is None else rows] += 1
        if self._captures:
            return
        if len(too_long := self._actions.append(actions, rows)) and not self._said:
            self._said = True
            where = self._where(int(too_long[0]))
            sys.stderr.write(
                f"warning: {where}: too long to be replayed; a resume begins new episodes in such a place\n"
            )

    def _begin(self, rows: Sequence[int], attributes: Sequence[Mapping[str, Any]] | None = None) -> None:
        """Begin an episode in these rows, of the numbers that they have.

        Args:
          attributes: of each, that were set when it began; None: those of now.
        """
        chosen = list(rows)
        for row, own in zip(chosen, attributes or [self.attributes] * len(chosen), strict=True):
            if own or self.attributes:
                self._backend.set_attributes([row], [own])
            self._in_force[row] = own
        while chosen:
            self._actions.clear(chosen)
            self.episode_lengths[chosen] = 0
            self.episode_returns[chosen] = 0.0
            try:
                self._raw[chosen] = self._backend.reset(chosen, [self._episode_seed(row) for row in chosen])
                return
            except Unusable as unusable:
                report = f"{self._where(unusable.row)}: {unusable}"
                if unusable.row is None or not unusable.raised:
                    raise DataError(report) from None
                self._make_again(unusable.row, report)
                self._episodes[unusable.row] += 1

    def _outcome(self, actions: np.ndarray, rows: Sequence[int]) -> Outcome:
        """Step the backend; environments that raise are made again as often as that is allowed."""
        try:
            outcome = self._backend.step(actions, rows)
        except Unusable as unusable:
            raise DataError(f"{self._where(unusable.row)}: {unusable}") from None
        for row, reason in outcome.raised.items():
            self._make_again(row, f"{self._where(row)}, last action {one_of(self.action, actions, row)}: {reason}")
        return outcome

    def _make_again(self, row: int, report: str) -> None:
        """Replace an environment that raised, as often as that is allowed."""
        if self._restarted[row] >= self._restarts:
            raise DataError(report)
        self._restarted[row] += 1
        sys.stderr.write(f"warning: {report}\nmade again, {self._restarted[row]} of {self._restarts} times\n")
        self._backend.make_again(row)

    def _usable(self, raw: np.ndarray, actions: np.ndarray | None) -> np.ndarray:
        """Return observations as a new array; NaN and Inf, and what float32 does not hold, end the run."""
        observations = raw.astype(self._learned)
        if (found := unlearnable(observations)) is not None:
            i, words = found
            action = "none yet" if actions is None else one_of(self.action, actions, i)
            raise DataError(f"{self._where(i)}: the observation has {words}; last action {action}")
        return observations

    def _episode_seed(self, i: int) -> int:
        return episode_seed(self._seed, self.indices[i], int(self._episodes[i]))

    def _where(self, i: int | None) -> str:
        if i is None:
            return f"env {self.env_id}, rank {self._rank}, environments {self.indices[0]} to {self.indices[-1]}"
        return (
            f"env {self.env_id}, rank {self._rank}, environment {self.indices[i]}, episode {self._episodes[i]} "
            f"(seed {self._episode_seed(i)}), step {self.episode_lengths[i]}"
        )


def _first_bad(x: np.ndarray) -> int:
    """Return the first index along the first axis that holds NaN or Inf."""
    return int(np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))[0])
