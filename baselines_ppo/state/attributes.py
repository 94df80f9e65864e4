"""Attributes that a callback has set on the environments, as they are in a checkpoint's manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from baselines_ppo.common.envs.keywords import names_a_file
from baselines_ppo.common.envs.vec_env import VecEnv
from baselines_ppo.common.failures import LoadError, UsageError
from baselines_ppo.common.files.checkpoint import LARGEST_MANIFEST, Checkpoint
from baselines_ppo.common.screen.numbers import counted

Attributes = Mapping[str, Any]  # by name


def set_attributes(envs: VecEnv, attributes: Attributes, num_envs: int) -> None:
    """Set attributes of this rank's environments; without any, which is usual, nothing is looked at.

    Args:
      num_envs: over all ranks; a checkpoint may hold other values for the episode under way in each.

    Raises:
      UsageError: there is no such attribute, or a checkpoint could not hold all of them.
    """
    if not attributes:
        return
    now = {**envs.attributes, **attributes}
    twice = len(json.dumps(attributes_to_json(now, [now]), indent=1))
    if (length := twice * (num_envs + 1) // 2) > (most := LARGEST_MANIFEST // 2):
        raise UsageError(
            f"set_environments: with {', '.join(attributes)} a checkpoint may have {length:,} characters of attributes "
            f"of {counted(num_envs, 'environment')}, expected at most {most:,}"
        )
    for name, value in attributes.items():
        envs.set_attribute(name, value)


def attributes_to_json(now: Attributes, under_way: Sequence[Attributes]) -> dict[str, Any]:
    """Return what is set now, and what was when the episode under way in each environment began."""
    distinct: list[Attributes] = []
    for own in under_way:
        if own not in distinct:
            distinct.append(own)
    if not now and not any(distinct):
        return {}
    each = [distinct.index(own) for own in under_way]
    return {"attributes": {"now": dict(now), "episodes": [dict(own) for own in distinct], "of_environments": each}}


def stored_attributes(stored: Checkpoint, count: int) -> tuple[Attributes, list[Attributes]]:
    """Return what `attributes_to_json` was given, of so many environments.

    Raises:
      LoadError: it is something else, or may lead to a file.
    """
    found = stored.manifest.get("attributes")
    if found is None:
        return {}, [{}] * count
    try:
        now, episodes = found["now"], found["episodes"]
        under_way = [episodes[index] for index in found["of_environments"]]
        safe = all(isinstance(each, dict) and not names_a_file(each) for each in (now, *episodes))
        if len(under_way) != count or not safe:
            raise ValueError("they are of other environments, or may lead to a file")
    except (LookupError, TypeError, ValueError) as error:
        raise LoadError(f"{stored.path}: its environments' attributes cannot be taken: {error}") from None
    return now, under_way
