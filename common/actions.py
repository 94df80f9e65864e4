"""Which action spaces are understood, and the way from policy actions to the environment's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from baselines_ppo.common.distributions import (
    Bernoulli,
    Categorical,
    DiagonalGaussian,
    Distribution,
    MultiCategorical,
)
from baselines_ppo.common.failures import UsageError


@dataclass(frozen=True)
class BoxAction:
    """A continuous action: the policy's range [-1, 1] maps to [low, high]; None stands for no bound.

    With one bound or none there is no range to map to: the action passes unchanged, up to that bound.
    """

    low: tuple[float | None, ...]
    high: tuple[float | None, ...]

    @property
    def distribution(self) -> Distribution:
        return DiagonalGaussian(len(self.low))

    def to_environment(self, actions: np.ndarray) -> np.ndarray:
        """Return environment actions [n, A] float32: clipped and rescaled where both bounds are finite."""
        lowest, highest, shift, scale, offset = self._mapping
        clipped = np.maximum(np.minimum(actions, highest), lowest)
        return (offset + (clipped + shift) * scale).astype(np.float32, copy=False)

    @cached_property
    def _mapping(self) -> np.ndarray:
        """Where to clip, then what to add, multiply by, and add: rows of [5, A] float32."""
        columns = [
            (-np.inf if low is None else low, np.inf if high is None else high, 0.0, 1.0, 0.0)
            if low is None or high is None
            else (-1.0, 1.0, 1.0, (high - low) / 2, low)
            for low, high in zip(self.low, self.high, strict=True)
        ]
        return np.array(columns, np.float32).T


@dataclass(frozen=True)
class DiscreteAction:
    """One of `size` choices, numbered from `start` in the environment."""

    size: int
    start: int

    @property
    def distribution(self) -> Distribution:
        return Categorical(self.size)

    def to_environment(self, actions: np.ndarray) -> np.ndarray:
        """Return environment actions [n]."""
        return actions + self.start


@dataclass(frozen=True)
class MultiDiscreteAction:
    """Several choices at once, each of its own size and numbered from its own start."""

    sizes: tuple[int, ...]
    starts: tuple[int, ...]

    @property
    def distribution(self) -> Distribution:
        return MultiCategorical(self.sizes)

    def to_environment(self, actions: np.ndarray) -> np.ndarray:
        """Return environment actions [n, A]."""
        return actions + np.array(self.starts)


@dataclass(frozen=True)
class MultiBinaryAction:
    """`size` switches, each on or off."""

    size: int

    @property
    def distribution(self) -> Distribution:
        return Bernoulli(self.size)

    def to_environment(self, actions: np.ndarray) -> np.ndarray:
        """Return environment actions [n, A]."""
        return actions.astype(np.int8)


Action = BoxAction | DiscreteAction | MultiDiscreteAction | MultiBinaryAction

KINDS: dict[str, type[Action]] = {
    "box": BoxAction,
    "discrete": DiscreteAction,
    "multi_discrete": MultiDiscreteAction,
    "multi_binary": MultiBinaryAction,
}


def action_of(space: Any, env_id: str) -> Action:
    """Return our description of an action space.

    Raises:
      UsageError: the space is of another kind.
    """
    from gymnasium import spaces  # an agent acts without Gymnasium

    if isinstance(space, spaces.Discrete):
        return DiscreteAction(int(space.n), int(space.start))
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return BoxAction(_bounds(space.low), _bounds(space.high))
    if isinstance(space, spaces.MultiDiscrete) and len(space.shape) == 1:
        return MultiDiscreteAction(tuple(map(int, space.nvec)), tuple(map(int, space.start)))
    if isinstance(space, spaces.MultiBinary) and len(space.shape) == 1:
        return MultiBinaryAction(int(space.shape[0]))
    raise UsageError(
        f"environment {env_id} has the action space {space}; only Box, MultiDiscrete and MultiBinary of one "
        "dimension and Discrete are supported"
    )


def action_to_json(action: Action) -> dict[str, Any]:
    """Return the action as strict JSON; `action_from_json` is its inverse."""
    return {"kind": next(kind for kind, cls in KINDS.items() if type(action) is cls), **asdict(action)}


def action_from_json(data: dict[str, Any]) -> Action:
    """Return the action that `action_to_json` wrote."""
    fields: dict[str, Any] = {
        name: tuple(x) if isinstance(x, list) else x for name, x in data.items() if name != "kind"
    }
    return KINDS[data["kind"]](**fields)


def _bounds(values: np.ndarray) -> tuple[float | None, ...]:
    return tuple(float(x) if np.isfinite(x) else None for x in values)
