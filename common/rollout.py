"""Collecting one iteration's transitions: act in numpy, step the environments, keep what learning needs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from baselines_ppo.common.normalizer import Normalizer
from baselines_ppo.common.policy import Policy, Sampled
from baselines_ppo.common.seeding import Purpose, generator
from baselines_ppo.common.vec_env import Step, VecEnv

NOISE_BLOCK = 256  # steps for which noise is drawn at once where their number is not known before


class Episode(NamedTuple):
    """A finished episode, ordered by when it ended and then by environment."""

    step: int  # of the iteration, after which it ended
    environment: int  # global index
    episode_return: float  # raw, undiscounted
    length: int


class Rollout(NamedTuple):
    """T steps of this rank's n environments; rewards, values and next_values in the unit of scaled rewards."""

    iteration: int
    raw_observations: np.ndarray  # [T, n, D] float32, as the environment gave them; images [T, n, H, W, C] bytes
    observations: np.ndarray  # [T, n, ...], normalised as they were acted on; images as they are
    states: np.ndarray  # [n, S] float32, what was remembered before the first step
    actions: np.ndarray  # [T, n, ...] as the policy drew them
    outputs: np.ndarray  # [T, n, network_size] float32, the policy network's, from which they were drawn
    log_probs: np.ndarray  # [T, n] float32
    rewards: np.ndarray  # [T, n] float32, scaled
    discounted_returns: np.ndarray  # [T, n] float64, running sums of raw rewards, for the scaling
    values: np.ndarray  # [T, n] float32, V(s_t)
    next_values: np.ndarray  # [T, n] float32, V(s_{t+1}); 0 if terminated, V(final observation) if truncated
    ends: np.ndarray  # [T, n] bool
    made: np.ndarray  # [T, n] bool: false after an environment had its share of episodes, where those are counted
    episodes: list[Episode]
    seconds: dict[str, float]  # spent in "environments" and in "acting"

    @property
    def num_transitions(self) -> int:
        """B, steps that were made."""
        return int(self.made.sum())

    @property
    def starts(self) -> np.ndarray:
        """Whether an episode begins with a step, [T, n]; where one begins with the first, the states are zero."""
        return np.concatenate([np.zeros_like(self.ends[:1]), self.ends[:-1]])


class Collector:
    """Steps one rank's environments with a policy that stays frozen for the T steps of an iteration."""

    def __init__(
        self,
        envs: VecEnv,
        policy: Policy,
        reward_scaler: Normalizer | None,
        seed: int,
        gamma: float,
        clip_raw_rewards: float | None = None,
    ) -> None:
        """With a reward scaler, rewards are divided by the std of the discounted return."""
        self.envs, self.policy, self.reward_scaler = envs, policy, reward_scaler
        self._seed, self._gamma, self._clip_raw_rewards = seed, gamma, clip_raw_rewards
        count = len(envs)
        self.states = policy.initial_states(count)  # what the policy remembers of the episodes under way
        self.episode_returns = np.zeros(count)  # so far, of the episodes under way
        self.episode_lengths = np.zeros(count, dtype=np.int64)
        self.discounted_returns = np.zeros(count)

    def collect(self, iteration: int, num_steps: int, num_episodes: int | None = None) -> Rollout:
        """Return the next T transitions of each environment.

        Args:
          num_steps: T, unless episodes are counted.
          num_episodes: that each environment makes, however many steps they take; T is the most that one took.
        """
        envs, policy = self.envs, self.policy
        noise = self._noise(iteration, num_steps if num_episodes is None else NOISE_BLOCK)
        seconds = {"environments": 0.0, "acting": 0.0}
        remaining = np.full(len(envs), np.inf if num_episodes is None else num_episodes)
        observations, first_states = policy.normalize(envs.observations), self.states
        steps: list[Step] = []
        acted: list[Sampled] = []
        seen: list[np.ndarray] = []
        raw: list[np.ndarray] = []
        before: list[np.ndarray] = []
        made: list[np.ndarray] = []
        while len(steps) < num_steps if num_episodes is None else remaining.any():
            begun = time.perf_counter()
            sampled = policy.sample(observations, self.states, next(noise))
            environment_actions = policy.network.action.to_environment(sampled.actions)
            decided = time.perf_counter()
            active = remaining > 0
            raw.append(envs.observations)
            step = envs.step(environment_actions, np.flatnonzero(active).tolist())
            stepped = time.perf_counter()
            steps.append(step)
            acted.append(sampled)
            seen.append(observations)
            before.append(self.states)
            made.append(active)
            ended = step.terminated | step.truncated
            remaining -= ended
            self.states = np.where(active[:, None], sampled.states * ~ended[:, None], self.states)
            observations = policy.normalize(step.observations)
            seconds["acting"] += decided - begun
            seconds["environments"] += stepped - decided
        begun = time.perf_counter()
        rewards = np.stack([step.rewards for step in steps])
        terminated = np.stack([step.terminated for step in steps])
        truncated = np.stack([step.truncated for step in steps]) & ~terminated
        ends, normalized = terminated | truncated, np.stack(seen)
        actions, outputs = np.stack([x.actions for x in acted]), np.stack([x.outputs for x in acted])
        values = self._values([*seen, observations], [*before, self.states], acted, steps, truncated)
        rollout = Rollout(
            iteration=iteration,
            raw_observations=normalized if policy.sees_images else np.stack(raw),
            observations=normalized,
            states=first_states,
            actions=actions,
            outputs=outputs,
            log_probs=policy.distribution.log_prob(np, policy.params(outputs), actions),
            rewards=self._scaled(rewards),
            discounted_returns=self._discount(rewards, ends),
            values=values[0],
            next_values=np.where(terminated, np.float32(0.0), values[1]),
            ends=ends,
            made=np.stack(made),
            episodes=self._finish(rewards, ends, np.stack([step.dropped for step in steps]), np.stack(made)),
            seconds=seconds,
        )
        seconds["acting"] += time.perf_counter() - begun
        return rollout

    def _noise(self, iteration: int, block: int) -> Iterator[np.ndarray]:
        """Yield the action noise [n, ...] of step after step, each environment's from that environment's own stream."""
        streams = [generator(self._seed, Purpose.ACTION, index, iteration) for index in self.envs.indices]
        while True:
            yield from np.stack([self.policy.distribution.noise(stream, block) for stream in streams], axis=1)

    def _values(
        self, seen: list[np.ndarray], before: list[np.ndarray], acted: list[Sampled], steps: list[Step], cut: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return V(s_t) and V(s_{t+1}), both [T, n], with one pass through the value function.

        Args:
          seen, before: what was seen, and what was remembered then, at each step and after the last,
            T + 1 times [n, ...].
          cut: whether an episode was truncated, [T, n]; its value is that of the final observation with what was
            remembered after the step.
        """
        policy, count, cuts = self.policy, len(self.envs), list(zip(*np.nonzero(cut), strict=True))
        known = policy.network.shared  # the values of all but the last observations
        grid_seen, grid_before = (seen[-1:], before[-1:]) if known else (seen, before)
        finals = [policy.normalize(steps[t].next_observations[i : i + 1]) for t, i in cuts]
        after = [acted[t].states[i : i + 1] for t, i in cuts]
        values = policy.values(np.concatenate([*grid_seen, *finals]), np.concatenate([*grid_before, *after]))
        grid = values[: len(grid_seen) * count].reshape(-1, count)
        if known:
            grid = np.concatenate([policy.value_targets.denormalize(np.stack([x.values[:, 0] for x in acted])), grid])
        next_values = grid[1:].copy()
        next_values[cut] = values[len(grid_seen) * count :]
        return grid[:-1], next_values

    def _scaled(self, rewards: np.ndarray) -> np.ndarray:
        """Return rewards [T, n] as the learner sees them."""
        if self._clip_raw_rewards is not None:
            rewards = np.clip(rewards, -self._clip_raw_rewards, self._clip_raw_rewards)
        return rewards.astype(np.float32) if self.reward_scaler is None else self.reward_scaler.scale(rewards)

    def _discount(self, rewards: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Carry the discounted returns on through [T, n] rewards, back to 0 at each end; returns them all."""
        history = np.empty_like(rewards)
        for t in range(len(rewards)):
            self.discounted_returns = history[t] = self.discounted_returns * self._gamma + rewards[t]
            self.discounted_returns = np.where(ends[t], 0.0, self.discounted_returns)
        return history

    def _finish(self, rewards: np.ndarray, ends: np.ndarray, dropped: np.ndarray, made: np.ndarray) -> list[Episode]:
        """Carry the episode sums on through [T, n] rewards; returns the episodes that ended and count."""
        finished = []
        for t in range(len(rewards)):
            self.episode_returns += rewards[t]
            self.episode_lengths += made[t]
            for i in np.flatnonzero(ends[t]):
                if not dropped[t, i]:
                    finished.append(
                        Episode(t, self.envs.indices[i], float(self.episode_returns[i]), int(self.episode_lengths[i]))
                    )
                self.episode_returns[i], self.episode_lengths[i] = 0.0, 0
        return finished
