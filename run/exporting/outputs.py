"""What an exported agent gives: the action, or its parts by name, and the parameters of the distribution of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from baselines_ppo.common.policy.actions import Action, GroupAction, Single
from baselines_ppo.run.exporting.names import ACTION, suffixes


class ActionPart(NamedTuple):
    """An action, or one of the parts of a Dict or a Tuple of actions."""

    suffix: str  # of its outputs: _arm_hand; empty where it is the whole action
    part: str  # the same as people say it: arm.hand
    action: Single
    own: Any  # what belongs to it of that which was given

    @property
    def name(self) -> str:
        """What the output with the action is called."""
        return f"{ACTION}{self.suffix}"


def parts_of_action(action: Action, given: Any) -> list[ActionPart]:
    """Return the parts of an action, in order.

    Args:
      given: what belongs to the action; of a group a tuple or a dict of what belongs to its parts, as parameters of its
        distribution are, and actions `as_sent`.
    """
    leaves = list(_leaves(action, given, ""))
    named = zip(suffixes(part for part, _, _ in leaves), leaves, strict=True)
    return [ActionPart(suffix, *leaf) for suffix, leaf in named]


def _leaves(action: Action, given: Any, part: str) -> Iterator[tuple[str, Single, Any]]:
    if not isinstance(action, GroupAction):
        yield part, action, given
        return
    keys = range(len(action.parts)) if action.names is None else action.names
    own = given.values() if isinstance(given, dict) else given
    for key, inner, each in zip(keys, action.parts, own, strict=True):
        yield from _leaves(inner, each, f"{part}.{key}" if part else str(key))
