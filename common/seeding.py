"""Random streams keyed by (seed, purpose, keys): the number of ranks cannot change them.

Only GLOBAL is keyed by rank: what environments draw from the streams that all of a process share.

A stream is made when it is needed and leaves no state behind, so a checkpoint has no generator to store.
"""

from __future__ import annotations

import enum

import numpy as np


class Purpose(enum.IntEnum):
    """What a stream is for; each value is part of the key, so they must never be renumbered."""

    PARAMETERS = 0
    EPISODE = 1
    ACTION = 2
    SHUFFLE = 3
    EVALUATION = 4
    MAKING = 5  # what an environment draws from global streams while it is made
    GLOBAL = 6  # these streams themselves, by rank
    MEASURING = 7  # episodes that a training plays on the way, to measure its policy
    CLONING = 8  # which demonstrations are held out, and the order of the others
    OWN = 1000  # whatever an algorithm that is not of this package draws


def generator(seed: int, purpose: Purpose, *keys: int) -> np.random.Generator:
    """Return the generator of one purpose, such as (ACTION, environment index, iteration)."""
    return np.random.default_rng(np.random.SeedSequence([seed, int(purpose), *keys]))


def episode_seed(seed: int, environment: int, episode: int, purpose: Purpose = Purpose.EPISODE) -> int:
    """Return the seed, below 2^31, with which an environment begins its episode of this number."""
    sequence = np.random.SeedSequence([seed, int(purpose), environment, episode])
    return int(sequence.generate_state(1)[0]) >> 1  # some environments take signed 32-bit seeds only
