"""Compiled programs: TensorFlow keeps each that it has compiled for ever, so trainings of one process share them."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.networks import NETWORKS

if TYPE_CHECKING:
    from baselines_ppo.common.policy.actor_critic import ActorCritic

KEPT = 32  # the last ones used; each holds the learner that was the first to need it
# Settings that programs are given anew with every call, or that do not concern them.
GIVEN = {
    "learning_rate", "value_learning_rate", "clip_range", "clip_range_schedule", "schedule", "num_epochs",
    "value_epochs", "num_minibatches", "normalize_advantages", "normalize_value_targets", "split_minibatches",
    "recompute_advantages", "entropy_coef",
}  # fmt: skip

_programs: OrderedDict[Hashable, Any] = OrderedDict()


def made_of(config: Any, network: ActorCritic, comm: Comm) -> Hashable:
    """Return what a learner's programs are made of: its settings, its network and the functions that build it.

    None where they are its own, as those that hold a sum over ranks are.
    """
    if comm.size > 1:
        return None
    settings = {name: value for name, value in asdict(config).items() if name not in GIVEN}
    names = {part.name for part in (network.policy_network, network.value_network) if part is not None}
    builders = tuple(NETWORKS[name] for name in sorted(names))
    return type(config), json.dumps([settings, network.to_json()], sort_keys=True), builders


def program(function: Callable[..., Any], parts: Hashable, **options: Any) -> Any:
    """Return a method as a TensorFlow function; for the same parts, that of the first learner which had them.

    The method must depend on its class, its arguments and these parts alone, and change nothing.
    """
    import tensorflow as tf  # as whoever learns has already

    if parts is None:
        return tf.function(function, autograph=False, **options)
    key = (parts, type(getattr(function, "__self__", None)), function.__qualname__, *sorted(options.items()))
    if key not in _programs:
        _programs[key] = tf.function(function, autograph=False, **options)
        if len(_programs) > KEPT:
            _programs.popitem(last=False)
    _programs.move_to_end(key)
    return _programs[key]
