"""One iteration's transitions as the losses take them: this rank's own, or those of all ranks (`plan.py`)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from baselines_ppo.common.gae import explained_variance, gae
from baselines_ppo.common.losses import approx_kl, clip_fraction
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.actor_critic import Inputs
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.rollout import Rollout, by_environment

METRICS = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction")


class Batch(NamedTuple):
    """Tensors [B, ...] with B = T n, or [n, T, ...] with memory; a minibatch has fewer of the first axis."""

    inputs: Inputs
    actions: Any  # [B, ...]
    log_probs: Any  # [B], log pi_old(a|s)
    params: Any  # [B, ...], parameters of pi_old(.|s)
    advantages: Any  # [B]
    values: Any  # [B], V_old, as the value network gave it
    value_targets: Any  # [B], in the value network's unit


def batch_of(
    rollout: Rollout, policy: Policy, advantages: np.ndarray, values: np.ndarray, value_targets: np.ndarray
) -> Batch:
    """Return a rollout's transitions as tensors, with arrays [T, n] of what is to be learned from them."""
    recurrent = policy.network.recurrent
    assert not recurrent or rollout.made.all(), "a memory goes through whole rollouts, without padding"
    count = rollout.num_transitions

    def rows(x: np.ndarray) -> tf.Tensor:
        return tf.constant(np.ascontiguousarray(rows_of(x, recurrent, rollout.made)))

    states = rollout.states if recurrent else np.zeros((count, 0), np.float32)
    return Batch(
        inputs=Inputs(rows(rollout.observations), tf.constant(states), rows(rollout.starts)),
        actions=rows(rollout.actions),
        log_probs=rows(rollout.log_probs),
        params=tf.nest.map_structure(rows, policy.distribution.per_row(policy.params(rollout.outputs))),
        advantages=rows(advantages),
        values=rows(values),
        value_targets=rows(value_targets),
    )


def rows_of(x: np.ndarray, recurrent: bool, made: np.ndarray) -> np.ndarray:
    """Return [T, n, ...] as what is dealt into minibatches: steps [B, ...], or with memory environments [n, T, ...]."""
    return np.moveaxis(x, 0, 1) if recurrent else x.reshape(-1, *x.shape[2:]) if made.all() else x[made]


def advantages_of(rollout: Rollout, gamma: float, gae_lambda: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a rollout's advantages and value targets, both [T, n]."""
    return gae(rollout.rewards, rollout.values, rollout.next_values, rollout.ends, gamma, gae_lambda)


def metrics_of(
    batch: Batch, log_prob: tf.Tensor, entropy: tf.Tensor, losses: tuple[tf.Tensor, tf.Tensor], clip_range: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Return the metrics of a minibatch: policy and value loss, and how far the policy has moved."""
    kl, clipped = approx_kl(log_prob, batch.log_probs), clip_fraction(log_prob, batch.log_probs, clip_range)
    return dict(zip(METRICS, (*losses, entropy, kl, clipped), strict=True))


def mean_of(epochs: list[dict[str, float]]) -> dict[str, float]:
    """Return each metric's mean over the epochs of an iteration."""
    return {name: float(np.mean([metrics[name] for metrics in epochs])) for name in epochs[0]}


def explained_over_ranks(values: np.ndarray, value_targets: np.ndarray, made: np.ndarray, comm: Comm) -> float:
    """Return the share of the targets' variance that the values [T, n] explain, over all ranks."""
    errors = np.stack([value_targets - values, value_targets], axis=-1)
    return explained_variance(*comm.moments(by_environment(errors, made)).variance)
