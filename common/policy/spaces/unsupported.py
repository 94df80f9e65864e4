"""Spaces that no network here takes, and what a wrapper can give in their place."""

from __future__ import annotations

from typing import Any

SUPPORTED = "Box, Discrete, MultiDiscrete, MultiBinary, and Dict and Tuple of these"
INSTEAD = {
    "Text": "a MultiDiscrete of a fixed length, with a number for each character",
    "Sequence": "a Box of a fixed length, padded with zeros",
    "Graph": "a Box for the nodes and one for the edges, each of a fixed size and padded with zeros",
    "OneOf": "a Dict of all its parts, with a Discrete that says which one counts",
}


def refusal(space: Any) -> str:
    """Return in words why a space is not supported, and what to do."""
    kind = type(space).__name__
    cure = f"; let a wrapper make it {INSTEAD[kind]}" if kind in INSTEAD else ""
    return f"{kind} is none of {SUPPORTED}, which are supported{cure}"
