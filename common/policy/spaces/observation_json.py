"""Descriptions of observations as strict JSON, as agents keep them, and back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from baselines_ppo.common.policy.actions import action_from_json, action_to_json
from baselines_ppo.common.policy.observations import MaskedObservation, Observation
from baselines_ppo.common.policy.spaces.images import ImageObservation
from baselines_ppo.common.policy.spaces.vectors import (
    BoxObservation,
    DiscreteObservation,
    GroupObservation,
    Leaf,
    MultiBinaryObservation,
    MultiDiscreteObservation,
    Seen,
)


def observation_to_json(observation: Observation) -> dict[str, Any]:
    """Return the observation as strict JSON; `observation_from_json` is its inverse, up to limits."""
    if isinstance(observation, MaskedObservation):
        seen, action = observation_to_json(observation.seen), action_to_json(observation.action)
        mask = None if observation.mask is None else observation_to_json(observation.mask)
        return {"kind": "masked", "seen": seen, "action": action, "name": observation.name, "mask": mask}
    if isinstance(observation, GroupObservation):
        parts = [observation_to_json(part) for part in observation.parts]
        return {"kind": "group", "names": observation.names and list(observation.names), "parts": parts}
    kind = next(kind for kind, cls in KINDS.items() if type(observation) is cls)
    stored = {item.name: getattr(observation, item.name) for item in fields(observation) if item.compare}
    return {"kind": kind, **stored}


def observation_from_json(data: dict[str, Any]) -> Observation:
    """Return the observation that `observation_to_json` wrote.

    Raises:
      Exception: it is none; a file from a stranger may be wrong in any way.
    """
    if data["kind"] == "masked":
        action, name = action_from_json(data["action"]), data["name"]
        if not action.distribution.choice_sizes:
            raise ValueError("masks of an action without choices")
        mask = None if data.get("mask") is None else _seen_from_json(data["mask"])
        return MaskedObservation(_seen_from_json(data["seen"]), action, None if name is None else str(name), mask)
    return _seen_from_json(data)


def _seen_from_json(data: dict[str, Any]) -> Seen:
    if data["kind"] == "group":
        names = None if data["names"] is None else tuple(map(str, data["names"]))
        return GroupObservation(names, tuple(_seen_from_json(part) for part in data["parts"]))
    if "channels_first" in data:  # an image as it was written at first
        height, width, channels = map(int, data["image"])
        first = bool(data["channels_first"])
        box = (channels, height, width) if first else (height, width, channels)
        return ImageObservation(box, int(first), said=False)
    known: dict[str, Any] = {name: tuple(x) if isinstance(x, list) else x for name, x in data.items() if name != "kind"}
    return KINDS[data["kind"]](**known)


KINDS: dict[str, type[Leaf]] = {
    "box": BoxObservation,
    "image": ImageObservation,
    "discrete": DiscreteObservation,
    "multi_discrete": MultiDiscreteObservation,
    "multi_binary": MultiBinaryObservation,
}
