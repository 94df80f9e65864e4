"""Collecting one iteration's transitions: act in numpy, step the environments, keep what learning needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter
from typing import NamedTuple

import numpy as np

from baselines_ppo.common.envs.facts import Facts, facts_at
from baselines_ppo.common.envs.vec_env import VecEnv
from baselines_ppo.common.failures import DataError
from baselines_ppo.common.gae import running_sums
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.normalizer import Normalizer, clipped, scaled
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.seeding import Purpose, generator
from baselines_ppo.common.values import Cuts, next_values_of, values_of

MOST_STEPS = 200_000  # of an environment in an iteration where episodes are counted
NOISE_BLOCK = 256  # steps for which noise is drawn at once, and correlated, where their number is not known before


class Episode(NamedTuple):
    """A finished episode, ordered by when it ended and then by environment."""

    step: int  # of the iteration, after which it ended
    environment: int  # global index
    episode_return: float  # raw, undiscounted
    length: int
    facts: Facts  # what the environment said of it


class Rollout(NamedTuple):
    """T steps of this rank's n environments, or by `of_all_ranks` of all; values in the unit of scaled rewards."""

    iteration: int
    raw_observations: np.ndarray  # [T, n, V], not normalised yet; float64 where float32 would lose digits
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
    cuts: Cuts  # where V(s_{t+1}) is not V of the next step
    dropped: np.ndarray  # [T, n] bool: a step that raised, which teaches nothing; its value is its own target
    made: np.ndarray  # [T, n] bool: false for padding, after an environment has finished its `num_episodes`
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


def lengthened(x: np.ndarray, length: int) -> np.ndarray:
    """Return [T, ...] with zeros behind it, for steps that were not made."""
    return np.pad(x, [(0, length - len(x)), *[(0, 0)] * (x.ndim - 1)]) if len(x) < length else x


def of_all_ranks(rollout: Rollout, comm: Comm) -> Rollout:
    """Return the steps of all ranks' environments, in their order, on every rank.

    What nobody learns from stays this rank's: raw observations, discounted returns, episodes and seconds.
    """
    parts = rollout._asdict()
    own = ("raw_observations", "discounted_returns")
    longest = int(comm.stack(np.array(len(rollout.made)), "the rollouts").max())  # T differs where episodes count
    arrays = {
        name: x if name == "states" else lengthened(x, longest)
        for name, x in parts.items()
        if isinstance(x, np.ndarray) and name not in own
    }
    gathered = comm.stack_all(arrays, "the rollouts")
    joined = {name: np.concatenate(list(x), axis=0 if name == "states" else 1) for name, x in gathered.items()}
    cuts = rollout.cuts.of_all_ranks(len(rollout.states), comm)
    return Rollout(**{**parts, **joined, "cuts": cuts})


def revalued(rollout: Rollout, policy: Policy) -> Rollout:
    """Return a rollout with the values that the policy's network gives now, which remembers nothing."""
    assert not policy.network.recurrent, "what a network remembers is not known for other parameters"
    no_states = np.zeros((*rollout.ends.shape, 0), np.float32)
    values = values_of(policy, rollout.observations, no_states)
    return rollout._replace(
        rewards=np.where(rollout.dropped, values, rollout.rewards),
        values=values,
        next_values=next_values_of(policy, values, rollout.ends, rollout.cuts),
    )


class Steps:
    """What happened in the steps of an iteration so far: arrays [T, n, ...] by name, written in place."""

    def __init__(self, room: int) -> None:
        """Begin with none; `room` is the number of steps that are expected."""
        self.length, self._room = 0, room  # T, and the most of it
        self._arrays: dict[str, np.ndarray] = {}

    def append(self, **values: np.ndarray) -> None:
        """Add a step: of each name, values [n, ...]."""
        t = self.length
        if t == self._room:
            self._room *= 2
            self._arrays = {name: np.resize(x, (self._room, *x.shape[1:])) for name, x in self._arrays.items()}
        for name, x in values.items():
            if t == 0:
                self._arrays[name] = np.empty((self._room, *x.shape), x.dtype)
            self._arrays[name][t] = x
        self.length = t + 1

    def __getitem__(self, name: str) -> np.ndarray:
        """Return one name's array [T, n, ...]."""
        return self._arrays[name][: self.length]


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
        self.noise_correlation = 0.0  # of an action's noise with that of the step before
        count = len(envs)
        self.states = policy.initial_states(count)  # what the policy remembers of the episodes under way
        self.discounted_returns = np.zeros(count)  # of the episodes under way
        self._begin_iteration(0)

    def collect(self, iteration: int, num_steps: int, num_episodes: int | None = None) -> Rollout:
        """Return the next T transitions of each environment.

        Args:
          num_steps: T, unless episodes are counted.
          num_episodes: that each environment makes, however many steps they take; T is the most that one took.
        """
        expected = num_steps if num_episodes is None else NOISE_BLOCK
        noise, seconds = self._noise(iteration, expected), {"environments": 0.0, "acting": 0.0}
        first_states = self.states
        self._begin_iteration(expected)
        if num_episodes is None:
            everyone = np.ones(len(self.envs), dtype=bool)
            for _ in range(num_steps):
                self._step(next(noise), everyone, seconds)
        else:
            self._collect_episodes(num_episodes, noise, seconds)
        begun = perf_counter()
        rollout = self._rollout(iteration, first_states, seconds)
        self._begin_iteration(0)  # what was written belongs to the rollout
        seconds["acting"] += perf_counter() - begun
        return rollout

    @property
    def made_steps(self) -> int:
        """Steps of this rank's environments in the iteration under way."""
        steps = self._steps  # which the training's own thread may replace meanwhile
        return int(steps["active"].sum()) if steps.length else 0

    def _begin_iteration(self, expected: int) -> None:
        self._steps = Steps(expected)
        self._cuts: list[Cuts] = []
        self._episodes: list[Episode] = []

    def _collect_episodes(self, num_episodes: int, noise: Iterator[np.ndarray], seconds: dict[str, float]) -> None:
        """Step each environment until it has made its episodes.

        Raises:
          DataError: an episode does not end.
        """
        remaining = np.full(len(self.envs), num_episodes)
        while remaining.any():
            if self._steps.length >= MOST_STEPS:
                waiting = self.envs.indices[int(np.flatnonzero(remaining)[0])]
                raise DataError(
                    f"environment {waiting} has not ended its episodes after {MOST_STEPS:,} steps; "
                    "give --num-episodes none, or an environment with a time limit"
                )
            remaining -= self._step(next(noise), remaining > 0, seconds)

    def _step(self, noise: np.ndarray, active: np.ndarray, seconds: dict[str, float]) -> np.ndarray:
        """Act in all environments, step the active ones and write it down; returns whose episodes ended and count."""
        begun, policy, t = perf_counter(), self.policy, self._steps.length
        self._note(f"collecting, step {t}")
        raw, states = self.envs.observations, self.states
        observations = policy.normalize(raw)
        sampled = policy.sample(observations, states, noise)
        actions = policy.network.action.to_environment(sampled.actions)
        decided = perf_counter()
        step = self.envs.step(actions, None if active.all() else np.flatnonzero(active))
        stepped = perf_counter()
        ends = step.terminated | step.truncated
        self._steps.append(
            raw=policy.numbers(raw),
            observations=observations,
            states=states,
            actions=sampled.actions,
            outputs=sampled.outputs,
            acted_values=sampled.values,
            rewards=step.rewards,
            ends=ends,
            dropped=step.dropped,
            active=active,
        )
        if ends.any():
            self._note_episodes(t, np.flatnonzero(ends & ~step.dropped))
            # What a step that failed would have led to is not known: its value is its own target, its advantage 0.
            cut = np.flatnonzero(ends & ~step.terminated & ~step.dropped)
            after = policy.normalize(step.next_observations[cut])
            self._cuts.append(Cuts.at(t, cut, after, sampled.states[cut]))
        if policy.network.recurrent:
            self.states = np.where(active[:, None], sampled.states * ~ends[:, None], states)
        seconds["acting"] += decided - begun
        seconds["environments"] += stepped - decided
        return ends & ~step.dropped

    def _rollout(self, iteration: int, first_states: np.ndarray, seconds: dict[str, float]) -> Rollout:
        """Return the steps that were made, with what follows from them."""
        policy, steps = self.policy, self._steps
        actions, outputs, ends, dropped = (steps[x] for x in ("actions", "outputs", "ends", "dropped"))
        rewards = clipped(steps["rewards"], self._clip_raw_rewards)
        discounted, self.discounted_returns = running_sums(rewards, ends, self._gamma, self.discounted_returns)
        values, cuts = self._values(), self._all_cuts()
        return Rollout(
            iteration=iteration,
            raw_observations=steps["raw"],
            observations=steps["observations"],
            states=first_states,
            actions=actions,
            outputs=outputs,
            log_probs=policy.distribution.log_prob(np, policy.params(outputs), actions),
            rewards=np.where(dropped, values, scaled(rewards, self.reward_scaler)),
            discounted_returns=discounted,
            values=values,
            next_values=next_values_of(policy, values, ends, cuts),
            ends=ends,
            cuts=cuts,
            dropped=dropped,
            made=steps["active"],
            episodes=self._episodes,
            seconds=seconds,
        )

    def _noise(self, iteration: int, block: int) -> Iterator[np.ndarray]:
        """Yield the action noise [n, ...] of step after step, each environment's from that environment's own stream."""
        streams = [generator(self._seed, Purpose.ACTION, index, iteration) for index in self.envs.indices]
        draw, correlation = self.policy.distribution.noise, self.noise_correlation
        while True:
            yield from np.stack([draw(stream, block, correlation) for stream in streams], axis=1)

    def _values(self) -> np.ndarray:
        """Return V(s_t), [T, n]."""
        acted, observations, states = (self._steps[x] for x in ("acted_values", "observations", "states"))
        if acted.shape[-1]:  # they came along with the actions
            return self.policy.value_targets.denormalize(acted[..., 0])
        return values_of(self.policy, observations, states)

    def _all_cuts(self) -> Cuts:
        """Return the truncated episodes of the iteration, and those that go on after it."""
        going = np.flatnonzero(~self._steps["ends"][-1])
        after = self.policy.normalize(self.envs.observations[going])
        return Cuts.joined([*self._cuts, Cuts.at(self._steps.length - 1, going, after, self.states[going])])

    def _note_episodes(self, t: int, rows: np.ndarray) -> None:
        """Note the episodes that ended with step t in these rows, and count."""
        returns, lengths, facts = self.envs.ended
        for i in rows.tolist():
            sums = float(returns[i]), int(lengths[i])
            self._episodes.append(Episode(t, self.envs.indices[i], *sums, facts_at(facts, i)))
