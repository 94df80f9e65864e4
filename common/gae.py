"""Generalised advantage estimation, discounted sums, and how well the value function explains its targets."""

from __future__ import annotations

import numpy as np


def gae(
    rewards: np.ndarray,
    values: np.ndarray,
    next_values: np.ndarray,
    ends: np.ndarray,
    gamma: float,
    gae_lambda: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return advantages and value targets, both [T, n].

    delta_t = r_t + gamma next_value_t - value_t
    A_t     = delta_t + gamma lambda (1 - end_t) A_{t+1},   target_t = A_t + value_t

    Args:
      rewards: r_t, [T, n].
      values: V(s_t), [T, n].
      next_values: V(s_{t+1}), [T, n]: 0 where the episode terminated, V(final observation) where it was truncated.
      ends: whether the episode terminated or was truncated with step t, [T, n] bool, or zeros and ones.
      gamma: the discount.
      gae_lambda: lambda.

    Source: Schulman et al. 2016, arXiv:1506.02438, equations 11 and 16; cut at episode ends.

    >>> ends = np.array([[False], [True]])  # one environment, two steps with reward 1, then the end
    >>> advantages, targets = gae(np.ones((2, 1)), np.zeros((2, 1)), np.zeros((2, 1)), ends, 0.5, 1.0)
    >>> targets.ravel().tolist()
    [1.5, 1.0]
    """
    rewards, values, next_values, ends = (np.asarray(x) for x in (rewards, values, next_values, ends))
    assert rewards.shape == values.shape == next_values.shape == ends.shape, "gae takes four arrays [T, n]"
    deltas = rewards + gamma * next_values - values
    decay = (gamma * gae_lambda * ~ends.astype(bool)).astype(deltas.dtype)
    advantages = np.empty_like(deltas)
    following = np.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        following = deltas[t] + decay[t] * following
        advantages[t] = following
    return advantages, advantages + values


def running_sums(
    rewards: np.ndarray, ends: np.ndarray, gamma: float, before: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return discounted sums of the rewards so far, [T, n], begun anew after each end; and the last, to go on with.

    s_t = gamma (1 - end_{t-1}) s_{t-1} + r_t

    Args:
      rewards: r_t, [T, n].
      ends: whether an episode ended with step t, [T, n] bool.
      before: the sums before the first step, [n].
    """
    sums = np.empty_like(rewards)
    for t in range(len(rewards)):
        before = sums[t] = before * gamma + rewards[t]
        before = np.where(ends[t], 0.0, before)
    return sums, before


def explained_variance(error_variance: float, target_variance: float) -> float:
    """Return 1 - Var[target - value] / Var[target]: 1 is perfect, 0 no better than a constant."""
    return 1.0 - error_variance / target_variance if target_variance > 0 else float("nan")
