"""Which action spaces are understood, and the way from policy actions to the environment's.

A policy's action is flat; what is sent has the space's own shape and type, and is contained in it. Actions of a Dict or
a Tuple stay flat, numbers of all parts one behind the other, until they are sent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.policy.arrays import ACTING, Array
from baselines_ppo.common.policy.distribution_contract import Distribution
from baselines_ppo.common.policy.distributions import Bernoulli, Categorical, MultiCategorical
from baselines_ppo.common.policy.joint import Joint
from baselines_ppo.common.policy.spaces.box_actions import BoxAction, IntegerBoxAction, shaped, wrapped
from baselines_ppo.common.policy.spaces.unsupported import refusal

FLOATS = ("float16", "float32", "float64")
INTEGERS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


@dataclass(frozen=True)
class DiscreteAction:
    """One of `size` choices, numbered from `start` in the environment."""

    size: int
    start: int
    dtype: str | None = None  # the space's own; None: not known, int64 is sent

    @property
    def distribution(self) -> Distribution:
        return Categorical(self.size)

    def to_environment(self, actions: Array, xp: Any = ACTING) -> Array:
        """Return environment actions [n]."""
        return _counted(xp, actions, wrapped([self.start])[0], self.dtype)


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

    def to_environment(self, actions: Array, xp: Any = ACTING) -> Array:
        """Return environment actions [n, *shape]."""
        return shaped(xp, _counted(xp, actions, wrapped(self.starts), self.dtype), self.shape)


@dataclass(frozen=True)
class MultiBinaryAction:
    """`size` switches, each on or off."""

    size: int
    shape: tuple[int, ...]

    @property
    def distribution(self) -> Distribution:
        return Bernoulli(self.size)

    def to_environment(self, actions: Array, xp: Any = ACTING) -> Array:
        """Return environment actions [n, *shape]."""
        return shaped(xp, xp.asarray(actions, np.dtype(np.int8)), self.shape)


@dataclass(frozen=True)
class GroupAction:
    """A Dict (by name) or a Tuple of actions, drawn each by itself."""

    names: tuple[str, ...] | None  # None: a Tuple
    parts: tuple[Action, ...]

    @cached_property
    def distribution(self) -> Joint:
        return Joint(tuple(part.distribution for part in self.parts))

    def joined(self, given: Sequence[Any], encode: Callable[[Action, Any], np.ndarray]) -> np.ndarray:
        """Return what is made of each part's own, one behind the other in the last axis.

        Raises:
          ValueError: that of `encode`, with the part's name, or its number from 1.
        """
        encoded = []
        for label, part, own in zip(self.names or range(1, len(self.parts) + 1), self.parts, given, strict=True):
            try:
                encoded.append(encode(part, own))
            except ValueError as error:
                raise ValueError(f"part {label}: {error}") from None
        return np.concatenate(encoded, axis=-1)

    def to_environment(self, actions: np.ndarray) -> np.ndarray:
        """Return actions [n, A] as they are; `as_sent` takes them apart."""
        return actions

    def apart(self, actions: np.ndarray) -> list[np.ndarray]:
        """Return the environment actions [n, ...] of each part."""
        drawn = zip(self.parts, self.distribution.apart(np, actions), strict=True)
        return [part.to_environment(own) for part, own in drawn]


Single = BoxAction | IntegerBoxAction | DiscreteAction | MultiDiscreteAction | MultiBinaryAction
Action = Single | GroupAction

KINDS: dict[str, type[Single]] = {
    "box": BoxAction,
    "integer_box": IntegerBoxAction,
    "discrete": DiscreteAction,
    "multi_discrete": MultiDiscreteAction,
    "multi_binary": MultiBinaryAction,
}


def as_sent(action: Action, actions: np.ndarray) -> Any:
    """Return environment actions [n, ...] as n environments together take them: of a Dict or a Tuple, part by part."""
    if not isinstance(action, GroupAction):
        return actions
    parts = tuple(as_sent(part, own) for part, own in zip(action.parts, action.apart(actions), strict=True))
    return parts if action.names is None else dict(zip(action.names, parts, strict=True))


def action_at(action: Action, sent: Any, row: int) -> Any:
    """Return one of n actions `as_sent`, as its space has it: of a Discrete a number, of other leaves an array."""
    if isinstance(action, GroupAction):
        keys = range(len(action.parts)) if action.names is None else action.names
        parts = {key: action_at(part, sent[key], row) for key, part in zip(keys, action.parts, strict=True)}
        return tuple(parts.values()) if action.names is None else parts
    return sent[row] if isinstance(action, DiscreteAction) else sent[row, ...]  # which is an array even of ()


def one_of(action: Action, actions: np.ndarray, row: int) -> Any:
    """Return one of environment actions [n, ...], as its space has it."""
    return action_at(action, as_sent(action, actions), row)


def action_of(space: Any, env_id: str) -> Action:
    """Return our description of an action space.

    Raises:
      UsageError: the space, or one within it, is of another kind, or there is nothing to choose.
    """
    return _described(space, f"environment {env_id} has the action space {space}")


def _described(space: Any, refused: str) -> Action:
    from gymnasium import spaces  # an agent acts without Gymnasium

    if isinstance(space, spaces.Dict | spaces.Tuple):
        named = dict(space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces))
        if not named:
            raise UsageError(f"{refused}, in which there is nothing to choose; give it at least one part")
        parts = tuple(_described(part, refused) for part in named.values())
        if not isinstance(space, spaces.Dict):
            return GroupAction(None, parts)
        if not all(isinstance(name, str) for name in named):
            raise UsageError(f"{refused}; name its parts by strings")
        return GroupAction(tuple(map(str, named)), parts)
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
    if isinstance(space, spaces.Box):
        raise UsageError(f"{refused}; numbers of type {dtype} are not supported, give it another dtype")
    raise UsageError(f"{refused}; {refusal(space)}")


def action_to_json(action: Action) -> dict[str, Any]:
    """Return the action as strict JSON; `action_from_json` is its inverse."""
    if isinstance(action, GroupAction):
        parts = [action_to_json(part) for part in action.parts]
        return {"kind": "group", "names": action.names and list(action.names), "parts": parts}
    return {"kind": next(kind for kind, cls in KINDS.items() if type(action) is cls), **asdict(action)}


def action_from_json(data: dict[str, Any]) -> Action:
    """Return the action that `action_to_json` wrote.

    Raises:
      Exception: it is none; a file from a stranger may be wrong in any way.
    """
    if data["kind"] == "group":
        names, parts = data["names"], tuple(action_from_json(part) for part in data["parts"])
        if not parts or (names is not None and len(set(map(str, names))) != len(parts)):
            raise ValueError(f"{len(parts)} actions named {names}")
        return GroupAction(None if names is None else tuple(map(str, names)), parts)
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


def _counted(xp: Any, choices: Array, start: Any, dtype: str | None) -> Array:
    """Return choices [n, ...], which count from 0, as numbers from a start; their sums may wrap around, and back."""
    return xp.asarray(choices + start, np.dtype(dtype or np.int64))
