"""The state of a random generator as an array, and back."""

from __future__ import annotations

from typing import Any

import numpy as np


def words_of(generator: np.random.Generator) -> np.ndarray:
    """Return the state of a PCG64 generator as six words of 64 bits."""
    state: Any = generator.bit_generator.state
    long = (state["state"]["state"], state["state"]["inc"])
    halves = [half for number in long for half in (number >> 64, number & (1 << 64) - 1)]
    return np.array([*halves, state["has_uint32"], state["uinteger"]], dtype=np.uint64)


def set_words(generator: np.random.Generator, words: np.ndarray) -> None:
    """Set the state that `words_of` returned."""
    high, low, high_increment, low_increment, has_half, half = map(int, words)
    generator.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": high << 64 | low, "inc": high_increment << 64 | low_increment},
        "has_uint32": has_half,
        "uinteger": half,
    }
