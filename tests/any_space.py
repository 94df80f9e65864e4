"""Observation spaces of every kind, and observations within them and outside, for Hypothesis to draw."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

FLOATS = (np.float16, np.float32, np.float64)
WHOLE = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)
NAMES = ("arm", "camera", "odd name", "z")
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, max_side=3)

Space = spaces.Space[Any]


@st.composite
def float_boxes(draw: st.DrawFn) -> Space:
    """Bounds that are infinite, on one side, huge or tiny."""
    dtype, shape = np.dtype(draw(st.sampled_from(FLOATS))), draw(SHAPES)
    largest = float(np.finfo(dtype).max)
    low = draw(st.sampled_from([-np.inf, -largest, -1.0, -1e-7, 0.0, 1.0]))
    high = draw(st.sampled_from([bound for bound in (np.inf, largest, 2.0, 1.0, 1e-7) if bound >= low]))
    return spaces.Box(np.full(shape, low, dtype), np.full(shape, high, dtype), dtype=dtype.type)


@st.composite
def whole_boxes(draw: st.DrawFn) -> Space:
    """Each number with bounds of its own, up to those of the dtype."""
    dtype: Any = np.dtype(draw(st.sampled_from(WHOLE)))
    shape: Any = draw(SHAPES)
    bounds = draw(st.tuples(hnp.arrays(dtype, shape), hnp.arrays(dtype, shape)))
    if draw(st.booleans()):
        bounds = (np.full(shape, np.iinfo(dtype).min, dtype), np.full(shape, np.iinfo(dtype).max, dtype))
    return spaces.Box(np.minimum(*bounds), np.maximum(*bounds), dtype=dtype.type)


@st.composite
def choices(draw: st.DrawFn) -> Space:
    """Discrete with any start, MultiDiscrete and MultiBinary of any shape."""
    kind = draw(st.sampled_from(["discrete", "multi_discrete", "multi_binary"]))
    starts = st.integers(-(10**6), 10**6)
    if kind == "discrete":
        return spaces.Discrete(draw(st.integers(1, 9)), start=draw(starts))
    shape = draw(hnp.array_shapes(max_dims=3, max_side=3))
    if kind == "multi_binary":
        return spaces.MultiBinary(shape)
    sizes = draw(hnp.arrays(np.int64, shape, elements=st.integers(1, 5)))
    return spaces.MultiDiscrete(sizes, start=draw(hnp.arrays(np.int64, shape, elements=starts)))


def nested(leaves: st.SearchStrategy[Space], most: int) -> st.SearchStrategy[Space]:
    """Draw spaces, and Dicts and Tuples of up to so many of them."""
    return st.recursive(
        leaves,
        lambda inner: (
            st.dictionaries(st.sampled_from(NAMES), inner, min_size=1, max_size=3).map(spaces.Dict)
            | st.lists(inner, min_size=1, max_size=3).map(spaces.Tuple)
        ),
        max_leaves=most,
    )


LEAVES = st.one_of(float_boxes(), whole_boxes(), choices())
ANY = nested(LEAVES, 5)


def within(draw: st.DrawFn, space: Space) -> Any:
    """Return an observation that a space contains, finite."""
    if isinstance(space, spaces.Dict):
        return {name: within(draw, part) for name, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(within(draw, part) for part in space.spaces)
    if isinstance(space, spaces.Box) and space.dtype.kind == "f":
        low, high = (None if not np.isfinite(bound) else float(bound) for bound in (space.low.min(), space.high.max()))
        width: Any = space.dtype.itemsize * 8
        elements = st.floats(low, high, width=width, allow_nan=False, allow_infinity=False)
        return draw(hnp.arrays(space.dtype, space.shape, elements=elements))
    if isinstance(space, spaces.Box):
        share = draw(hnp.arrays(np.float64, space.shape, elements=st.floats(0, 1)))
        chosen = [
            min(int(high), int(low) + int(part * (int(high) - int(low))))
            for low, high, part in zip(space.low.ravel(), space.high.ravel(), share.ravel(), strict=True)
        ]
        return np.array(chosen, space.dtype).reshape(space.shape)
    space.seed(draw(st.integers(0, 10**6)))
    return space.sample()


@st.composite
def spaces_and_observations(draw: st.DrawFn) -> tuple[Space, Any]:
    """Return a space and what it contains."""
    space = draw(ANY)
    return space, within(draw, space)


@st.composite
def spaces_and_strangers(draw: st.DrawFn) -> tuple[Space, Any, str]:
    """Return a space with whole numbers, something that is almost in it, and the words for what is not."""
    space = draw(ANY.filter(lambda space: bool(_whole_leaves(space))))
    path, leaf = draw(st.sampled_from(_whole_leaves(space)))
    lowest, highest = _bounds(leaf)
    place = tuple(draw(st.integers(0, size - 1)) for size in lowest.shape)
    low, high = int(lowest[place]), int(highest[place])
    numbers = np.array(within(draw, leaf), object)
    numbers[place] = draw(st.sampled_from([low - 1, high + 1, low + 0.5]))
    least, most, fraction = min(numbers.flat), max(numbers.flat), isinstance(numbers[place], float)
    exact = -(2**63) <= least <= most < 2**63 or 0 <= least <= most < 2**64
    assume(max(-least, most) < 2**50 if fraction else exact)
    given = numbers.astype(np.float64 if fraction else np.int64 if most < 2**63 else np.uint64)
    return space, _replaced(within(draw, space), path, given), str(given[place])


def _whole_leaves(space: Space, path: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Space]]:
    """Return where in a space there are whole numbers."""
    if isinstance(space, spaces.Dict | spaces.Tuple):
        named: Any = space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces)
        return [leaf for name, part in named for leaf in _whole_leaves(part, (*path, name))]
    return [] if isinstance(space, spaces.Box) and space.dtype.kind == "f" else [(path, space)]


def _bounds(leaf: Space) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(leaf, spaces.Box):
        return leaf.low, leaf.high
    if isinstance(leaf, spaces.Discrete):
        return np.array(leaf.start), np.array(leaf.start + leaf.n - 1)
    if isinstance(leaf, spaces.MultiDiscrete):
        return leaf.start, leaf.start + leaf.nvec - 1
    assert isinstance(leaf, spaces.MultiBinary)
    return np.zeros(leaf.shape, np.int8), np.ones(leaf.shape, np.int8)


def _replaced(observation: Any, path: tuple[Any, ...], by: Any) -> Any:
    """Return an observation with another part at a path."""
    if not path:
        return by
    first, *rest = path
    part = _replaced(observation[first], tuple(rest), by)
    if isinstance(observation, dict):
        return {**observation, first: part}
    return (*observation[:first], part, *observation[first + 1 :])
