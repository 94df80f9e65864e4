"""What was written, tried out before it gets its name: it must do what the agent does."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from baselines_ppo.common.policy.actions import as_sent
from baselines_ppo.common.policy.observations import (
    BoxObservation,
    DiscreteObservation,
    Leaf,
    MaskedObservation,
    MultiBinaryObservation,
    seen_in,
)
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.policy.spaces.images import ImageObservation
from baselines_ppo.common.policy.spaces.masks import MASK, encoded_mask
from baselines_ppo.run.exporting.inputs import Input, in_parts, inputs_of, masks_by, seen_by
from baselines_ppo.run.exporting.names import NEXT_STATE, STATE
from baselines_ppo.run.exporting.outputs import parts_of_action

BATCHES = (1, 3)  # rows
STEPS = 2  # in the second one, there is something to remember
CLOSE = 1e-3

Runner = Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]]  # arrays by the names of inputs, and of outputs


def try_out(policy: Policy, runner: Runner) -> None:
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
            chosen, states = policy.mode(policy.normalize(_encoded(policy, given, rows)), states)
            done = runner({**given, STATE: memory} if memory.size else given)
            memory = done.get(NEXT_STATE, memory)
            for part in parts_of_action(action, as_sent(action, action.to_environment(chosen))):
                _compare(done[part.name], part.own)


def _encoded(policy: Policy, given: dict[str, np.ndarray], rows: int) -> np.ndarray:
    """Return what is given by the names of the inputs as the agent's own observations [rows, ...]."""
    space = policy.network.observation
    seen = in_parts(seen_in(space), iter([given[each.input.name] for each in seen_by(space)]))
    observations = seen_in(space).encode(seen, (rows,))
    if not isinstance(space, MaskedObservation):
        return observations
    allowed = given.get(MASK)
    if space.mask is not None:
        mask = in_parts(space.mask, iter([given[each.input.name] for each in masks_by(space)]))
        allowed = encoded_mask(space.action, mask, (rows,))
    return np.concatenate([observations.reshape(rows, -1), allowed], axis=-1)


def _compare(done: np.ndarray, expected: np.ndarray) -> None:
    if (done.shape, done.dtype) != (expected.shape, expected.dtype):
        raise ValueError(f"it gives {done.dtype} {done.shape}, and the agent {expected.dtype} {expected.shape}")
    numbers = done.astype(np.float64), expected.astype(np.float64)
    if not np.allclose(*numbers, rtol=CLOSE, atol=CLOSE):
        raise ValueError(f"it would do {_few(done)}, where the agent does {_few(expected)}")


def _few(actions: np.ndarray) -> str:
    return np.array2string(actions[0], precision=4, threshold=4, edgeitems=2)


def _drawn(policy: Policy, rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    """Return arrays [rows, ...] by the names of the inputs, but for the memory."""
    mean, std = (
        np.atleast_1d(x) for x in (policy.observations.moments.mean, policy.observations.moments.variance**0.5)
    )
    given, begin = {}, 0
    for each, leaf in seen_by(policy.network.observation):
        end = begin + (0 if isinstance(leaf, ImageObservation) else leaf.shape[0])
        numbers = rng.normal(mean[begin:end], std[begin:end], (rows, end - begin))
        given[each.name], begin = _shaped(each, leaf, rng, numbers, rows), end
    masks = [each for each in inputs_of(policy.network) if each.name not in (*given, STATE)]
    return given | {each.name: rng.integers(0, 2, (rows, *each.shape)).astype(each.dtype) for each in masks}


def _shaped(each: Input, leaf: Leaf, rng: np.random.Generator, numbers: np.ndarray, rows: int) -> np.ndarray:
    """Return an array of a space: numbers of a Box, or drawn ones of any other."""
    shape = (rows, *each.shape)
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
