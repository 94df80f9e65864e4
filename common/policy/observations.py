"""Which observation spaces are understood, and the way from an environment's observations to one array.

Everything becomes a vector [D], parts of a Dict or Tuple one behind the other, images among them; an image alone stays
an image [H, W, C].
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.policy.actions import Action
from baselines_ppo.common.policy.given_arrays import limits_of, named, working_dtype
from baselines_ppo.common.policy.spaces.images import ImageObservation, image_of
from baselines_ppo.common.policy.spaces.masks import MASK, encoded_mask
from baselines_ppo.common.policy.spaces.unsupported import refusal
from baselines_ppo.common.policy.spaces.vectors import (
    BoxObservation,
    DiscreteObservation,
    GroupObservation,
    Leaf,
    MultiBinaryObservation,
    MultiDiscreteObservation,
    Seen,
)

AUTO, IMAGE, VECTOR = "auto", "image", "vector"  # what arrays are taken for: by their bounds, or as the user says


@dataclass(frozen=True)
class MaskedObservation:
    """What is seen, and behind it which actions are allowed: no network sees that, and it is not normalised."""

    seen: Seen
    action: Action  # whose choices the mask limits
    name: str | None  # of what is seen, in a Dict beside the mask; None: all else in that Dict is seen
    mask: Seen | None = None  # as that Dict has it; None: it is given in `info`

    @property
    def shape(self) -> tuple[int, ...]:
        """[D + M]"""
        return (math.prod(self.seen.shape) + self.mask_size,)

    @cached_property
    def mask_size(self) -> int:
        """M, of all alternatives of all choices."""
        return sum(self.action.distribution.choice_sizes)

    @property
    def dtype(self) -> str:
        return self.seen.dtype

    def encode(self, observation: Any, lead: tuple[int, ...] = ()) -> np.ndarray:
        """Return observations with masks in Dicts of [*lead, ...] as vectors [*lead, D + M].

        Raises:
          ValueError: the mask is missing, or it or what is seen does not fit.
        """
        given, mask = self.apart(observation)
        seen = self.seen.encode(given, lead).reshape(*lead, -1)
        try:  # callers say of what is raised that the observation is that
            return np.concatenate([seen, encoded_mask(self.action, mask, lead)], axis=-1)
        except ValueError as error:
            raise type(error)(f"given with an {MASK} that is {error}") from None

    def apart(self, observation: Any) -> tuple[Any, Any]:
        """Return what is seen, and the mask.

        Raises:
          ValueError: the mask is missing, or there are other parts.
        """
        if not self.holds_mask(observation):
            raise ValueError(f"{named(observation)} without an {MASK}, expected a dict with one")
        rest = {str(name): part for name, part in observation.items() if name != MASK}
        if self.name is None:
            return rest, observation[MASK]
        if set(rest) != {self.name}:
            raise ValueError(f"parts {', '.join(rest) or 'none'} beside its {MASK}, expected {self.name}")
        return rest[self.name], observation[MASK]

    def joined(self, seen: Any, mask: Any) -> Any:
        """Return what `apart` takes apart."""
        if self.name is not None:
            return {self.name: seen, MASK: mask}
        return {**seen, MASK: mask} if isinstance(seen, Mapping) else seen

    @staticmethod
    def holds_mask(observation: Any) -> bool:
        """Return whether there is a mask with what is seen."""
        return isinstance(observation, Mapping) and MASK in observation


Observation = Seen | MaskedObservation


class Part(NamedTuple):
    """One of the arrays that an observation is made of, and where it lies in the vector of all."""

    name: str  # such as arm.camera; empty where it is the whole observation
    begin: int
    leaf: Leaf

    @property
    def columns(self) -> slice:
        """Its place in [..., D]."""
        return slice(self.begin, self.begin + math.prod(self.leaf.shape))


def seen_in(observation: Observation) -> Seen:
    """Return what networks see of an observation: all but a mask."""
    return observation.seen if isinstance(observation, MaskedObservation) else observation


def mask_of(observation: Observation) -> slice:
    """Return where the mask lies in the vector [D + M], behind all else; without a mask nowhere, [D]."""
    end = math.prod(observation.shape)
    return slice(end - observation.mask_size if isinstance(observation, MaskedObservation) else end, end)


def parts_of(observation: Observation, name: str = "", begin: int = 0) -> Iterator[Part]:
    """Yield all that is seen of an observation, in order."""
    observation = seen_in(observation)
    if not isinstance(observation, GroupObservation):
        yield Part(name, begin, observation)
        return
    for key, part in zip(observation.keys, observation.parts, strict=True):
        yield from parts_of(part, f"{name}.{key}" if name else key, begin)
        begin += math.prod(part.shape)


class ImagePart(NamedTuple):
    """An image among them; see `Part`."""

    columns: slice
    leaf: ImageObservation


def images_of(observation: Observation) -> list[ImagePart]:
    """Return the images that an observation holds, or is."""
    return [
        ImagePart(part.columns, part.leaf) for part in parts_of(observation) if isinstance(part.leaf, ImageObservation)
    ]


def learned_dtype(observation: Observation) -> np.dtype:
    """Return what observations are kept in until they are normalised or scaled: bytes where there are but images."""
    leaves = [part.leaf for part in parts_of(observation)]
    if all(isinstance(leaf, ImageObservation) and leaf.as_bytes for leaf in leaves):
        return np.dtype(np.uint8)
    return working_dtype(np.dtype(observation.dtype))


def observation_of(
    space: Any,
    env_id: str,
    taken_for: str | Observation = AUTO,
    action: Action | None = None,
    masks_in_info: bool = False,
) -> Observation:
    """Return our description of an observation space.

    Args:
      taken_for: what arrays in it are: auto, image or vector; or the description of such a space that an agent was
        trained on, whose images, vectors and masks are found again: how the space itself has them is returned.
      action: whose masks may be a part of the space; None: a part of that name is seen like any other.
      masks_in_info: whether the environment gives such masks in its info.

    Raises:
      UsageError: the space, or one within it, is of another kind; it has no numbers; no part of it can be an image.
    """
    observation = _masked(space, env_id, taken_for, action, masks_in_info)
    if not math.prod(seen_in(observation).shape):
        raise UsageError(f"environment {env_id} has the observation space {space}, in which there is nothing to see")
    if taken_for == IMAGE and not images_of(observation):
        raise UsageError(
            f"--observations image: environment {env_id} has the observation space {space}, and none of it is an array "
            "of two to four dimensions with bounds; leave the flag out"
        )
    return observation


def _masked(
    space: Any, env_id: str, taken_for: str | Observation, action: Action | None, masks_in_info: bool
) -> Observation:
    """Return the description of a space, with the masks that come with it, unless an agent was trained without."""
    from gymnasium import spaces  # an agent acts without Gymnasium

    inner = seen_in(taken_for) if not isinstance(taken_for, str) else taken_for
    wanted = isinstance(taken_for, str | MaskedObservation)
    if action is None or not action.distribution.choice_sizes or not wanted:
        return _described(space, env_id, inner)
    if isinstance(space, spaces.Dict) and MASK in space.spaces:
        _check_mask(space.spaces[MASK], action, env_id)
        mask = _described(space.spaces[MASK], env_id, VECTOR)
        rest = {name: part for name, part in space.spaces.items() if name != MASK}
        if len(rest) == 1:
            ((name, part),) = rest.items()
            return MaskedObservation(_described(part, env_id, inner), action, str(name), mask)
        return MaskedObservation(_described(spaces.Dict(rest), env_id, inner), action, None, mask)
    if masks_in_info:
        return MaskedObservation(_described(space, env_id, inner), action, "observation")
    return _described(space, env_id, inner)


def _check_mask(space: Any, action: Action, env_id: str) -> None:
    """Check that what a space contains can be masks of an action.

    Raises:
      UsageError: it cannot.
    """
    from gymnasium.vector.utils import create_empty_array

    try:
        encoded_mask(action, create_empty_array(space, n=1), (1,))
    except ValueError as error:
        count = sum(action.distribution.choice_sizes)
        raise UsageError(
            f"environment {env_id} has {MASK} {space} among its observations, which is no mask of its actions, of "
            f"which there are {count} to allow or forbid: {error}; give the part another name if it is not meant as one"
        ) from None


def _described(space: Any, env_id: str, taken_for: str | Seen) -> Seen:
    from gymnasium import spaces  # an agent acts without Gymnasium

    if isinstance(space, spaces.Box):
        return _box(space, taken_for)
    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        try:
            return _states(space)
        except ValueError as error:
            raise UsageError(f"environment {env_id} has the observation space {space}, whose {error}") from None
    if isinstance(space, spaces.MultiBinary):
        return MultiBinaryObservation(tuple(map(int, space.shape)))
    if isinstance(space, spaces.Dict | spaces.Tuple):
        named = dict(space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces))
        parts = (_described(part, env_id, _within(taken_for, str(name))) for name, part in named.items())
        return GroupObservation(tuple(map(str, named)) if isinstance(space, spaces.Dict) else None, tuple(parts))
    raise UsageError(f"environment {env_id} has the observation space {space}; {refusal(space)}")


def _states(space: Any) -> DiscreteObservation | MultiDiscreteObservation:
    from gymnasium import spaces  # an agent acts without Gymnasium

    if isinstance(space, spaces.Discrete):
        return DiscreteObservation(int(space.n), int(space.start))
    sizes, starts = (tuple(map(int, np.ravel(x))) for x in (space.nvec, space.start))
    return MultiDiscreteObservation(tuple(space.shape), sizes, starts)


def _box(space: Any, taken_for: str | Seen) -> BoxObservation | ImageObservation:
    chosen = taken_for == IMAGE or isinstance(taken_for, ImageObservation)
    vector = taken_for == VECTOR or isinstance(taken_for, BoxObservation)
    box, dtype = tuple(map(int, space.shape)), str(space.dtype)
    if isinstance(taken_for, ImageObservation) and not taken_for.said and taken_for.box == box and dtype == "uint8":
        return taken_for
    image = None if vector else image_of(space, chosen)
    return image or BoxObservation(box, dtype, limits_of(space.low, space.high))


def _within(taken_for: str | Seen, name: str) -> str | Seen:
    """Return what a part of this name is taken for."""
    if isinstance(taken_for, str):
        return taken_for
    known = dict(zip(taken_for.keys, taken_for.parts, strict=True)) if isinstance(taken_for, GroupObservation) else {}
    return known.get(name, AUTO)
