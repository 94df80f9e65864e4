"""Action distributions, written once over an array namespace: sampled in numpy, differentiated in TensorFlow.

Noise is drawn outside, one block [T, ...] per environment and iteration, so that sampling is a function of its
arguments and the same whatever rank the environment is on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.common.policy.arrays import ACTING, Array
from baselines_ppo.common.policy.distribution_contract import Distribution
from baselines_ppo.common.policy.parameters import Parameter

LOG_STD = "log_std"  # of a Gaussian, the same in all states
FORBIDDEN = np.float32(-1e30)  # a logit: exp of it is exactly 0, and it stays finite in all that follows


def at_first(distribution: Distribution) -> dict[str, np.ndarray]:
    """Return a distribution's own parameters as they are before any training."""
    return {name: np.full(shape, start, np.float32) for name, shape, _, start in distribution.own_parameters()}


class GaussianParams(NamedTuple):
    """mean [..., A] and log std [A], the same in all states, or [..., A], where every row carries its own copy."""

    mean: Array
    log_std: Array


@dataclass(frozen=True)
class DiagonalGaussian:
    """Independent normal distributions, one for each of `size` action dimensions."""

    size: int

    @property
    def network_size(self) -> int:
        return self.size

    @property
    def action_size(self) -> int:
        return self.size

    @property
    def choice_sizes(self) -> tuple[int, ...]:
        return ()

    def own_parameters(self) -> list[Parameter]:
        return [Parameter(LOG_STD, (self.size,))]

    def from_network(self, output: Array, own: Mapping[str, Array]) -> GaussianParams:
        return GaussianParams(output, own[LOG_STD])

    def forbid(self, xp: Any, output: Array, allowed: Array) -> Array:
        return output

    def per_row(self, params: GaussianParams) -> GaussianParams:
        return GaussianParams(params.mean, np.broadcast_to(params.log_std, params.mean.shape))

    def noise(self, rng: np.random.Generator, steps: int, correlation: float = 0.0) -> np.ndarray:
        return correlated(rng.standard_normal((steps, self.size), dtype=np.float32), correlation)

    def sample(self, params: GaussianParams, noise: np.ndarray) -> np.ndarray:
        return params.mean + np.exp(params.log_std) * noise

    def mode(self, params: GaussianParams, xp: Any = ACTING) -> Array:
        return params.mean

    def log_prob(self, xp: Any, params: GaussianParams, action: Array) -> Array:
        z = (action - params.mean) / xp.exp(params.log_std)
        log_density = -0.5 * z * z - params.log_std - 0.5 * math.log(2.0 * math.pi)
        return xp.sum(log_density, axis=-1)

    def entropy(self, xp: Any, params: GaussianParams) -> Array:
        return xp.sum(params.log_std, axis=-1) + 0.5 * self.size * (1.0 + math.log(2.0 * math.pi))

    def kl(self, xp: Any, old: GaussianParams, new: GaussianParams) -> Array:
        distance = (new.mean - old.mean) / xp.exp(new.log_std)
        variance_ratio = xp.exp(2.0 * (old.log_std - new.log_std))
        return xp.sum(new.log_std - old.log_std + 0.5 * (variance_ratio + distance * distance - 1.0), axis=-1)


@dataclass(frozen=True)
class Categorical:
    """One of `size` choices; parameters are logits [..., size]."""

    size: int

    @property
    def network_size(self) -> int:
        return self.size

    @property
    def action_size(self) -> int:
        return 1

    @property
    def choice_sizes(self) -> tuple[int, ...]:
        return (self.size,)

    def own_parameters(self) -> list[Parameter]:
        return []

    def from_network(self, output: Array, own: Mapping[str, Array]) -> Array:
        return output

    def forbid(self, xp: Any, output: Array, allowed: Array) -> Array:
        return xp.where(allowed, output, FORBIDDEN)

    def per_row(self, params: np.ndarray) -> np.ndarray:
        return params

    def noise(self, rng: np.random.Generator, steps: int, correlation: float = 0.0) -> np.ndarray:
        return rng.gumbel(size=(steps, self.size)).astype(np.float32)

    def sample(self, params: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return self.mode(params + noise)  # the Gumbel-max trick

    def mode(self, params: Array, xp: Any = ACTING) -> Array:
        return xp.argmax(params, axis=-1)

    def log_prob(self, xp: Any, params: Array, action: Array) -> Array:
        chosen = action[..., None] == np.arange(self.size)
        return xp.sum(xp.where(chosen, self._log_probs(xp, params), np.float32(0.0)), axis=-1)

    def entropy(self, xp: Any, params: Array) -> Array:
        log_probs = self._log_probs(xp, params)
        return -xp.sum(xp.exp(log_probs) * log_probs, axis=-1)

    def kl(self, xp: Any, old: Array, new: Array) -> Array:
        old, new = self._log_probs(xp, old), self._log_probs(xp, new)
        return xp.sum(xp.exp(old) * (old - new), axis=-1)

    def _log_probs(self, xp: Any, logits: Array) -> Array:
        logits = logits - xp.max(logits, axis=-1, keepdims=True)
        return logits - xp.log(xp.sum(xp.exp(logits), axis=-1, keepdims=True))


@dataclass(frozen=True)
class MultiCategorical:
    """Several independent choices; parameters are their logits, one behind the other [..., sum of sizes]."""

    sizes: tuple[int, ...]

    @property
    def network_size(self) -> int:
        return sum(self.sizes)

    @property
    def action_size(self) -> int:
        return len(self.sizes)

    @property
    def choice_sizes(self) -> tuple[int, ...]:
        return self.sizes

    def own_parameters(self) -> list[Parameter]:
        return []

    def from_network(self, output: Array, own: Mapping[str, Array]) -> Array:
        return output

    def forbid(self, xp: Any, output: Array, allowed: Array) -> Array:
        return xp.where(allowed, output, FORBIDDEN)

    def per_row(self, params: np.ndarray) -> np.ndarray:
        return params

    def noise(self, rng: np.random.Generator, steps: int, correlation: float = 0.0) -> np.ndarray:
        return rng.gumbel(size=(steps, sum(self.sizes))).astype(np.float32)

    def sample(self, params: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return self.mode(params + noise)  # the Gumbel-max trick

    def mode(self, params: Array, xp: Any = ACTING) -> Array:
        chosen = [choice.mode(logits, xp)[..., None] for choice, logits in self.choices(params)]
        return xp.concatenate(chosen, axis=-1)

    def log_prob(self, xp: Any, params: Array, action: Array) -> Array:
        choices = enumerate(self.choices(params))
        return sum(choice.log_prob(xp, logits, action[..., k]) for k, (choice, logits) in choices)

    def entropy(self, xp: Any, params: Array) -> Array:
        return sum(choice.entropy(xp, logits) for choice, logits in self.choices(params))

    def kl(self, xp: Any, old: Array, new: Array) -> Array:
        pairs = zip(self.choices(old), self.choices(new), strict=True)
        return sum(choice.kl(xp, one, other) for (choice, one), (_, other) in pairs)

    def choices(self, params: Array) -> list[tuple[Categorical, Array]]:
        """Return each choice's distribution and logits."""
        ends = np.cumsum(self.sizes).tolist()
        spans = zip(self.sizes, ends, strict=True)
        return [(Categorical(size), params[..., end - size : end]) for size, end in spans]


@dataclass(frozen=True)
class Bernoulli:
    """`size` independent switches; parameters are the logits of "on" [..., size]."""

    size: int

    @property
    def network_size(self) -> int:
        return self.size

    @property
    def action_size(self) -> int:
        return self.size

    @property
    def choice_sizes(self) -> tuple[int, ...]:
        return (2,) * self.size  # off or on

    def own_parameters(self) -> list[Parameter]:
        return []

    def from_network(self, output: Array, own: Mapping[str, Array]) -> Array:
        return output

    def forbid(self, xp: Any, output: Array, allowed: Array) -> Array:
        off, on = allowed[..., 0::2], allowed[..., 1::2]
        return xp.where(on, xp.where(off, output, -FORBIDDEN), FORBIDDEN)

    def per_row(self, params: np.ndarray) -> np.ndarray:
        return params

    def noise(self, rng: np.random.Generator, steps: int, correlation: float = 0.0) -> np.ndarray:
        return rng.logistic(size=(steps, self.size)).astype(np.float32)

    def sample(self, params: np.ndarray, noise: np.ndarray) -> np.ndarray:
        return self.mode(params + noise)  # logistic noise exceeds -logit with probability sigmoid(logit)

    def mode(self, params: Array, xp: Any = ACTING) -> Array:
        return xp.asarray(params > np.float32(0.0), np.int64)

    def log_prob(self, xp: Any, params: Array, action: Array) -> Array:
        return xp.sum(xp.where(action == 1, self._log_on(xp, params), self._log_on(xp, -params)), axis=-1)

    def entropy(self, xp: Any, params: Array) -> Array:
        on, off = self._log_on(xp, params), self._log_on(xp, -params)
        return -xp.sum(xp.exp(on) * on + xp.exp(off) * off, axis=-1)

    def kl(self, xp: Any, old: Array, new: Array) -> Array:
        on, off = self._log_on(xp, old), self._log_on(xp, -old)
        return xp.sum(xp.exp(on) * (on - self._log_on(xp, new)) + xp.exp(off) * (off - self._log_on(xp, -new)), axis=-1)

    def _log_on(self, xp: Any, logits: Array) -> Array:
        """Return log sigmoid(logits), finite however far they are from 0."""
        size = xp.abs(logits)  # differentiable at 0 too, where a minimum would pass the gradient on twice
        return 0.5 * (logits - size) - xp.log(1.0 + xp.exp(-size))


def correlated(white: np.ndarray, correlation: float) -> np.ndarray:
    """Return noise [T, ...], normal like the white noise it is made of, each step's correlated with the one before.

    x_t = c x_{t-1} + sqrt(1 - c^2) white_t, so that the correlation of steps k apart is c^k.
    """
    if correlation == 0.0:
        return white
    noise, share = white.copy(), np.float32(np.sqrt(1.0 - correlation**2))
    for t in range(1, len(noise)):
        noise[t] = np.float32(correlation) * noise[t - 1] + share * white[t]
    return noise
