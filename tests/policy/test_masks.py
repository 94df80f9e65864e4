"""Forbidden actions: how environments say them, that none is ever drawn, and what is left is a distribution."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from gymnasium import spaces

from baselines_ppo.common.policy.actions import action_of
from baselines_ppo.common.policy.arrays import tensorflow_arrays
from baselines_ppo.common.policy.distribution_contract import Distribution
from baselines_ppo.common.policy.distributions import Bernoulli, Categorical, MultiCategorical
from baselines_ppo.common.policy.spaces.masks import encoded_mask, nothing_allowed, random_action
from tests.reference import softmax

XP = tensorflow_arrays()
FOUR, PAIR, SWITCHES = spaces.Discrete(4, start=3), spaces.MultiDiscrete([2, 3]), spaces.MultiBinary(3)
GRID = spaces.MultiDiscrete(np.array([[2, 3], [1, 2]]))
HYBRID = spaces.Dict({"aim": spaces.Box(-1, 1, (2,)), "pick": FOUR, "more": spaces.Tuple((PAIR, SWITCHES))})


def bits(text: str) -> np.ndarray:
    return np.array([int(bit) for bit in text], np.int8)


SAID: list[tuple[spaces.Space[Any], Any, str]] = [
    (FOUR, bits("1010"), "1010"),
    (FOUR, [True, False, True, False], "1010"),
    (FOUR, np.array([1.0, 0.0, 1.0, 0.0]), "1010"),
    (FOUR, None, "1111"),
    (PAIR, (bits("01"), bits("110")), "01110"),
    (PAIR, bits("01110"), "01110"),
    (GRID, ((bits("01"), bits("110")), (bits("1"), bits("10"))), "01110110"),
    (SWITCHES, np.array([0, 1, 2]), "100111"),  # off or on, of each
    (HYBRID, {"pick": bits("0001"), "more": (None, np.array([1, 1, 0]))}, "11111" + "010110" + "0001"),
]


@pytest.mark.parametrize(("space", "said", "expected"), SAID)
def test_what_is_allowed_is_read_in_the_forms_that_spaces_sample_from(
    space: spaces.Space[Any], said: Any, expected: str
) -> None:
    """Parts of a Dict are in the order of its names, as in the space: aim, more, pick."""
    action = action_of(space, "X")
    assert encoded_mask(action, said).tolist() == (bits(expected) > 0).tolist()
    if said is not None:
        space.seed(0)
        space.sample(as_int8(space, said))  # Gymnasium takes it too


def as_int8(space: spaces.Space[Any], said: Any) -> Any:
    """Return a mask with what Gymnasium asks for: int8, and tuples for a MultiDiscrete."""
    if isinstance(said, dict):
        assert isinstance(space, spaces.Dict)
        return {name: as_int8(part, said.get(name)) for name, part in space.spaces.items()}
    if isinstance(said, tuple):
        return tuple(None if part is None else as_int8(space, part) for part in said)
    if isinstance(space, spaces.MultiDiscrete) and len(said) == 5:
        return said[:2], said[2:]
    return None if said is None else np.asarray(said, np.int8)


WRONG: list[tuple[spaces.Space[Any], Any, str]] = [
    (FOUR, bits("101"), r"\(3,\), expected shape \(4,\)"),
    (FOUR, np.array([0, 1, 2, 1]), "2 at .2., expected whole numbers from 0 to 1"),
    (FOUR, "1010", "expected"),
    (PAIR, (bits("01"),), "a tuple of 1 masks, expected 2, one for each choice"),
    (PAIR, (bits("01"), bits("11")), r"\(2,\), expected shape \(3,\)"),
    (SWITCHES, np.array([0, 1, 3]), "from 0 to 2"),
    (HYBRID, {"pock": bits("0001")}, "expected a dict of masks of aim, more, pick"),
    (HYBRID, (None, None), "expected a dict of masks"),
    (spaces.Tuple((FOUR, PAIR)), (bits("1010"),), "a tuple of 1, expected a tuple of 2 masks"),
    (
        spaces.Dict({"hand": spaces.Tuple((FOUR, PAIR))}),
        {"hand": (bits("1010"), bits("11"))},
        r"^part hand: part 2: \(2,\), expected shape \(5,\)",
    ),
]


@pytest.mark.parametrize(("space", "said", "words"), WRONG)
def test_a_mask_that_does_not_fit_is_an_error(space: spaces.Space[Any], said: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        encoded_mask(action_of(space, "X"), said)


def test_where_nothing_is_allowed_the_first_such_row_and_choice_are_named() -> None:
    pair = action_of(PAIR, "X")
    rows = np.stack([bits("01110"), bits("10000"), bits("00000")])
    assert nothing_allowed(pair, rows) == (1, "the action_mask allows nothing for choice 2 of 2")
    assert nothing_allowed(pair, rows[:1]) is None
    assert nothing_allowed(action_of(FOUR, "X"), np.zeros((2, 4))) == (0, "the action_mask allows nothing")
    assert nothing_allowed(action_of(SWITCHES, "X"), encoded_mask(action_of(SWITCHES, "X"), bits("010"))[None]) is None


# A distribution, logits, what is allowed, and what is left of each choice, by its places among the logits.
Case = tuple[Distribution, np.ndarray, np.ndarray, list[list[int]]]
LIMITED: list[Case] = [
    (Categorical(4), np.array([0.3, 2.0, -1.0, 7.0]), bits("1010"), [[0, 2]]),
    (Categorical(3), np.array([0.3, 2.0, -1.0]), bits("001"), [[2]]),
    (MultiCategorical((2, 3)), np.array([1.0, 0.5, 0.2, -3.0, 4.0]), bits("11110"), [[0, 1], [2, 3]]),
]


@pytest.mark.parametrize(("distribution", "logits", "allowed", "left"), LIMITED)
def test_entropy_and_kl_are_those_of_the_allowed_alternatives(
    distribution: Distribution, logits: np.ndarray, allowed: np.ndarray, left: list[list[int]]
) -> None:
    """By the definition: sums over what is left, whose probabilities are the softmax of its own logits."""
    other = np.roll(logits, 1)
    p, q = ([softmax(x[places]) for places in left] for x in (logits, other))
    entropy = -sum(float((one * np.log(one)).sum()) for one in p)
    kl = sum(float((one * np.log(one / two)).sum()) for one, two in zip(p, q, strict=True))
    for xp in (np, XP):
        as_given = [xp.asarray(np.float32(x)[None], np.float32) for x in (logits, other)]
        ours, theirs = (distribution.forbid(xp, x, allowed[None] > 0) for x in as_given)
        np.testing.assert_allclose(np.asarray(distribution.entropy(xp, ours)), [entropy], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(np.asarray(distribution.kl(xp, ours, theirs)), [kl], rtol=1e-4, atol=1e-6)


def test_switches_that_must_be_off_or_on_add_nothing_and_the_others_are_as_they_were() -> None:
    logits, other = np.array([[3.0, -2.0, 0.7]], np.float32), np.array([[0.0, 1.0, -0.4]], np.float32)
    allowed = encoded_mask(action_of(SWITCHES, "X"), np.array([0, 1, 2]))[None]
    three, one = Bernoulli(3), Bernoulli(1)
    ours, theirs = (three.forbid(np, x, allowed) for x in (logits, other))
    np.testing.assert_allclose(three.entropy(np, ours), one.entropy(np, logits[:, 2:]), rtol=1e-6)
    np.testing.assert_allclose(three.kl(np, ours, theirs), one.kl(np, logits[:, 2:], other[:, 2:]), rtol=1e-6)
    drawn = three.sample(ours, three.noise(np.random.default_rng(0), 100_000))
    assert not drawn[:, 0].any() and drawn[:, 1].all() and 0 < drawn[:, 2].mean() < 1


@pytest.mark.parametrize(("distribution", "logits", "allowed", "left"), LIMITED)
def test_what_is_forbidden_has_probability_zero_and_is_never_drawn(
    distribution: Distribution, logits: np.ndarray, allowed: np.ndarray, left: list[list[int]]
) -> None:
    """In 200,000 draws, though the forbidden logits are the largest; the others are drawn as often as is stated."""
    params = distribution.forbid(np, np.float32(logits)[None], allowed[None] > 0)
    drawn = distribution.sample(params, distribution.noise(np.random.default_rng(0), 200_000)).reshape(200_000, -1)
    begins = np.cumsum([0, *distribution.choice_sizes])
    for choice, places in enumerate(left):
        frequencies = np.bincount(drawn[:, choice], minlength=distribution.choice_sizes[choice]) / len(drawn)
        expected = np.zeros(distribution.choice_sizes[choice])
        expected[np.array(places) - begins[choice]] = softmax(logits[places])
        assert (frequencies[expected == 0] == 0).all()
        np.testing.assert_allclose(frequencies, expected, atol=4 * 0.5 / np.sqrt(len(drawn)))
    if isinstance(distribution, Categorical):
        each = distribution.log_prob(np, np.repeat(params, distribution.size, 0), np.arange(distribution.size))
        np.testing.assert_array_equal(np.exp(each) == 0, allowed == 0)


@pytest.mark.parametrize(("distribution", "logits", "allowed", "left"), LIMITED)
def test_nothing_is_learned_of_what_is_forbidden(
    distribution: Distribution, logits: np.ndarray, allowed: np.ndarray, left: list[list[int]]
) -> None:
    x = tf.constant(np.float32(logits)[None])
    with tf.GradientTape() as tape:
        tape.watch(x)
        params = distribution.forbid(XP, x, allowed[None] > 0)
        action = distribution.mode(params.numpy())
        total = distribution.log_prob(XP, params, action) + distribution.entropy(XP, params)
        total += distribution.kl(XP, distribution.forbid(XP, tf.zeros_like(x), allowed[None] > 0), params)
    gradient = tape.gradient(total, x).numpy()
    assert np.isfinite(gradient).all() and (gradient[0, allowed == 0] == 0).all()
    free = [places for places in left if len(places) > 1]
    assert all((gradient[0, places] != 0).any() for places in free)


@pytest.mark.parametrize(("space", "said"), [(space, said) for space, said, _ in SAID if not isinstance(said, dict)])
def test_a_random_agent_draws_all_that_is_allowed_and_no_more(space: spaces.Space[Any], said: Any) -> None:
    action, rng = action_of(space, "X"), np.random.default_rng(0)
    space.seed(0)
    drawn = [random_action(space, said, rng) for _ in range(200)]
    assert all(space.contains(one) for one in drawn)
    alternatives = np.unique([np.ravel(one) for one in drawn], axis=0)
    allowed, begins = encoded_mask(action, said), np.cumsum([0, *action.distribution.choice_sizes])
    each = [int(allowed[a:b].sum()) for a, b in itertools.pairwise(begins.tolist())]
    assert [len(set(column)) for column in alternatives.T.tolist()] == each
