"""Demonstrations as the steps that a policy learns from: encoded, checked, with discounted returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.cloning.actions import to_policy
from baselines_ppo.common.failures import DataError, UsageError
from baselines_ppo.common.files.demonstrations import Demonstration, Demonstrations
from baselines_ppo.common.gae import gae, running_sums
from baselines_ppo.common.moments import moments_of
from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.distributions import FORBIDDEN, at_first
from baselines_ppo.common.policy.given_arrays import unlearnable
from baselines_ppo.common.policy.normalizer import Normalizer, clipped, scaled
from baselines_ppo.common.policy.observations import MaskedObservation, Observation, mask_of
from baselines_ppo.common.policy.spaces.masks import nothing_allowed
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
    def last(self) -> np.ndarray:
        """Whether an episode ends with a step, [N] bool."""
        last = np.zeros(len(self.rewards), np.bool_)
        last[self.ends - 1] = True
        return last

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
    rewards = clipped(steps.rewards, config.clip_raw_rewards)[:, None]
    sums, _ = running_sums(rewards, steps.last[:, None], config.gamma, np.zeros(1))
    scaler.moments = moments_of(sums[:, 0])
    return scaler


def discounted(steps: Steps, config: RolloutConfig, scaler: Normalizer | None) -> Discounted:
    """Return what the rewards come to from each step on."""
    rewards = scaled(clipped(steps.rewards, config.clip_raw_rewards), scaler).astype(np.float64)
    cut_off = np.zeros(len(rewards))
    cut_off[steps.ends - 1] = ~steps.terminated
    both = np.stack([rewards, config.gamma * cut_off], axis=-1)  # the second: a reward of 1 for a final observation
    ends, nothing = np.stack([steps.last, steps.last], axis=-1), np.zeros_like(both)
    returns, left = gae(both, nothing, nothing, ends, config.gamma, 1.0)[1].astype(np.float32).T
    episode = np.repeat(np.arange(len(steps.lengths)), steps.lengths)
    return Discounted(returns, left, episode)


def _checked(
    demonstrations: Demonstrations, number: int, episode: Demonstration, network: ActorCritic
) -> tuple[np.ndarray, ...]:
    """Return an episode's observations [L, ...], actions, rewards, and its final observation [1, ...]."""
    where, length = f"{demonstrations.source}, episode {number}", episode.length
    if not length:
        raise DataError(f"{where}: it has no step")
    try:
        seen = network.observation.encode(_seen(where, network.observation, episode), (length + 1,))
    except (ValueError, LookupError, TypeError) as error:
        raise DataError(f"{where}: the observations are {error}; give the environment that they are of") from None
    try:
        actions = to_policy(network.action, episode.actions, length)
    except (ValueError, LookupError, TypeError) as error:
        raise DataError(f"{where}: the actions are {error}; give the environment that they are of") from None
    if (found := _forbidden(network, seen[:-1], actions)) is not None:
        raise DataError(f"{where}, step {found[0]}: {found[1]}")
    if (found := unlearnable(seen)) is not None:
        raise DataError(f"{where}, step {found[0]}: the observation has {found[1]}")
    rewards = np.asarray(episode.rewards, np.float64)
    if (found := unlearnable(rewards[:, None])) is not None:
        raise DataError(f"{where}, step {found[0]}: the reward is {rewards[found[0]]}, which cannot be learned from")
    return seen[:-1], actions, rewards, seen[-1:]


def _seen(where: str, observation: Observation, episode: Demonstration) -> Any:
    """Return what was seen in an episode, [L + 1, ...], with the masks of actions beside it, if they are needed.

    Raises:
      DataError: there are none.
    """
    if not isinstance(observation, MaskedObservation) or observation.holds_mask(episode.observations):
        return episode.observations
    if episode.masks is None:
        raise DataError(f"{where}: it has no masks of actions, as the environment gives; record its infos too")
    return observation.joined(episode.observations, episode.masks)


def _forbidden(network: ActorCritic, observations: np.ndarray, actions: np.ndarray) -> tuple[int, str] | None:
    """Return the first row in which the mask that is seen forbids the action, or all of them, and this in words."""
    if not network.masked:
        return None
    distribution = network.action.distribution
    allowed = observations[:, mask_of(network.observation)] > 0
    if (nothing := nothing_allowed(network.action, allowed)) is not None:
        return nothing
    outputs = distribution.forbid(np, np.zeros((len(actions), distribution.network_size), np.float32), allowed)
    chance = distribution.log_prob(np, distribution.from_network(outputs, at_first(distribution)), actions)
    rows = np.flatnonzero(chance < 0.5 * FORBIDDEN)
    return (int(rows[0]), "the action is one that the mask forbids") if len(rows) else None
