"""What was written, tried out before it gets its name: it must do what the agent does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from baselines_ppo.common.policy.observations import (
    BoxObservation,
    DiscreteObservation,
    GroupObservation,
    MultiBinaryObservation,
    Observation,
)
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.policy.spaces.images import ImageObservation
from baselines_ppo.run.exporting.inputs import STATE, Input, inputs_of
from baselines_ppo.run.exporting.whole_policy import ACTION, NEXT_STATE

BATCHES = (1, 3)  # rows
STEPS = 2  # in the second one, there is something to remember
CLOSE = 1e-3

Written = Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]]  # arrays by the names of inputs, and of outputs


def try_out(policy: Policy, written: Written) -> None:
    """Check that what was written does what the policy does, with a few observations like those of its training.

    Raises:
      ValueError: it does something else.
    """
    rng, action = np.random.default_rng(0), policy.network.action
    for rows in BATCHES:
        states = policy.initial_states(rows)
        memory = states[:, : policy.network.policy_state_size]
        for _ in range(STEPS):
            given = _drawn(policy, rng, rows)
            observations = policy.network.observation.encode(
                _grouped(policy.network.observation, iter(given.values())), (rows,)
            )
            chosen, states = policy.mode(policy.normalize(observations), states)
            done = written({**given, STATE: memory} if memory.size else given)
            memory, expected = done.get(NEXT_STATE, memory), action.to_environment(chosen)
            _compare(done[ACTION], expected)


def _compare(done: np.ndarray, expected: np.ndarray) -> None:
    if (done.shape, done.dtype) != (expected.shape, expected.dtype):
        raise ValueError(f"it gives {done.dtype} {done.shape}, and the agent {expected.dtype} {expected.shape}")
    numbers = done.astype(np.float64), expected.astype(np.float64)
    if not np.allclose(*numbers, rtol=CLOSE, atol=CLOSE):
        raise ValueError(f"it would do {_few(done)}, where the agent does {_few(expected)}")


def _few(actions: np.ndarray) -> str:
    return np.array2string(actions[0], precision=4, threshold=4, edgeitems=2)


def _drawn(policy: Policy, rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    """Return arrays [rows, ...] by the names of the inputs."""
    mean, std = (
        np.atleast_1d(x) for x in (policy.observations.moments.mean, policy.observations.moments.variance**0.5)
    )
    given, begin = {}, 0
    for each in inputs_of(policy.network.observation):
        end = begin + (0 if isinstance(each.leaf, ImageObservation) else each.leaf.shape[0])
        numbers = rng.normal(mean[begin:end], std[begin:end], (rows, end - begin))
        given[each.name], begin = _shaped(each, rng, numbers, rows), end
    return given


def _shaped(each: Input, rng: np.random.Generator, numbers: np.ndarray, rows: int) -> np.ndarray:
    """Return an array of a space: numbers of a Box, or drawn ones of any other."""
    leaf, shape = each.leaf, (rows, *each.shape)
    if isinstance(leaf, BoxObservation):
        if each.dtype.kind in "iu":
            limits = np.iinfo(each.dtype)
            numbers = np.clip(np.rint(numbers), float(limits.min) / 2, float(limits.max) / 2)
        return (numbers > 0 if each.dtype == bool else numbers.astype(each.dtype)).reshape(shape)
    if isinstance(leaf, ImageObservation):
        return rng.uniform(leaf.low, leaf.high, shape).astype(each.dtype)
    if isinstance(leaf, MultiBinaryObservation):
        return rng.integers(0, 2, shape, each.dtype)
    sizes, starts = (leaf.size, leaf.start) if isinstance(leaf, DiscreteObservation) else (leaf.sizes, leaf.starts)
    drawn = rng.integers(0, sizes, (rows, *np.shape(sizes))) + np.array(starts)
    return drawn.reshape(shape).astype(each.dtype)


def _grouped(space: Observation, arrays: Iterator[np.ndarray]) -> Any:
    """Return arrays, in the order of the inputs, as the environment would give them."""
    if not isinstance(space, GroupObservation):
        return next(arrays)
    parts = [_grouped(part, arrays) for part in space.parts]
    return tuple(parts) if space.names is None else dict(zip(space.names, parts, strict=True))
