"""Demonstrations as the steps that a policy learns from: encoded, checked, with discounted returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from baselines_ppo.cloning.actions import to_policy
from baselines_ppo.common.failures import DataError, UsageError
from baselines_ppo.common.files.demonstrations import Demonstration, Demonstrations, cut
from baselines_ppo.common.moments import moments_of
from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.distributions import FORBIDDEN, at_first
from baselines_ppo.common.policy.given_arrays import unlearnable
from baselines_ppo.common.policy.normalizer import Normalizer
from baselines_ppo.common.policy.observations import mask_of
from baselines_ppo.common.seeding import Purpose, generator
from baselines_ppo.settings.config import RolloutConfig


class Steps(NamedTuple):
    """The steps of E episodes, N in all, one episode behind the other."""

    observations: np.ndarray  # [N, ...] encoded, not normalised
    actions: np.ndarray  # [N, ...] as the policy draws them
    rewards: np.ndarray  # [N] float64, raw
    finals: np.ndarray  # [E, ...] the observations after the last steps, encoded
    lengths: np.ndarray  # [E]
    terminated: np.ndarray  # [E] bool

    @property
    def ends(self) -> np.ndarray:
        """Where each episode ends, [E]: the number of its last step, and one."""
        return np.cumsum(self.lengths)

    @property
    def returns(self) -> np.ndarray:
        """The raw return of each episode, [E]."""
        return np.add.reduceat(self.rewards, self.ends - self.lengths)

    def of(self, episodes: Sequence[int]) -> Steps:
        """Return the steps of some of the episodes."""
        spans = [np.arange(end - length, end) for length, end in zip(self.lengths, self.ends, strict=True)]
        rows = np.concatenate([spans[k] for k in episodes] or [np.zeros(0, np.int64)])
        per_step = [x[rows] for x in self[:3]]
        return Steps(*per_step, *(x[list(episodes)] for x in self[3:]))


class Discounted(NamedTuple):
    """What the rewards of N steps come to, in the unit of scaled rewards."""

    returns: np.ndarray  # [N] float32, of the rewards from a step on to the end of its episode
    left: np.ndarray  # [N] float32, gamma^k for the k steps to a final observation; 0 where the episode terminated
    episode: np.ndarray  # [N], which one of the E it is


def steps_of(demonstrations: Demonstrations, network: ActorCritic) -> Steps:
    """Return demonstrations as a policy takes them.

    Raises:
      DataError: an episode has other observations or actions than the policy's spaces, or numbers that cannot be
        learned from; names it, and what is wrong.
    """
    if not demonstrations.episodes:
        raise DataError(f"{demonstrations.source} holds no episode")
    parts = [
        _checked(demonstrations, number, episode, network) for number, episode in enumerate(demonstrations.episodes)
    ]
    observations, actions, rewards, finals = (np.concatenate(column) for column in zip(*parts, strict=True))
    lengths = np.array([episode.length for episode in demonstrations.episodes])
    terminated = np.array([episode.terminated for episode in demonstrations.episodes])
    return Steps(observations, actions, rewards, finals, lengths, terminated)


def parted(steps: Steps, share: float, seed: int) -> tuple[Steps, Steps | None]:
    """Return the steps that are learned from, and those of whole episodes that are held out, if any are.

    Raises:
      UsageError: there is one episode, of which none can be held out.
    """
    if share == 0:
        return steps, None
    count = len(steps.lengths)
    if count == 1:
        raise UsageError("of one episode none can be held out; give more, or --held-out 0")
    held = min(max(round(share * count), 1), count - 1)
    order = generator(seed, Purpose.CLONING, 0).permutation(count)
    return steps.of(sorted(order[held:].tolist())), steps.of(sorted(order[:held].tolist()))


def reward_scaler_of(steps: Steps, config: RolloutConfig) -> Normalizer | None:
    """Return what divides rewards by the std of their running discounted sums, as a training does; None: nothing."""
    if not config.normalize_returns:
        return None
    scaler = Normalizer((), config.clip_rewards)
    sums, begins, so_far = np.empty_like(steps.rewards), {*(steps.ends - steps.lengths).tolist()}, 0.0
    for t, reward in enumerate(_clipped(steps.rewards, config)):
        so_far = sums[t] = reward + (0.0 if t in begins else config.gamma * so_far)
    scaler.moments = moments_of(sums)
    return scaler


def discounted(steps: Steps, config: RolloutConfig, scaler: Normalizer | None) -> Discounted:
    """Return what the rewards come to from each step on."""
    raw = _clipped(steps.rewards, config)
    rewards = raw.astype(np.float32) if scaler is None else scaler.scale(raw)
    returns, left = np.empty(len(rewards)), np.empty(len(rewards))
    for end, length, terminated in zip(steps.ends, steps.lengths, steps.terminated, strict=True):
        so_far, remaining = 0.0, 0.0 if terminated else 1.0
        for t in reversed(range(end - length, end)):
            so_far = returns[t] = rewards[t] + config.gamma * so_far
            remaining = left[t] = config.gamma * remaining
    episode = np.repeat(np.arange(len(steps.lengths)), steps.lengths)
    return Discounted(returns.astype(np.float32), left.astype(np.float32), episode)


def _clipped(rewards: np.ndarray, config: RolloutConfig) -> np.ndarray:
    limit = config.clip_raw_rewards
    return rewards if limit is None else np.clip(rewards, -limit, limit)


def _checked(
    demonstrations: Demonstrations, number: int, episode: Demonstration, network: ActorCritic
) -> tuple[np.ndarray, ...]:
    """Return an episode's observations [L, ...], actions, rewards, and its final observation [1, ...]."""
    where, length = f"{demonstrations.source}, episode {number}", episode.length
    if not length:
        raise DataError(f"{where}: it has no step")
    try:
        seen = network.observation.encode(cut(episode.observations, slice(None)), (length + 1,))
    except (ValueError, LookupError, TypeError) as error:
        raise DataError(f"{where}: the observations are {error}; give the environment that they are of") from None
    try:
        actions = to_policy(network.action, episode.actions, length)
    except (ValueError, LookupError, TypeError) as error:
        raise DataError(f"{where}: the actions are {error}; give the environment that they are of") from None
    if (row := _forbidden(network, seen[:-1], actions)) is not None:
        raise DataError(f"{where}, step {row}: the action is one that the mask forbids")
    if (found := unlearnable(seen)) is not None:
        raise DataError(f"{where}, step {found[0]}: the observation has {found[1]}")
    rewards = np.asarray(episode.rewards, np.float64)
    if not np.isfinite(rewards).all():
        raise DataError(f"{where}: a reward is {rewards[~np.isfinite(rewards)][0]}")
    return seen[:-1], actions, rewards, seen[-1:]


def _forbidden(network: ActorCritic, observations: np.ndarray, actions: np.ndarray) -> int | None:
    """Return the first row in which an action is forbidden by the mask that is seen; None: there is none."""
    if not network.masked:
        return None
    distribution = network.action.distribution
    allowed = observations[:, mask_of(network.observation)] > 0
    outputs = distribution.forbid(np, np.zeros((len(actions), distribution.network_size), np.float32), allowed)
    chance = distribution.log_prob(np, distribution.from_network(outputs, at_first(distribution)), actions)
    rows = np.flatnonzero(chance < 0.5 * FORBIDDEN)
    return int(rows[0]) if len(rows) else None
