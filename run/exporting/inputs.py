"""What an exported agent is given: the arrays of an observation by name, masks of its actions, and its memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.observations import (
    BoxObservation,
    GroupObservation,
    Leaf,
    MaskedObservation,
    MultiBinaryObservation,
    MultiDiscreteObservation,
    Observation,
    parts_of,
    seen_in,
)
from baselines_ppo.common.policy.spaces.images import ImageObservation
from baselines_ppo.common.policy.spaces.masks import MASK
from baselines_ppo.common.policy.spaces.vectors import Seen
from baselines_ppo.run.exporting.names import OBSERVATION, STATE, suffixes


class Input(NamedTuple):
    """An array that is given in a batch [n, *shape]."""

    name: str  # observation, or observation_arm_camera of a part of a Dict
    part: str | None  # the same as people say it: arm.camera; empty where it is the whole observation, None beside one
    shape: tuple[int, ...]
    dtype: np.dtype


class Seeing(NamedTuple):
    """One of the arrays of an observation, as the environment gives it."""

    input: Input
    leaf: Leaf


def seen_by(observation: Observation) -> list[Seeing]:
    """Return the arrays that networks see of an observation, in order."""
    return _arrays(observation)[0]


def masks_by(observation: Observation) -> list[Seeing]:
    """Return the arrays of the mask that is a part of an observation, in order."""
    return _arrays(observation)[1]


def inputs_of(network: ActorCritic) -> list[Input]:
    """Return all that a policy is given: what is seen, what is allowed, and what it remembers."""
    observation, size = network.observation, network.policy_state_size
    given = [each.input for arrays in _arrays(observation) for each in arrays]
    if isinstance(observation, MaskedObservation) and observation.mask is None:
        given.append(Input(MASK, None, (observation.mask_size,), np.dtype(np.int8)))
    return [*given, Input(STATE, None, (size,), np.dtype(np.float32))] if size else given


def in_parts(space: Seen, arrays: Iterator[Any]) -> Any:
    """Return arrays, in the order of the inputs, as the environment has them: in a dict, in a tuple, or one alone."""
    if not isinstance(space, GroupObservation):
        return next(arrays)
    parts = [in_parts(part, arrays) for part in space.parts]
    return tuple(parts) if space.names is None else dict(zip(space.names, parts, strict=True))


def _arrays(observation: Observation) -> tuple[list[Seeing], list[Seeing]]:
    """Return what is seen, and the mask if it is a part of the observation."""
    if isinstance(observation, MaskedObservation) and observation.mask is not None:
        seen, masks = parts_of(observation.seen, observation.name or ""), list(parts_of(observation.mask, MASK))
    else:
        seen, masks = parts_of(seen_in(observation)), []
    parts = [*seen, *masks]
    named = zip(suffixes(part.name for part in parts), parts, strict=True)
    arrays = [Seeing(_input(f"{OBSERVATION}{suffix}", part.name, part.leaf), part.leaf) for suffix, part in named]
    count = len(parts) - len(masks)
    return arrays[:count], arrays[count:]


def _input(name: str, part: str, leaf: Leaf) -> Input:
    boxed = BoxObservation | ImageObservation | MultiDiscreteObservation | MultiBinaryObservation
    return Input(name, part, leaf.box if isinstance(leaf, boxed) else (), _dtype(leaf))


def _dtype(leaf: Leaf) -> np.dtype:
    """Return the type in which an environment gives it, which for choices and switches is always the same."""
    if isinstance(leaf, BoxObservation | ImageObservation):
        return np.dtype(leaf.dtype)
    return np.dtype(np.int8 if isinstance(leaf, MultiBinaryObservation) else np.int64)
