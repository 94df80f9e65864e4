"""Demonstrations: episodes that somebody has played, and the file of arrays that `record` writes of them.

The file is an npz of plain arrays, all episodes one behind the other. `about` is JSON, as bytes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.common.failures import LoadError, UsageError, short
from baselines_ppo.common.files import npz, strict_json
from baselines_ppo.common.files.checkpoint import LARGEST_ARRAYS, read_regular
from baselines_ppo.common.files.whole import write_whole
from baselines_ppo.common.policy.actions import Action, action_from_json

FORMAT = 1
KIND = "demonstrations"
ABOUT, REWARDS, TERMINATIONS, TRUNCATIONS = "about", "rewards", "terminations", "truncations"
OBSERVATIONS, ACTIONS = "observations", "actions"
SUFFIX = ".npz"
CURE = "give one that `record AGENT --out episodes.npz` wrote, or minari:ID"


class Demonstration(NamedTuple):
    """One episode of L steps; of a Dict or Tuple space, arrays are nested as the space is."""

    observations: Any  # [L + 1, ...] as the environment gave them, the final one last
    actions: Any  # [L, ...] as the environment took them
    rewards: np.ndarray  # [L] float64, raw
    terminated: bool  # by its environment; else it was cut off
    masks: Any = None  # [L + 1, ...] of actions, if they are beside the observations

    @property
    def length(self) -> int:
        """L, steps."""
        return len(self.rewards)


class Demonstrations(NamedTuple):
    """Episodes, and in which environment they were played; None: not known."""

    source: str  # what a user typed to have them
    env_id: str | None
    episodes: list[Demonstration]
    wrappers: tuple[str, ...] | None = None
    env_kwargs: str | None = None  # JSON
    action: Action | None = None  # of the environment


def save(path: Path, episodes: Sequence[Demonstration], about: Mapping[str, Any]) -> None:
    """Write episodes into a file.

    Args:
      about: what else is to be known, as strict JSON: `env`, `wrapper`, `env_kwargs`, `action_space`, and more.

    Raises:
      WriteError: the file cannot be written; nothing is left of it.
      UsageError: two parts of an observation or an action would have one name.
    """
    nested = {name: [getattr(episode, name) for episode in episodes] for name in (OBSERVATIONS, ACTIONS)}
    parts = {name: _structure(given[0]) for name, given in nested.items()}
    said = json.dumps({"format": FORMAT, "kind": KIND, **about, "parts": parts}, allow_nan=False).encode()
    terminated = np.concatenate([np.arange(1, e.length + 1) == e.length * e.terminated for e in episodes])
    truncated = np.concatenate([np.arange(1, e.length + 1) == e.length * (not e.terminated) for e in episodes])
    rewards = np.concatenate([episode.rewards for episode in episodes]).astype(np.float64)
    arrays: dict[str, np.ndarray] = {
        ABOUT: np.frombuffer(said, np.uint8), REWARDS: rewards, TERMINATIONS: terminated, TRUNCATIONS: truncated,
    }  # fmt: skip
    for name, given in nested.items():
        for leaf, _ in _leaves(name, given[0]):
            if leaf in arrays:
                raise UsageError(f"two parts of the {name} are called {leaf}; give one of them another name")
            arrays[leaf] = np.concatenate([dict(_leaves(name, episode))[leaf] for episode in given])
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # whatever it is called
    write_whole(path, buffer.getvalue())


def load(path: Path) -> Demonstrations:
    """Return the episodes of a file that `save` wrote; nothing in it can run code.

    Raises:
      LoadError: it is missing, damaged, of a newer format, or not such a file.
    """
    try:
        arrays = dict(npz.parse(read_regular(path, LARGEST_ARRAYS)))
        about = strict_json.parsed(arrays.pop(ABOUT).tobytes().decode())
        if about["kind"] != KIND or not isinstance(about["format"], int):
            raise ValueError(f"it holds {short(about['kind'])}")
        if about["format"] > FORMAT:
            raise ValueError(f"format {about['format']} is newer than this version reads (<= {FORMAT})")
        wrappers = tuple(map(str, about["wrapper"]))
        episodes = _episodes(arrays, about["parts"])
        action = action_from_json(about["action_space"]) if "action_space" in about else None
        return Demonstrations(str(path), str(about["env"]), episodes, wrappers, str(about["env_kwargs"]), action)
    except OSError as error:
        raise LoadError(f"{short(path)} cannot be read: {error.strerror or short(error)}; {CURE}") from None
    except Exception as error:  # a file from a stranger may be wrong in any way
        kind = "" if type(error) is ValueError else f"{type(error).__name__} "  # ours are sentences
        reason = f"there is no {short(error)}" if isinstance(error, KeyError) else f"{kind}{short(error)}"
        raise LoadError(f"{short(path)} holds no demonstrations ({reason}); {CURE}") from None


def cut(nested: Any, rows: slice) -> Any:
    """Return some rows of arrays that are nested as a space is."""
    if isinstance(nested, dict):
        return {key: cut(part, rows) for key, part in nested.items()}
    if isinstance(nested, tuple):
        return tuple(cut(part, rows) for part in nested)
    return nested[rows]


def stacked(nested: Sequence[Any]) -> Any:
    """Return what a space gave step after step as arrays [L, ...], nested as the space is."""
    first = nested[0]
    if isinstance(first, dict):
        return {key: stacked([each[key] for each in nested]) for key in first}
    if isinstance(first, tuple):
        return tuple(stacked(parts) for parts in zip(*nested, strict=True))
    return np.stack([np.asarray(each) for each in nested])


def _structure(nested: Any) -> Any:
    """Return how arrays are nested, as JSON: names of a Dict's parts, a list for a Tuple, null for an array."""
    if isinstance(nested, dict):
        return {str(key): _structure(part) for key, part in nested.items()}
    return [_structure(part) for part in nested] if isinstance(nested, tuple) else None


def _leaves(name: str, nested: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the arrays of a nested space by their names in the file, such as observations/arm/angles."""
    if not isinstance(nested, dict | tuple):
        yield name, nested
        return
    for key, part in nested.items() if isinstance(nested, dict) else enumerate(nested):
        yield from _leaves(f"{name}/{key}", part)


def _nested(name: str, structure: Any, arrays: dict[str, np.ndarray], rows: int) -> Any:
    """Return the arrays of a space, nested as it is, and take them out of `arrays`; each must have so many rows."""
    if isinstance(structure, dict):
        return {key: _nested(f"{name}/{key}", part, arrays, rows) for key, part in structure.items()}
    if isinstance(structure, list):
        return tuple(_nested(f"{name}/{k}", part, arrays, rows) for k, part in enumerate(structure))
    array = arrays.pop(name)
    if structure is not None or array.ndim < 1 or len(array) != rows:
        raise ValueError(f"{name} has the shape {array.shape}, expected {rows} rows")
    return array


def _episodes(arrays: dict[str, np.ndarray], parts: dict[str, Any]) -> list[Demonstration]:
    """Return the episodes that lie one behind the other in arrays, which must hold nothing else."""
    rewards, terminations, truncations = (arrays.pop(name) for name in (REWARDS, TERMINATIONS, TRUNCATIONS))
    per_step = [(rewards, "float64"), (terminations, "bool"), (truncations, "bool")]
    if any(x.dtype != kind or x.shape != (len(rewards),) for x, kind in per_step):
        raise ValueError("rewards, terminations and truncations are not one number for each step")
    ends = np.flatnonzero(terminations | truncations) + 1
    if not len(ends) or ends[-1] != len(rewards):
        raise ValueError("its last episode does not end")
    observations = _nested(OBSERVATIONS, parts[OBSERVATIONS], arrays, len(rewards) + len(ends))
    actions = _nested(ACTIONS, parts[ACTIONS], arrays, len(rewards))
    if arrays:
        raise ValueError(f"there is {next(iter(arrays))} beside the episodes")
    episodes = []
    for number, (begin, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        seen = cut(observations, slice(begin + number, end + number + 1))
        done = bool(terminations[end - 1])
        episodes.append(Demonstration(seen, cut(actions, slice(begin, end)), rewards[begin:end], done))
    return episodes
