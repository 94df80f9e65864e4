"""What an environment needs so that an episode depends on its seed alone, and its own states of global streams."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Treatment(NamedTuple):
    """What was found out about an environment, and how it is treated."""

    streams: tuple[str, ...] = ()  # global ones that it draws from: each environment gets a state of its own of them
    warm: bool = False  # its first episode differs from all others: it is begun once before it is used
    fresh: bool = False  # it remembers earlier episodes: each episode gets an environment that is newly made
    repeats: bool = True  # so treated, an episode is the same whenever it begins with the same seed
    masks: bool = False  # it says in the info of reset and step which actions are allowed


AS_USUAL = Treatment()


class Stream(NamedTuple):
    """A random stream that a whole process shares."""

    get: Callable[[], Any]
    set: Callable[[Any], None]
    seeded: Callable[[int], Any]  # from a seed below 2^32, the state in which the stream begins


STREAMS = {
    "random": Stream(random.getstate, random.setstate, lambda seed: random.Random(seed).getstate()),
    "numpy.random": Stream(
        np.random.get_state, np.random.set_state, lambda seed: np.random.RandomState(seed).get_state()
    ),
}


class OwnStreams:
    """One environment's own states of global streams, in force while this is entered."""

    def __init__(self, names: tuple[str, ...], seed: int) -> None:
        self._streams = {name: STREAMS[name] for name in names}
        self.drawn: set[str] = set()  # names of those that anything was drawn from
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Begin the streams anew."""
        self._states = {name: stream.seeded(seed) for name, stream in self._streams.items()}

    def __enter__(self) -> None:
        self._outside = {name: stream.get() for name, stream in self._streams.items()}
        for name, stream in self._streams.items():
            stream.set(self._states[name])

    def __exit__(self, *error: object) -> None:
        for name, stream in self._streams.items():
            state = stream.get()
            if not _same(state, self._states[name]):
                self.drawn.add(name)
            self._states[name] = state
            stream.set(self._outside[name])


def seed_global_streams(seed: int) -> None:
    """Begin the process's own streams, so that what draws from them unnoticed repeats on as many ranks at least."""
    for stream in STREAMS.values():
        stream.set(stream.seeded(seed))


def treatment_from_json(data: Any) -> Treatment | None:
    """Return the treatment that `Treatment._asdict` became in a file, or None where it is none."""
    if not isinstance(data, dict) or set(data) | {"masks"} != set(Treatment._fields):  # of before there were masks
        return None
    streams, *switches = (data.get(name, False) for name in Treatment._fields)
    if not isinstance(streams, list) or not all(isinstance(name, str) and name in STREAMS for name in streams):
        return None
    return Treatment(tuple(streams), *switches) if all(isinstance(x, bool) for x in switches) else None


def _same(one: Any, other: Any) -> bool:
    """Return whether two states are equal, tuples that may hold an array."""
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, tuple) and any(isinstance(part, np.ndarray) for part in one):
        return all(_same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)
