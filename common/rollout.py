"""Collecting one iteration's transitions: act in numpy, step the environments, keep what learning needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import NamedTuple

import numpy as np

from baselines_ppo.common.envs.facts import Facts, facts_at
from baselines_ppo.common.envs.vec_env import Step, VecEnv
from baselines_ppo.common.failures import DataError
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.normalizer import Normalizer
from baselines_ppo.common.policy.policy import Policy, Sampled
from baselines_ppo.common.seeding import Purpose, generator

MOST_STEPS = 200_000  # of an environment in an iteration where episodes are counted
NOISE_BLOCK = 256  # steps for which noise is drawn at once where their number is not known before


class Episode(NamedTuple):
    """A finished episode, ordered by when it ended and then by environment."""

    step: int  # of the iteration, after which it ended
    environment: int  # global index
    episode_return: float  # raw, undiscounted
    length: int
    facts: Facts  # what the environment said of it


class Rollout(NamedTuple):
    """T steps of this rank's n environments; rewards, values and next_values in the unit of scaled rewards."""

    iteration: int
    raw_observations: np.ndarray  # [T, n, V] float32, or float64 where it takes that: what statistics are of
    observations: np.ndarray  # [T, n, ...] float32, as they were acted on; images alone may be bytes
    states: np.ndarray  # [n, S] float32, what was remembered before the first step
    actions: np.ndarray  # [T, n, ...] as the policy drew them
    outputs: np.ndarray  # [T, n, network_size] float32, the policy network's, from which they were drawn
    log_probs: np.ndarray  # [T, n] float32
    rewards: np.ndarray  # [T, n] float32, scaled
    discounted_returns: np.ndarray  # [T, n] float64, running sums of rewards before the scaling, for the scaling
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


def by_environment(x: np.ndarray, made: np.ndarray) -> list[np.ndarray]:
    """Return of [T, n, ...] the steps that each environment made, n arrays [B_i, ...]."""
    return [x[column, i] for i, column in enumerate(made.T)]


def of_all_ranks(rollout: Rollout, comm: Comm) -> Rollout:
    """Return the steps of all ranks' environments, in their order, on every rank.

    What nobody learns from stays this rank's: raw observations, discounted returns, episodes and seconds.
    """
    parts = rollout._asdict()
    own = ("raw_observations", "discounted_returns")
    arrays = {name: x for name, x in parts.items() if isinstance(x, np.ndarray) and name not in own}
    gathered = comm.stack_all(arrays, "the rollouts")
    joined = {name: np.concatenate(list(x), axis=0 if name == "states" else 1) for name, x in gathered.items()}
    return Rollout(**{**parts, **joined})


class Stepped(NamedTuple):
    """One step of n environments, as it happened."""

    raw: np.ndarray  # [n, ...] observations before the step
    observations: np.ndarray  # [n, ...] the same, as the policy takes them
    states: np.ndarray  # [n, S], what was remembered then
    sampled: Sampled
    step: Step
    active: np.ndarray  # [n] bool, which environments were stepped
    facts: dict[str, np.ndarray]  # of the episodes that ended, see `VecEnv.facts`


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
        note: Callable[[str], None] = lambda doing: None,
    ) -> None:
        """With a reward scaler, rewards are divided by the std of the discounted return.

        Args:
          note: is told of every step, as a sign of life.
        """
        self.envs, self.policy, self.reward_scaler = envs, policy, reward_scaler
        self._seed, self._gamma, self._clip_raw_rewards, self._note = seed, gamma, clip_raw_rewards, note
        count = len(envs)
        self.states = policy.initial_states(count)  # what the policy remembers of the episodes under way
        self.episode_returns = np.zeros(count)  # so far, of the episodes under way
        self.episode_lengths = np.zeros(count, dtype=np.int64)
        self.discounted_returns = np.zeros(count)
        self._under_way: list[Stepped] = []  # of the iteration

    def collect(self, iteration: int, num_steps: int, num_episodes: int | None = None) -> Rollout:
        """Return the next T transitions of each environment.

        Args:
          num_steps: T, unless episodes are counted.
          num_episodes: that each environment makes, however many steps they take; T is the most that one took.
        """
        noise = self._noise(iteration, num_steps if num_episodes is None else NOISE_BLOCK)
        remaining = np.full(len(self.envs), np.inf if num_episodes is None else num_episodes)
        seconds = {"environments": 0.0, "acting": 0.0}
        moments = self._under_way = []
        while len(moments) < num_steps if num_episodes is None else remaining.any():
            self._note(f"collecting, step {len(moments)}")
            moments.append(self._step(next(noise), remaining > 0, seconds))
            step = moments[-1].step
            remaining -= (step.terminated | step.truncated) & ~step.dropped
            if num_episodes is not None and len(moments) >= MOST_STEPS and remaining.any():
                waiting = self.envs.indices[int(np.flatnonzero(remaining)[0])]
                raise DataError(
                    f"environment {waiting} has not ended its episodes after {MOST_STEPS:,} steps; "
                    "give --num-episodes none, or an environment with a time limit"
                )
        begun = perf_counter()
        rollout = self._rollout(iteration, moments, seconds)
        self._under_way = []  # of which the rollout has copies
        seconds["acting"] += perf_counter() - begun
        return rollout

    @property
    def made_steps(self) -> int:
        """Steps of this rank's environments in the iteration under way."""
        return sum(int(moment.active.sum()) for moment in list(self._under_way))

    def _step(self, noise: np.ndarray, active: np.ndarray, seconds: dict[str, float]) -> Stepped:
        """Act in all environments and step the active ones."""
        begun, policy = perf_counter(), self.policy
        raw, observations, states = self.envs.observations, self._observations(), self.states
        sampled = policy.sample(observations, states, noise)
        actions = policy.network.action.to_environment(sampled.actions)
        decided = perf_counter()
        step = self.envs.step(actions, None if active.all() else np.flatnonzero(active))
        stepped = perf_counter()
        if policy.network.recurrent:
            going_on = ~(step.terminated | step.truncated)
            self.states = np.where(active[:, None], sampled.states * going_on[:, None], states)
        seconds["acting"] += decided - begun
        seconds["environments"] += stepped - decided
        return Stepped(raw, observations, states, sampled, step, active, self.envs.facts)

    def _observations(self) -> np.ndarray:
        """Return what the environments show now, as the policy takes it."""
        return self.policy.normalize(self.envs.observations)

    def _rollout(self, iteration: int, moments: list[Stepped], seconds: dict[str, float]) -> Rollout:
        """Return the moments as arrays, with what follows from them."""
        policy = self.policy
        observations = np.stack([moment.observations for moment in moments])
        actions = np.stack([moment.sampled.actions for moment in moments])
        outputs = np.stack([moment.sampled.outputs for moment in moments])
        raw_rewards = np.stack([moment.step.rewards for moment in moments])
        rewards = self._clipped(raw_rewards)
        terminated = np.stack([moment.step.terminated for moment in moments])
        truncated = np.stack([moment.step.truncated for moment in moments]) & ~terminated
        ends, made = terminated | truncated, np.stack([moment.active for moment in moments])
        dropped = np.stack([moment.step.dropped for moment in moments])
        values, next_values = self._values(moments, truncated)
        # What a step that failed would have led to is not known: its value is its own target, its advantage 0.
        next_values = np.where(terminated | dropped, np.float32(0.0), next_values)
        scaled = np.where(dropped, values, self._scaled(rewards))
        return Rollout(
            iteration=iteration,
            raw_observations=np.stack([policy.numbers(moment.raw) for moment in moments]),
            observations=observations,
            states=moments[0].states,
            actions=actions,
            outputs=outputs,
            log_probs=policy.distribution.log_prob(np, policy.params(outputs), actions),
            rewards=scaled,
            discounted_returns=self._discount(rewards, ends),
            values=values,
            next_values=next_values,
            ends=ends,
            made=made,
            episodes=self._finish(raw_rewards, ends, dropped, made, [moment.facts for moment in moments]),
            seconds=seconds,
        )

    def _noise(self, iteration: int, block: int) -> Iterator[np.ndarray]:
        """Yield the action noise [n, ...] of step after step, each environment's from that environment's own stream."""
        streams = [generator(self._seed, Purpose.ACTION, index, iteration) for index in self.envs.indices]
        while True:
            yield from np.stack([self.policy.distribution.noise(stream, block) for stream in streams], axis=1)

    def _values(self, moments: list[Stepped], truncated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return V(s_t) and V(s_{t+1}), both [T, n], with one pass through the value function.

        Where an episode was truncated, V(s_{t+1}) is that of the final observation, with what was remembered after
        the step.
        """
        policy, count, cuts = self.policy, len(self.envs), list(zip(*np.nonzero(truncated), strict=True))
        acted = np.stack([moment.sampled.values for moment in moments])
        known = acted.shape[-1] > 0  # all but the values of the last observations
        grid = [] if known else [(moment.observations, moment.states) for moment in moments]
        grid.append((self._observations(), self.states))
        finals = [
            (policy.normalize(moments[t].step.next_observations[i : i + 1]), moments[t].sampled.states[i : i + 1])
            for t, i in cuts
        ]
        seen, remembered = zip(*grid, *finals, strict=True)
        outputs = policy.values(np.concatenate(seen), np.concatenate(remembered))
        values = outputs[: len(grid) * count].reshape(-1, count)
        if known:
            values = np.concatenate([policy.value_targets.denormalize(acted[..., 0]), values])
        next_values = values[1:].copy()
        next_values[truncated] = outputs[len(grid) * count :]
        return values[:-1], next_values

    def _clipped(self, rewards: np.ndarray) -> np.ndarray:
        """Return raw rewards [T, n], clipped if they are to be."""
        limit = self._clip_raw_rewards
        return rewards if limit is None else np.clip(rewards, -limit, limit)

    def _scaled(self, rewards: np.ndarray) -> np.ndarray:
        """Return rewards [T, n] as the learner sees them."""
        return rewards.astype(np.float32) if self.reward_scaler is None else self.reward_scaler.scale(rewards)

    def _discount(self, rewards: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Carry the discounted returns on through [T, n] rewards, back to 0 at each end; returns them all."""
        history = np.empty_like(rewards)
        for t in range(len(rewards)):
            self.discounted_returns = history[t] = self.discounted_returns * self._gamma + rewards[t]
            self.discounted_returns = np.where(ends[t], 0.0, self.discounted_returns)
        return history

    def _finish(
        self,
        rewards: np.ndarray,
        ends: np.ndarray,
        dropped: np.ndarray,
        made: np.ndarray,
        facts: list[dict[str, np.ndarray]],
    ) -> list[Episode]:
        """Carry the episode sums on through [T, n] rewards; returns the episodes that ended and count."""
        finished = []
        for t, some_end in enumerate(np.logical_or.reduce(ends, axis=1)):
            self.episode_returns += rewards[t]
            self.episode_lengths += made[t]
            for i in np.flatnonzero(ends[t]) if some_end else ():
                if not dropped[t, i]:
                    total, length = float(self.episode_returns[i]), int(self.episode_lengths[i])
                    finished.append(Episode(t, self.envs.indices[i], total, length, facts_at(facts[t], int(i))))
                self.episode_returns[i], self.episode_lengths[i] = 0.0, 0
        return finished
