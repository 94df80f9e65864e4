"""Which observation and action spaces are understood, and the way from policy actions to the environment's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from baselines_ppo.common.distributions import Categorical, DiagonalGaussian, Distribution
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

    def no_actions(self) -> np.ndarray:
        """Return environment actions for zero environments, [0, A]."""
        return np.zeros((0, len(self.low)), np.float32)

    def to_environment(self, actions: np.ndarray) -> np.ndarray:
        """Return environment actions [n, A] float32: clipped and rescaled where both bounds are finite."""
        columns = [
            np.clip(column, -np.inf if low is None else low, np.inf if high is None else high)
            if low is None or high is None
            else low + (np.clip(column, -1, 1) + 1) * ((high - low) / 2)
            for column, low, high in zip(np.moveaxis(actions, -1, 0), self.low, self.high, strict=True)
        ]
        return np.stack(columns, axis=-1).astype(np.float32)


@dataclass(frozen=True)
class DiscreteAction:
    """One of `size` choices, numbered from `start` in the environment."""

    size: int
    start: int

    @property
    def distribution(self) -> Distribution:
        return Categorical(self.size)

    def no_actions(self) -> np.ndarray:
        """Return environment actions for zero environments, [0]."""
        return np.zeros(0, np.int64)

    def to_environment(self, actions: np.ndarray) -> np.ndarray:
        """Return environment actions [n]."""
        return actions + self.start


Action = BoxAction | DiscreteAction


def observation_size(space: Any, env_id: str) -> int:
    """Return D of a vector observation space.

    Raises:
      UsageError: the space is of another kind.
    """
    from gymnasium import spaces  # an agent acts without Gymnasium

    if not isinstance(space, spaces.Box) or len(space.shape) != 1:
        raise UsageError(
            f"environment {env_id} has the observation space {space}; only vectors (Box of shape (D,)) are supported"
        )
    return space.shape[0]


def action_of(space: Any, env_id: str) -> Action:
    """Return our description of an action space.

    Raises:
      UsageError: the space is neither a vector Box nor Discrete.
    """
    from gymnasium import spaces  # an agent acts without Gymnasium

    if isinstance(space, spaces.Discrete):
        return DiscreteAction(int(space.n), int(space.start))
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return BoxAction(_bounds(space.low), _bounds(space.high))
    raise UsageError(
        f"environment {env_id} has the action space {space}; only Discrete and vectors (Box of shape (A,)) "
        "are supported"
    )


def action_to_json(action: Action) -> dict[str, Any]:
    """Return the action as strict JSON; `action_from_json` is its inverse."""
    return {"kind": "box" if isinstance(action, BoxAction) else "discrete", **asdict(action)}


def action_from_json(data: dict[str, Any]) -> Action:
    """Return the action that `action_to_json` wrote."""
    if data["kind"] == "box":
        return BoxAction(tuple(data["low"]), tuple(data["high"]))
    return DiscreteAction(int(data["size"]), int(data["start"]))


def _bounds(values: np.ndarray) -> tuple[float | None, ...]:
    return tuple(float(x) if np.isfinite(x) else None for x in values)
