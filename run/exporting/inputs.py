"""What an exported agent is given: the arrays of an observation by name, and its memory."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from baselines_ppo.common.policy.observations import (
    BoxObservation,
    Leaf,
    MultiBinaryObservation,
    MultiDiscreteObservation,
    Observation,
    parts_of,
)
from baselines_ppo.common.policy.spaces.images import ImageObservation

OBSERVATION, STATE = "observation", "state"


class Input(NamedTuple):
    """One of the arrays of an observation, as the environment gives it, in a batch [n, *shape]."""

    name: str  # observation, or observation_arm_camera of a part of a Dict
    part: str  # the same as people say it: arm.camera; empty where it is the whole observation
    shape: tuple[int, ...]
    dtype: np.dtype
    leaf: Leaf


def inputs_of(observation: Observation) -> list[Input]:
    """Return the arrays that an observation consists of, in order."""
    found: dict[str, Input] = {}
    for part in parts_of(observation):
        name = re.sub(r"\W+", "_", f"{OBSERVATION}_{part.name}" if part.name else OBSERVATION, flags=re.ASCII)
        while name in found:  # two names that differ by a sign alone
            name += "_"
        found[name] = Input(name, part.name, _shape(part.leaf), _dtype(part.leaf), part.leaf)
    return list(found.values())


def _shape(leaf: Leaf) -> tuple[int, ...]:
    boxed = BoxObservation | ImageObservation | MultiDiscreteObservation | MultiBinaryObservation
    return leaf.box if isinstance(leaf, boxed) else ()


def _dtype(leaf: Leaf) -> np.dtype:
    """Return the type in which an environment gives it, which for choices and switches is always the same."""
    if isinstance(leaf, BoxObservation | ImageObservation):
        return np.dtype(leaf.dtype)
    return np.dtype(np.int8 if isinstance(leaf, MultiBinaryObservation) else np.int64)
