"""What is sent to an environment is contained in its action space, whatever the space and the policy."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import example, given, settings
from hypothesis import strategies as st

from baselines_ppo.common.failures import DataError
from baselines_ppo.common.policy.actions import Action, action_at, action_from_json, action_of, action_to_json

FLOATS: dict[str, Literal[16, 32, 64]] = {"float16": 16, "float32": 32, "float64": 64}
INTEGERS = ("bool", "int8", "uint8", "int16", "int32", "int64", "uint64")
SHAPES = st.lists(st.integers(1, 3), max_size=3).map(tuple)
FAR = 3.4028e38  # of float32, in which policies act


@st.composite
def float_boxes(draw: Any) -> spaces.Box:
    kind = draw(st.sampled_from([*FLOATS]))
    limit, width = float(np.finfo(kind).max), FLOATS[kind]
    bound = st.floats(-limit, limit, width=width) | st.sampled_from([-limit, limit, 0.0, -0.0, 0.1, -1.0, 1.0])
    shape = draw(SHAPES)
    low, high = (draw(st.lists(bound, min_size=(n := int(np.prod(shape))), max_size=n)) for _ in "ab")
    low, high = np.minimum(low, high).astype(kind), np.maximum(low, high).astype(kind)
    for bounds, nothing in ((low, -np.inf), (high, np.inf)):
        bounds[draw(st.lists(st.booleans(), min_size=n, max_size=n))] = nothing
    return spaces.Box(low.reshape(shape), high.reshape(shape), dtype=np.dtype(kind).type)


@st.composite
def integer_boxes(draw: Any) -> spaces.Box:
    kind = draw(st.sampled_from(INTEGERS))
    least, most = (0, 1) if kind == "bool" else (np.iinfo(kind).min, np.iinfo(kind).max)
    low, high = sorted(draw(st.tuples(*[st.integers(least, most) | st.sampled_from([least, most])] * 2)))
    shape = draw(SHAPES)
    if kind.startswith("int"):  # gymnasium's others have no infinite bounds
        open_ended = draw(st.sampled_from(["", "low", "high", "both"]))
        low = -np.inf if open_ended in ("low", "both") else low
        high = np.inf if open_ended in ("high", "both") else high
    return spaces.Box(low, high, shape, np.dtype(kind).type)


@st.composite
def choices(draw: Any) -> spaces.Space[Any]:
    kind = draw(st.sampled_from(("int8", "uint8", "int32", "int64", "uint64")))
    limits = np.iinfo(kind)
    if draw(st.booleans()):
        size = draw(st.integers(1, 100))
        start = draw(st.integers(limits.min, int(limits.max) - size))
        return spaces.Discrete(size, start=start, dtype=np.dtype(kind).type)
    sizes = np.array(draw(st.lists(st.integers(1, 20), min_size=6, max_size=6)), kind)
    starts = np.array(draw(st.lists(st.integers(limits.min, int(limits.max) - 20), min_size=6, max_size=6)), kind)
    shape = draw(st.sampled_from([(6,), (2, 3), (1, 2, 3)]))
    return spaces.MultiDiscrete(sizes.reshape(shape), dtype=np.dtype(kind).type, start=starts.reshape(shape))


switches = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(spaces.MultiBinary)
any_space = float_boxes() | integer_boxes() | choices() | switches


def drawn(action: Action, seed: int, rows: int = 11) -> np.ndarray:
    """Return policy actions, ordinary and extreme ones, as the distribution gives them."""
    rng, distribution = np.random.default_rng(seed), action.distribution
    output = rng.standard_normal((rows, distribution.network_size)) * 10.0 ** rng.uniform(-3, 3, (rows, 1))
    output[:5] = np.array([[-1.0], [1.0], [0.0], [FAR], [-FAR]])
    log_std = np.zeros(distribution.network_size, np.float32)
    return distribution.mode(distribution.from_network(output.astype(np.float32), {"log_std": log_std}))


@pytest.mark.filterwarnings("error", "ignore:.*precision lowered")
@settings(max_examples=300, deadline=None)
@given(any_space, st.integers(0, 2**32 - 1))
@example(spaces.Box(np.float32(-3.4028235e38), np.float32(1.6327526e38), (), np.float32), 0)  # its middle rounds up
def test_what_is_sent_is_contained_and_the_same_alone_in_a_batch_and_from_a_file(
    space: spaces.Space[Any], seed: int
) -> None:
    action = action_of(space, "X")
    given_by_the_policy = drawn(action, seed)
    sent = action.to_environment(given_by_the_policy)
    assert sent.shape == (len(given_by_the_policy), *(space.shape or ()))
    each = [action_at(action, sent, row) for row in range(len(sent))]
    assert all(space.contains(one) for one in each)
    assert {isinstance(one, np.ndarray) for one in each} == {not isinstance(space, spaces.Discrete)}
    stored = action_from_json(json.loads(json.dumps(action_to_json(action), allow_nan=False)))
    assert stored == action
    for row, one in enumerate(sent):
        assert stored.to_environment(given_by_the_policy[row : row + 1])[0].tobytes() == one.tobytes()


@settings(deadline=None)
@given(float_boxes(), st.integers(0, 2**32 - 1))
def test_a_box_is_reached_in_proportion_and_passes_what_has_no_range(box: spaces.Box, seed: int) -> None:
    """In exact arithmetic, within the rounding of the space's own type."""
    action = action_of(box, "X")
    flat, sent = drawn(action, seed), action.to_environment(drawn(action, seed))
    resolution = np.finfo(str(box.dtype))
    for a, x in zip(flat, sent.reshape(len(flat), -1).tolist(), strict=True):
        for place, (low, high) in enumerate(zip(box.low.ravel().tolist(), box.high.ravel().tolist(), strict=True)):
            got = x[place]
            if not np.isfinite([low, high]).all():
                limit = 65504.0 if box.dtype == np.float16 else np.inf
                expected = min(max(float(a[place]), low, -limit), high, limit)
                assert got == float(np.asarray(expected, box.dtype))
                continue
            share = (Fraction(float(np.clip(a[place], -1, 1))) + 1) / 2
            exact = Fraction(low) + share * (Fraction(high) - Fraction(low))
            slack = 2 * float(resolution.eps) * max(abs(low), abs(high)) + 2 * float(resolution.smallest_subnormal)
            assert abs(float(Fraction(got) / 2 - exact / 2)) <= slack  # halves, as no difference of two overflows


@settings(deadline=None)
@given(integer_boxes(), st.integers(0, 2**32 - 1))
@example(spaces.Box(0, 2**53 + 1, (1,), np.int64), 0)  # half of it is no float64
def test_whole_numbers_are_the_nearest_ones(box: spaces.Box, seed: int) -> None:
    """In exact arithmetic, up to the 53 bits of what is rounded; the bounds themselves are reached exactly."""
    action = action_of(box, "X")
    flat, sent = drawn(action, seed), action.to_environment(drawn(action, seed))
    for a, x in zip(flat, sent.reshape(len(flat), -1).tolist(), strict=True):
        both = (box.bounded_below & box.bounded_above).ravel()
        for place, (low, high) in enumerate(zip(box.low.ravel().tolist(), box.high.ravel().tolist(), strict=True)):
            low, high, got = int(low), int(high), int(x[place])
            if not both[place]:
                assert got == min(max(round(Fraction(float(a[place]))), low), high)
                continue
            share = (Fraction(float(np.clip(a[place], -1, 1))) + 1) / 2
            assert abs(got - (low + share * (high - low))) <= Fraction(1, 2) + Fraction(high - low, 2**52)
            if abs(a[place]) >= 1:
                assert got == (high if a[place] > 0 else low)


@pytest.mark.parametrize("kind", [np.int64, np.uint8])
def test_what_is_not_a_number_is_not_rounded_to_one(kind: type) -> None:
    action = action_of(spaces.Box(0, 10, (2,), kind), "X")
    with pytest.raises(DataError, match="NaN"):
        action.to_environment(np.array([[0.5, np.nan]], np.float32))


OLD = [
    ({"kind": "box", "low": [-2.0, None], "high": [2.0, None]}, [[0.5, 7.0]], [[1.0, 7.0]], np.float32),
    ({"kind": "discrete", "size": 3, "start": 5}, [2], [7], np.int64),
    ({"kind": "multi_discrete", "sizes": [2, 3], "starts": [0, 4]}, [[1, 2]], [[1, 6]], np.int64),
    ({"kind": "multi_binary", "size": 3}, [[1, 0, 1]], [[1, 0, 1]], np.int8),
]


@pytest.mark.parametrize(("stored", "chosen", "expected", "kind"), OLD)
def test_actions_of_the_first_versions_are_read_and_sent_as_they_were(
    stored: dict[str, Any], chosen: list[Any], expected: list[Any], kind: type
) -> None:
    sent = action_from_json(stored).to_environment(np.array(chosen, np.float32 if kind is np.float32 else np.int64))
    assert sent.tolist() == expected
    assert sent.dtype == kind


@pytest.mark.parametrize("kind", ["object", "V99999999999", "complex64", "nothing", 7, ["int8"]])
def test_a_type_from_a_stranger_is_none_of_others(kind: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        action_from_json({"kind": "box", "low": [-1.0], "high": [1.0], "shape": [1], "dtype": kind})
