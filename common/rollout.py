"""Collecting one iteration's transitions: act in numpy, step the environments, keep what learning needs."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from baselines_ppo.common.normalizer import Normalizer
from baselines_ppo.common.policy import Policy
from baselines_ppo.common.seeding import Purpose, generator
from baselines_ppo.common.vec_env import SerialVecEnv, Step


class Episode(NamedTuple):
    """A finished episode, ordered by when it ended and then by environment."""

    step: int  # of the iteration, after which it ended
    environment: int  # global index
    episode_return: float  # raw, undiscounted
    length: int


class Rollout(NamedTuple):
    """T steps of this rank's n environments; rewards, values and next_values in the unit of scaled rewards."""

    iteration: int
    raw_observations: np.ndarray  # [T, n, D] float32, as the environment gave them
    observations: np.ndarray  # [T, n, D] float32, normalised as they were acted on
    actions: np.ndarray  # [T, n, ...] as the policy drew them
    log_probs: np.ndarray  # [T, n] float32
    rewards: np.ndarray  # [T, n] float32, scaled
    discounted_returns: np.ndarray  # [T, n] float64, running sums of raw rewards, for the scaling
    values: np.ndarray  # [T, n] float32, V(s_t)
    next_values: np.ndarray  # [T, n] float32, V(s_{t+1}); 0 if terminated, V(final observation) if truncated
    ends: np.ndarray  # [T, n] bool
    episodes: list[Episode]
    seconds: dict[str, float]  # spent in "environments" and in "acting"


class Collector:
    """Steps one rank's environments with a policy that stays frozen for the T steps of an iteration."""

    def __init__(
        self, envs: SerialVecEnv, policy: Policy, reward_scaler: Normalizer | None, seed: int, gamma: float
    ) -> None:
        """With a reward scaler, rewards are divided by the std of the discounted return."""
        self.envs, self.policy, self.reward_scaler = envs, policy, reward_scaler
        self._seed, self._gamma = seed, gamma
        count = len(envs)
        self.episode_returns = np.zeros(count)  # so far, of the episodes under way
        self.episode_lengths = np.zeros(count, dtype=np.int64)
        self.discounted_returns = np.zeros(count)

    def collect(self, iteration: int, num_steps: int) -> Rollout:
        """Return the next T = num_steps transitions of each environment."""
        envs, policy = self.envs, self.policy
        noise = self._noise(iteration, num_steps)
        seconds = {"environments": 0.0, "acting": 0.0}
        observations = policy.observations.normalize(envs.observations)
        steps, acted, raw = [], [], []
        for t in range(num_steps):
            begun = time.perf_counter()
            actions, outputs = policy.sample(observations, noise[t])
            environment_actions = policy.network.action.to_environment(actions)
            decided = time.perf_counter()
            raw.append(envs.observations)
            step = envs.step(environment_actions)
            stepped = time.perf_counter()
            acted.append((observations, actions, outputs))
            steps.append(step)
            observations = policy.observations.normalize(step.observations)
            seconds["acting"] += decided - begun
            seconds["environments"] += stepped - decided
        begun = time.perf_counter()
        normalized, actions, outputs = (np.stack(x) for x in zip(*acted, strict=True))
        rewards = np.stack([step.rewards for step in steps])
        terminated = np.stack([step.terminated for step in steps])
        truncated = np.stack([step.truncated for step in steps]) & ~terminated
        ends = terminated | truncated
        values, next_values = self._values(normalized, observations, steps, terminated, truncated)
        rollout = Rollout(
            iteration=iteration,
            raw_observations=np.stack(raw),
            observations=normalized,
            actions=actions,
            log_probs=policy.log_probs(outputs, actions),
            rewards=rewards.astype(np.float32) if self.reward_scaler is None else self.reward_scaler.scale(rewards),
            discounted_returns=self._discount(rewards, ends),
            values=values,
            next_values=next_values,
            ends=ends,
            episodes=self._finish(rewards, ends),
            seconds=seconds,
        )
        seconds["acting"] += time.perf_counter() - begun
        return rollout

    def _noise(self, iteration: int, num_steps: int) -> np.ndarray:
        """Return the action noise [T, n, ...], one block per environment from that environment's own stream."""
        blocks = [
            self.policy.distribution.noise(generator(self._seed, Purpose.ACTION, index, iteration), num_steps)
            for index in self.envs.indices
        ]
        return np.stack(blocks, axis=1)

    def _values(
        self,
        observations: np.ndarray,
        last: np.ndarray,
        steps: list[Step],
        terminated: np.ndarray,
        truncated: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return V(s_t) and V(s_{t+1}), both [T, n], with one pass through the value function."""
        cut_t, cut_i = np.nonzero(truncated)
        final = [steps[t].next_observations[i] for t, i in zip(cut_t, cut_i, strict=True)]
        final_observations = np.stack(final) if final else np.empty((0, last.shape[-1]), np.float32)
        size = last.shape[-1]
        finals = self.policy.observations.normalize(final_observations)
        outputs = self.policy.values(np.concatenate([observations.reshape(-1, size), last, finals]))
        grid = (len(observations) + 1) * len(last)
        values = outputs[:grid].reshape(-1, len(last))
        next_values = np.where(terminated, np.float32(0.0), values[1:])
        next_values[cut_t, cut_i] = outputs[grid:]
        return values[:-1], next_values

    def _discount(self, rewards: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Carry the discounted returns on through [T, n] rewards, back to 0 at each end; returns them all."""
        history = np.empty_like(rewards)
        for t in range(len(rewards)):
            self.discounted_returns = history[t] = self.discounted_returns * self._gamma + rewards[t]
            self.discounted_returns = np.where(ends[t], 0.0, self.discounted_returns)
        return history

    def _finish(self, rewards: np.ndarray, ends: np.ndarray) -> list[Episode]:
        """Carry the episode sums on through [T, n] rewards; returns the episodes that ended."""
        finished = []
        for t in range(len(rewards)):
            self.episode_returns += rewards[t]
            self.episode_lengths += 1
            for i in np.flatnonzero(ends[t]):
                finished.append(
                    Episode(t, self.envs.indices[i], float(self.episode_returns[i]), int(self.episode_lengths[i]))
                )
                self.episode_returns[i], self.episode_lengths[i] = 0.0, 0
        return finished
