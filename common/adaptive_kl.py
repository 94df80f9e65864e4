"""Controllers that hold the KL between successive policies near a target; pure functions."""

from __future__ import annotations

from typing import Any, NamedTuple

from baselines_ppo.common.policy.arrays import Array

FACTOR = 1.5
PENALTY_RANGE = (1.0 / 30.0, 30.0)  # outside of it, the step size moves too
LARGEST_FACTOR = 10.0  # of the step size, and its inverse the smallest
KL_COEF_RANGE = (1e-4, 1e4)  # beside a clip, which may hold the KL by itself


class Penalty(NamedTuple):
    """What moves from iteration to iteration."""

    kl_coef: float  # beta
    learning_rate_factor: float


def adapted_penalty(penalty: Penalty, kl: float, kl_target: float) -> Penalty:
    """Return the penalty for the next iteration.

    beta grows by 1.5 if the KL is above twice its target and shrinks by 1.5 if below half of it; once it leaves
    [1/30, 30], the step size does the rest. One that begins beyond moves back alone.

    Source: Schulman et al. 2017, arXiv:1707.06347, section 4; Heess et al. 2017, arXiv:1707.02286, appendix;
    the factors are those of Coady, "AI Gym Workout".
    """
    low, high = PENALTY_RANGE
    kl_coef, factor = penalty
    if kl > 2.0 * kl_target:
        kl_coef = max(kl_coef, min(kl_coef * FACTOR, high * FACTOR))
        if kl_coef > high:
            factor = max(factor / FACTOR, 1.0 / LARGEST_FACTOR)
    elif kl < 0.5 * kl_target:
        kl_coef = min(kl_coef, max(kl_coef / FACTOR, low / FACTOR))
        if kl_coef < low:
            factor = min(factor * FACTOR, LARGEST_FACTOR)
    return Penalty(kl_coef, factor)


def adapted_kl_coef(kl_coef: float, kl: float, kl_target: float) -> float:
    """Return beta, doubled if the KL is above 1.5 times its target, halved if below 1 / 1.5 of it.

    It leaves the range of `KL_COEF_RANGE` by no step; one that begins beyond moves back alone.

    Source: Schulman et al. 2017, arXiv:1707.06347, section 4.
    """
    low, high = KL_COEF_RANGE
    if kl > 1.5 * kl_target:
        return max(kl_coef, min(2.0 * kl_coef, high))
    return min(kl_coef, max(kl_coef / 2.0, low)) if kl < kl_target / 1.5 else kl_coef


def adapted_learning_rate(
    xp: Any, learning_rate: Array, kl: Array, kl_target: float, limits: tuple[float, float] = (1e-6, 1e-2)
) -> Array:
    """Return the step size, 1.5 times smaller if the KL is above twice its target, larger if below half of it.

    Args:
      limits: the lowest and the highest that a step leads to; one that begins beyond moves back alone.
    """
    lowest, highest = limits
    smaller = xp.minimum(learning_rate, xp.maximum(learning_rate / FACTOR, lowest))
    larger = xp.maximum(learning_rate, xp.minimum(learning_rate * FACTOR, highest))
    return xp.where(kl > 2.0 * kl_target, smaller, xp.where(kl < 0.5 * kl_target, larger, learning_rate))
