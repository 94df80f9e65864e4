"""Several distributions as one: for an action that is made of others, each drawn by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from baselines_ppo.common.policy.arrays import ACTING, Array
from baselines_ppo.common.policy.distribution_contract import Distribution
from baselines_ppo.common.policy.distributions import Categorical
from baselines_ppo.common.policy.parameters import Parameter


@dataclass(frozen=True)
class Joint:
    """Independent distributions; parameters are a tuple of theirs.

    An action is a vector of float32, the actions of the parts one behind the other. So are the outputs of the network,
    the noise, and what the parts learn of their own by one name.
    """

    parts: tuple[Distribution, ...]

    @property
    def network_size(self) -> int:
        return sum(part.network_size for part in self.parts)

    @property
    def action_size(self) -> int:
        return sum(part.action_size for part in self.parts)

    @property
    def choice_sizes(self) -> tuple[int, ...]:
        return tuple(size for part in self.parts for size in part.choice_sizes)

    def own_parameters(self) -> list[Parameter]:
        sizes: dict[str, int] = {}
        for part in self.parts:
            for parameter in part.own_parameters():
                sizes[parameter.name] = sizes.get(parameter.name, 0) + parameter.shape[0]
        return [Parameter(name, (size,)) for name, size in sizes.items()]

    def from_network(self, output: Array, own: Mapping[str, Array]) -> tuple[Any, ...]:
        begun, params = dict.fromkeys((parameter.name for parameter in self.own_parameters()), 0), []
        for part, columns in zip(self.parts, self._outputs, strict=True):
            share = {}
            for name, (size,), *_ in part.own_parameters():
                share[name] = own[name][begun[name] : begun[name] + size]
                begun[name] += size
            params.append(part.from_network(output[..., columns], share))
        return tuple(params)

    def forbid(self, xp: Any, output: Array, allowed: Array) -> Array:
        spans = zip(self.parts, self._outputs, _spans(sum(part.choice_sizes) for part in self.parts), strict=True)
        limited = [part.forbid(xp, output[..., outputs], allowed[..., own]) for part, outputs, own in spans]
        return xp.concatenate(limited, axis=-1)

    def per_row(self, params: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(part.per_row(own) for part, own in zip(self.parts, params, strict=True))

    def noise(self, rng: np.random.Generator, steps: int, correlation: float = 0.0) -> np.ndarray:
        return np.concatenate([part.noise(rng, steps, correlation) for part in self.parts], axis=-1)

    def sample(self, params: tuple[Any, ...], noise: np.ndarray) -> np.ndarray:
        each = zip(self.parts, params, self._outputs, strict=True)  # every part takes as much noise as outputs
        return self._joined([part.sample(own, noise[..., columns]) for part, own, columns in each])

    def mode(self, params: tuple[Any, ...], xp: Any = ACTING) -> Array:
        return self._joined([part.mode(own, xp) for part, own in zip(self.parts, params, strict=True)], xp)

    def log_prob(self, xp: Any, params: tuple[Any, ...], action: Array) -> Array:
        each = zip(self.parts, params, self.apart(xp, action), strict=True)
        return sum(part.log_prob(xp, own, drawn) for part, own, drawn in each)

    def entropy(self, xp: Any, params: tuple[Any, ...]) -> Array:
        return sum(part.entropy(xp, own) for part, own in zip(self.parts, params, strict=True))

    def kl(self, xp: Any, old: tuple[Any, ...], new: tuple[Any, ...]) -> Array:
        return sum(part.kl(xp, one, other) for part, one, other in zip(self.parts, old, new, strict=True))

    def apart(self, xp: Any, action: Array) -> list[Array]:
        """Return the action of each part, as it draws it, from actions [..., action_size]."""
        drawn = []
        for part, columns in zip(self.parts, _spans(part.action_size for part in self.parts), strict=True):
            own = action[..., columns]
            if part.choice_sizes and not isinstance(part, Joint):
                own = xp.asarray(own, np.int64)
            drawn.append(own[..., 0] if isinstance(part, Categorical) else own)
        return drawn

    def _joined(self, actions: list[Array], xp: Any = ACTING) -> Array:
        each = zip(self.parts, actions, strict=True)
        columns = [x[..., None] if isinstance(part, Categorical) else x for part, x in each]
        return xp.concatenate([xp.asarray(x, np.float32) for x in columns], axis=-1)

    @cached_property
    def _outputs(self) -> list[slice]:
        """Where the outputs of the network lie, for each part."""
        return _spans(part.network_size for part in self.parts)


def _spans(sizes: Any) -> list[slice]:
    """Return where parts of these sizes lie, one behind the other."""
    spans, begin = [], 0
    for size in sizes:
        spans.append(slice(begin, begin + size))
        begin += size
    return spans
