"""Which action spaces are understood, and the way from policy actions to the environment's.

A policy's action is flat; what is sent has the space's own shape and type, and is contained in it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from baselines_ppo.common.failures import DataError, UsageError
from baselines_ppo.common.policy.distributions import (
    Bernoulli,
    Categorical,
    DiagonalGaussian,
    Distribution,
    MultiCategorical,
)

LARGEST = 2**63 - 1  # of int64
FLOATS = ("float16", "float32", "float64")
INTEGERS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


@dataclass(frozen=True)
class BoxAction:
    """A continuous action: the policy's range [-1, 1] maps to [low, high]; None stands for no bound.

    With one bound or none there is no range to map to: the action passes unchanged, up to that bound.
    """

    low: tuple[float | None, ...]  # like the next, the space's own, flattened
    high: tuple[float | None, ...]
    shape: tuple[int, ...]
    dtype: str | None = None  # the space's own; None: not known, float32 is sent

    @property
    def distribution(self) -> Distribution:
        return DiagonalGaussian(len(self.low))

    def to_environment(self, actions: np.ndarray) -> np.ndarray:
        """Return environment actions [n, *shape]: clipped and rescaled where both bounds are finite."""
        least, most, half, middle, low, high = self.mapping
        scaled = np.minimum(actions, most)
        np.maximum(scaled, least, out=scaled)
        if self.maps:
            scaled *= half
            scaled += middle
            np.minimum(scaled, high, out=scaled)  # rounding may have left the bounds
            np.maximum(scaled, low, out=scaled)
        return scaled.astype(self.dtype or np.float32, copy=False).reshape(-1, *self.shape)

    @cached_property
    def maps(self) -> bool:
        """Whether there is more to do than to clip: some range is not [-1, 1]."""
        _, _, half, middle, _, _ = self.mapping
        return bool((half != 1.0).any() or (middle != 0.0).any())

    @cached_property
    def mapping(self) -> tuple[np.ndarray, ...]:
        """Where to clip, what to multiply by and to add, and the bounds; six of [A], float64 if the space is."""
        far = 65504.0 if self.dtype == "float16" else np.inf  # the largest of that type
        columns = [
            (lower := -far if low is None else low, upper := far if high is None else high, 1.0, 0.0, lower, upper)
            if low is None or high is None
            else (-1.0, 1.0, high / 2 - low / 2, high / 2 + low / 2, low, high)
            for low, high in zip(self.low, self.high, strict=True)
        ]
        kind = np.float64 if self.dtype == "float64" else np.float32
        least, most, half, middle, low, high = (np.array(row, kind) for row in zip(*columns, strict=True))
        room = np.nextafter(np.finfo(kind).max - np.abs(middle), kind(0))  # rounded, their sum may pass the largest
        return least, most, np.minimum(half, room), middle, low, high


@dataclass(frozen=True)
class IntegerBoxAction:
    """Whole numbers between bounds; None stands for no bound.

    The policy is the Gaussian of `BoxAction`: its range [-1, 1] maps to [low, high], or passes where there are not
    both bounds, and is rounded to the nearest whole number.
    """

    low: tuple[int | None, ...]
    high: tuple[int | None, ...]
    shape: tuple[int, ...]
    dtype: str

    @property
    def distribution(self) -> Distribution:
        return DiagonalGaussian(len(self.low))

    def to_environment(self, actions: np.ndarray) -> np.ndarray:
        """Return environment actions [n, *shape] in the space's own type.

        Raises:
          DataError: an action is not a number, which would be rounded to one.
        """
        if np.isnan(actions).any():
            raise DataError("the policy's action is NaN")
        most, half, shift = self.mapping
        first, last = self.extent
        clipped = np.clip(actions.astype(np.float32), -most, most).astype(np.float64)
        steps = np.where(np.abs(clipped) < most, np.rint(clipped * half + shift), np.copysign(np.inf, clipped))
        inner = np.clip(steps, -(2.0**63), 2.0**63 - 1024).astype(np.int64)  # beyond, a float64 is no int64
        from_centre = np.clip(np.where(steps >= 2.0**63, LARGEST, inner), first, last)
        whole = from_centre.view(np.uint64) + np.array([centre % 2**64 for centre in self.centres], np.uint64)
        return whole.astype(self.dtype).reshape(-1, *self.shape)  # modulo 2**64, whatever the signs

    @cached_property
    def _limits(self) -> list[tuple[int, int, bool]]:
        """The lowest and highest numbers, those of the type where there is no bound; and whether there are both."""
        information = None if self.dtype == "bool" else np.iinfo(self.dtype)
        least, most = (0, 1) if information is None else (int(information.min), int(information.max))
        return [
            (least if low is None else low, most if high is None else high, low is not None and high is not None)
            for low, high in zip(self.low, self.high, strict=True)
        ]

    @cached_property
    def centres(self) -> list[int]:
        """From where numbers are counted, so that those of every type are within int64."""
        return [-(-(low + high) // 2) if both else max(0, low - LARGEST) for low, high, both in self._limits]

    @cached_property
    def extent(self) -> np.ndarray:
        """The lowest and highest numbers from the centre: rows of [2, A] int64."""
        pairs = zip(self._limits, self.centres, strict=True)
        return np.array([(low - centre, min(high - centre, LARGEST)) for (low, high, _), centre in pairs], np.int64).T

    @cached_property
    def mapping(self) -> np.ndarray:
        """Where to clip, what to multiply by and to add, to come to steps from the centre: rows of [3, A]."""
        columns = [
            (1.0, (high - low) / 2, -((low + high) % 2) / 2) if both else (np.inf, 1.0, -centre)
            for (low, high, both), centre in zip(self._limits, self.centres, strict=True)
        ]
        return np.array(columns, np.float64).T


@dataclass(frozen=True)
class DiscreteAction:
    """One of `size` choices, numbered from `start` in the environment."""

    size: int
    start: int
    dtype: str | None = None  # the space's own; None: not known, int64 is sent

    @property
    def distribution(self) -> Distribution:
        return Categorical(self.size)

    def to_environment(self, actions: np.ndarray) -> np.ndarray:
        """Return environment actions [n]."""
        return _counted(actions, self.start, self.dtype)


@dataclass(frozen=True)
class MultiDiscreteAction:
    """Several choices at once, each of its own size and numbered from its own start."""

    sizes: tuple[int, ...]  # like the next, flattened
    starts: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: str | None = None  # the space's own; None: not known, int64 is sent

    @property
    def distribution(self) -> Distribution:
        return MultiCategorical(self.sizes)

    def to_environment(self, actions: np.ndarray) -> np.ndarray:
        """Return environment actions [n, *shape]."""
        return _counted(actions, self.starts, self.dtype).reshape(-1, *self.shape)


@dataclass(frozen=True)
class MultiBinaryAction:
    """`size` switches, each on or off."""

    size: int
    shape: tuple[int, ...]

    @property
    def distribution(self) -> Distribution:
        return Bernoulli(self.size)

    def to_environment(self, actions: np.ndarray) -> np.ndarray:
        """Return environment actions [n, *shape]."""
        return actions.astype(np.int8).reshape(-1, *self.shape)


Action = BoxAction | IntegerBoxAction | DiscreteAction | MultiDiscreteAction | MultiBinaryAction

KINDS: dict[str, type[Action]] = {
    "box": BoxAction,
    "integer_box": IntegerBoxAction,
    "discrete": DiscreteAction,
    "multi_discrete": MultiDiscreteAction,
    "multi_binary": MultiBinaryAction,
}


def action_at(action: Action, actions: np.ndarray, row: int) -> Any:
    """Return one of actions [n, ...] as its space has it: of a Discrete a number, else an array, be it of ()."""
    return actions[row] if isinstance(action, DiscreteAction) else actions[row, ...]


def action_of(space: Any, env_id: str) -> Action:
    """Return our description of an action space.

    Raises:
      UsageError: the space is of another kind, or there is nothing to choose.
    """
    from gymnasium import spaces  # an agent acts without Gymnasium

    refused = f"environment {env_id} has the action space {space}"
    shape, dtype = tuple(space.shape or ()), np.dtype(space.dtype).name
    if 0 in shape:
        raise UsageError(f"{refused}, in which there is nothing to choose; give it at least one number")
    if isinstance(space, spaces.Discrete):
        return DiscreteAction(int(space.n), int(space.start), dtype)
    if isinstance(space, spaces.MultiDiscrete):
        return MultiDiscreteAction(_numbers(space.nvec), _numbers(space.start), shape, dtype)
    if isinstance(space, spaces.MultiBinary):
        return MultiBinaryAction(math.prod(shape), shape)
    if isinstance(space, spaces.Box) and dtype in (*FLOATS, *INTEGERS):
        box = BoxAction if dtype in FLOATS else IntegerBoxAction
        low, high = _bounds(space.low, space.bounded_below), _bounds(space.high, space.bounded_above)
        return box(low, high, shape, dtype)
    raise UsageError(f"{refused}; only Box, Discrete, MultiDiscrete and MultiBinary are supported")


def action_to_json(action: Action) -> dict[str, Any]:
    """Return the action as strict JSON; `action_from_json` is its inverse."""
    return {"kind": next(kind for kind, cls in KINDS.items() if type(action) is cls), **asdict(action)}


def action_from_json(data: dict[str, Any]) -> Action:
    """Return the action that `action_to_json` wrote.

    Raises:
      Exception: it is none; a file from a stranger may be wrong in any way.
    """
    fields: dict[str, Any] = {
        name: tuple(x) if isinstance(x, list) else x for name, x in data.items() if name != "kind"
    }
    kind = KINDS[data["kind"]]
    if kind is not DiscreteAction and "shape" not in fields:  # of a version that took one dimension alone
        size = next(iter(fields.values()))
        fields["shape"] = (size if isinstance(size, int) else len(size),)
    if fields.get("dtype") not in (None, *FLOATS, *INTEGERS):
        raise ValueError(f"actions of type {fields['dtype']}")
    return kind(**fields)


def _bounds(values: np.ndarray, bounded: np.ndarray) -> tuple[Any, ...]:
    return tuple(x if there else None for x, there in zip(values.ravel().tolist(), bounded.ravel(), strict=True))


def _numbers(values: np.ndarray) -> tuple[int, ...]:
    return tuple(map(int, values.ravel()))


def _counted(choices: np.ndarray, start: Any, dtype: str | None) -> np.ndarray:
    """Return choices [n, ...], which count from 0, as numbers from a start; in a type that holds the sums."""
    kind = np.dtype(dtype or np.int64)
    return choices.astype(kind) + np.array(start, kind)  # what does not fit on the way wraps around, and back
