"""One iteration's transitions of this rank, as the losses take them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from baselines_ppo.common.gae import explained_variance
from baselines_ppo.common.losses import approx_kl, clip_fraction
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.rollout import Rollout

METRICS = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction")


class Batch(NamedTuple):
    """Tensors [B, ...] with B = T n; a minibatch has the same fields with M rows."""

    observations: Any  # [B, D], normalised
    actions: Any  # [B, ...]
    log_probs: Any  # [B], log pi_old(a|s)
    advantages: Any  # [B], standardised
    values: Any  # [B], V_old, as the value network gave it
    value_targets: Any  # [B], in the value network's unit


def batch_of(rollout: Rollout, advantages: np.ndarray, values: np.ndarray, value_targets: np.ndarray) -> Batch:
    """Return a rollout's transitions, flattened, with arrays [T, n] of what is to be learned from them."""
    arrays = (rollout.observations, rollout.actions, rollout.log_probs, advantages, values, value_targets)
    return Batch(*(tf.constant(x.reshape(-1, *x.shape[2:])) for x in arrays))


def metrics_of(
    batch: Batch, log_prob: tf.Tensor, entropy: tf.Tensor, losses: tuple[tf.Tensor, tf.Tensor], clip_range: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Return the metrics of a minibatch: policy and value loss, and how far the policy has moved."""
    kl, clipped = approx_kl(log_prob, batch.log_probs), clip_fraction(log_prob, batch.log_probs, clip_range)
    return dict(zip(METRICS, (*losses, entropy, kl, clipped), strict=True))


def mean_of(epochs: list[dict[str, float]]) -> dict[str, float]:
    """Return each metric's mean over the epochs of an iteration."""
    return {name: float(np.mean([metrics[name] for metrics in epochs])) for name in METRICS}


def variance_explained(values: np.ndarray, value_targets: np.ndarray, comm: Comm) -> float:
    """Return the share of the targets' variance that the values [T, n] explain, over all ranks."""
    errors = np.stack([(value_targets - values).ravel(), value_targets.ravel()], axis=-1)
    return explained_variance(*comm.moments(errors).variance)
