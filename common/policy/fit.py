"""Whether an agent fits an environment, and a network: the one check at every door, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Any

from baselines_ppo.common.failures import LoadError, short
from baselines_ppo.common.policy.actions import Action
from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.networks import NetworkSettings
from baselines_ppo.common.policy.observations import Observation

# How people call what the descriptions of spaces have; others are called as they are.
WORDS = {
    "box": "shape",
    "image": "height, width and channels",
    "size": "number of choices",
    "sizes": "numbers of choices",
    "dtype": "type",
    "names": "parts",
    "parts": "number of parts",
    "channels_first": "channels first",
}
KINDS = {"Group": "Dict or Tuple", "IntegerBox": "Box of whole numbers", "Masked": "with action masks"}  # likewise
BOUNDS = ("low", "high")
FORGETTING = ("mlp", "cnn")  # networks to which the size of an LSTM says nothing


def check_spaces(
    agent: Path, trained_on: str, stored: tuple[Observation, Action], found: tuple[Observation, Action], env_id: str
) -> None:
    """Check that an agent, or a run that goes on, has the observations and actions of an environment.

    Args:
      agent: where it was read from.
      trained_on: the environment of which it has its spaces.

    Raises:
      LoadError: it has others; names what differs.
    """
    if words := difference(stored, found):
        raise LoadError(
            f"{short(agent)} was trained on {short(trained_on)} with other spaces than {env_id} has here: {words}; "
            "give the environment and the wrappers that it was trained with"
        )


def check_network(agent: Path, stored: ActorCritic, here: ActorCritic) -> None:
    """Check that an agent has the networks of a run that is to begin with it.

    Raises:
      LoadError: it has others; names what differs, and the flags that give the agent's.
    """
    words = [*_wiring(stored, here)]
    if not words and stored.layout.shapes == here.layout.shapes:
        return
    alike = stored.value_network in (None, stored.policy_network)
    cure = f"give {_flags(stored)}" if alike else "its networks are of two sizes, which only ppo_kl makes"
    raise LoadError(f"{short(agent)} has another network: {'; '.join(words) or 'other parameters'}; {cure}")


def _wiring(stored: ActorCritic, here: ActorCritic) -> Iterator[str]:
    """Yield what differs between two networks, or pairs of them."""
    if stored.shared != here.shared:
        yield f"policy and value function {_apart(stored)}, here {_apart(here)}"
    yield from _settings("", stored.policy_network, here.policy_network)
    if stored.value_network is not None and here.value_network is not None:
        pairs = ((each.policy_network, each.value_network) for each in (stored, here))
        if any(policy != value for policy, value in pairs):
            yield from _settings("the value function's ", stored.value_network, here.value_network)


def _settings(whose: str, stored: NetworkSettings, here: NetworkSettings) -> Iterator[str]:
    if stored.name != here.name:
        yield f"{whose}network {short(stored.name)}, here {here.name}"
    if stored.hidden_sizes != here.hidden_sizes:
        yield f"{whose}hidden layers {_layers(stored, '-')}, here {_layers(here, '-')}"
    if stored.activation != here.activation:
        yield f"{whose}activation {stored.activation}, here {here.activation}"
    if stored.lstm_size != here.lstm_size and not {stored.name, here.name} <= set(FORGETTING):
        yield f"{whose}LSTM of {stored.lstm_size}, here {here.lstm_size}"


def _flags(network: ActorCritic) -> str:
    """Return the flags that give such a network."""
    settings = network.policy_network
    memory = "" if settings.name in FORGETTING else f" --lstm-size {settings.lstm_size}"
    return (
        f"--network {short(settings.name)} --hidden-sizes {_layers(settings, ',')} --activation {settings.activation}"
        f"{memory} --shared-trunk {str(network.shared).lower()}"
    )


def _layers(settings: NetworkSettings, between: str) -> str:
    return between.join(map(str, settings.hidden_sizes)) or "empty"  # as it is typed


def _apart(network: ActorCritic) -> str:
    return "with one network" if network.shared else "with a network each"


def difference(stored: tuple[Observation, Action], found: tuple[Observation, Action]) -> str | None:
    """Return in words how stored spaces differ from those that are found here; None if they are the same.

    What the stored ones do not say, because an earlier version did not ask for it, is not compared.
    """
    names = ("observation", "action")
    words = [
        word for name, one, other in zip(names, stored, found, strict=True) for word in _differing(name, one, other)
    ]
    return "; ".join(words) or None


def _differing(name: str, stored: Any, found: Any) -> Iterator[str]:
    """Yield what differs between two descriptions of spaces, field by field, and part by part of a group."""
    if type(stored) is not type(found):
        yield f"{name} {_kind(stored)}, here {_kind(found)}"
        return
    known = [field.name for field in fields(stored) if not _unknown(field, stored)]
    pairs = {key: (getattr(stored, key), getattr(found, key)) for key in known}
    differing = [key for key, (theirs, ours) in pairs.items() if theirs != ours]
    if differing and set(differing) <= set(BOUNDS):  # of another number of numbers they are of no use
        yield f"{name} bounds {_bounds(*(zip(*map(_listed, pairs[key]), strict=True) for key in BOUNDS))}"
        return
    for key in differing:
        theirs, ours = pairs[key]
        if key == "seen":
            yield from _differing(name, theirs, ours)
        elif key == "parts" and "names" not in differing and len(theirs) == len(ours):
            names = found.names or range(1, len(theirs) + 1)
            for part, one, other in zip(names, theirs, ours, strict=True):
                yield from _differing(f"{name} part {part}", one, other)
        elif key not in BOUNDS and not (key == "parts" and "names" in differing):
            yield f"{name} {WORDS.get(key, key)} {_said(theirs)}, here {_said(ours)}"


def _unknown(field: Field[Any], stored: Any) -> bool:
    """Return whether a stored description does not say this, because it is of a version that did not ask for it.

    Nor is the action compared to which masks belong: actions are compared by themselves.
    """
    value = getattr(stored, field.name)
    return field.name in ("said", "action") or (field.default is None and value is None)


def _kind(description: Any) -> str:
    kind = type(description).__name__.removesuffix("Observation").removesuffix("Action")
    return KINDS.get(kind, kind)


def _bounds(lows: Iterable[tuple[Any, Any]], highs: Iterable[tuple[Any, Any]]) -> str:
    """Return the first bounds that differ, and where; of pairs of stored and found ones."""
    pairs = [tuple(map(_between, low, high)) for low, high in zip(lows, highs, strict=True)]
    differing = [number for number, (theirs, ours) in enumerate(pairs, 1) if theirs != ours]
    theirs, ours = pairs[differing[0] - 1]
    more = f", and {len(differing) - 1} more differ" if len(differing) > 1 else ""
    return f"{theirs}, here {ours}" + (f" in number {differing[0]}{more}" if len(set(pairs)) > 1 else "")


def _between(low: Any, high: Any) -> str:
    return f"{'-inf' if low is None else _said(low)}..{'inf' if high is None else _said(high)}"


def _listed(bounds: Any) -> tuple[Any, ...]:
    return bounds if isinstance(bounds, tuple) else (bounds,)


def _said(value: Any) -> str:
    """Return a value as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple) and value and is_dataclass(value[0]):
        return str(len(value))
    if isinstance(value, tuple):
        return short(f"[{', '.join(map(_said, value))}]")
    return "none" if value is None else short(value).removesuffix(".0")
