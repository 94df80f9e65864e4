"""Action distributions, written once over an array namespace: sampled in numpy, differentiated in TensorFlow.

Noise is drawn outside, one block [T, ...] per environment and iteration, so that sampling is a function of its
arguments and the same whatever rank the environment is on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from baselines_ppo.common.arrays import Array


class Distribution(Protocol):
    """What a policy needs of its action distribution; `params` is whatever `from_network` returned."""

    @property
    def network_size(self) -> int:
        """Number of outputs that the policy network must have."""

    def from_network(self, output: Array, log_std: Array | None) -> Any:
        """Return the parameters of the distribution from network outputs [..., network_size]."""

    def noise(self, rng: np.random.Generator, steps: int) -> np.ndarray:
        """Draw what `sample` needs for one environment, [steps, ...]."""

    def sample(self, params: Any, noise: np.ndarray) -> np.ndarray:
        """Return actions, one per row; numpy."""

    def mode(self, params: Any) -> np.ndarray:
        """Return the most likely actions, one per row; numpy."""

    def log_prob(self, xp: Any, params: Any, action: Array) -> Array:
        """Return log pi(action), one number per row."""

    def entropy(self, xp: Any, params: Any) -> Array:
        """Return the entropy, one number per row or one for all rows, in nats."""


class GaussianParams(NamedTuple):
    """mean [..., A] and log std [A], the same in all states."""

    mean: Array
    log_std: Array


@dataclass(frozen=True)
class DiagonalGaussian:
    """Independent normal distributions, one for each of `size` action dimensions."""

    size: int

    @property
    def network_size(self) -> int:
        return self.size

    def from_network(self, output: Array, log_std: Array | None) -> GaussianParams:
        return GaussianParams(output, log_std)

    def noise(self, rng: np.random.Generator, steps: int) -> np.ndarray:
        return rng.standard_normal((steps, self.size), dtype=np.float32)

    def sample(self, params: GaussianParams, noise: np.ndarray) -> np.ndarray:
        return params.mean + np.exp(params.log_std) * noise

    def mode(self, params: GaussianParams) -> np.ndarray:
        return params.mean

    def log_prob(self, xp: Any, params: GaussianParams, action: Array) -> Array:
        z = (action - params.mean) / xp.exp(params.log_std)
        log_density = -0.5 * z * z - params.log_std - 0.5 * math.log(2.0 * math.pi)
        return xp.sum(log_density, axis=-1)

    def entropy(self, xp: Any, params: GaussianParams) -> Array:
        return xp.sum(params.log_std, axis=-1) + 0.5 * self.size * (1.0 + math.log(2.0 * math.pi))


@dataclass(frozen=True)
class Categorical:
    """One of `size` choices; parameters are logits [..., size]."""

    size: int

    @property
    def network_size(self) -> int:
        return self.size

    def from_network(self, output: Array, log_std: Array | None) -> Array:
        return output

    def noise(self, rng: np.random.Generator, steps: int) -> np.ndarray:
        return rng.gumbel(size=(steps, self.size)).astype(np.float32)

    def sample(self, params: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return np.argmax(params + noise, axis=-1)  # the Gumbel-max trick

    def mode(self, params: np.ndarray) -> np.ndarray:
        return np.argmax(params, axis=-1)

    def log_prob(self, xp: Any, params: Array, action: Array) -> Array:
        chosen = action[..., None] == np.arange(self.size)
        return xp.sum(xp.where(chosen, self._log_probs(xp, params), np.float32(0.0)), axis=-1)

    def entropy(self, xp: Any, params: Array) -> Array:
        log_probs = self._log_probs(xp, params)
        return -xp.sum(xp.exp(log_probs) * log_probs, axis=-1)

    def _log_probs(self, xp: Any, logits: Array) -> Array:
        logits = logits - xp.max(logits, axis=-1, keepdims=True)
        return logits - xp.log(xp.sum(xp.exp(logits), axis=-1, keepdims=True))
