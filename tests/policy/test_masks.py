"""Forbidden actions: how environments say them, that none is ever drawn, and what is left is a distribution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from gymnasium import spaces

from baselines_ppo.common.failures import DataError, UsageError
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.moments import Moments
from baselines_ppo.common.policy.actions import action_of
from baselines_ppo.common.policy.actor_critic import ActorCritic, Inputs
from baselines_ppo.common.policy.arrays import tensorflow_arrays
from baselines_ppo.common.policy.distribution_contract import Distribution
from baselines_ppo.common.policy.distributions import Bernoulli, Categorical, MultiCategorical
from baselines_ppo.common.policy.fit import difference
from baselines_ppo.common.policy.networks import NetworkSettings
from baselines_ppo.common.policy.observations import MaskedObservation, observation_of
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.policy.spaces.masks import encoded_mask, nothing_allowed
from baselines_ppo.common.policy.spaces.observation_json import observation_from_json, observation_to_json
from tests.reference import softmax

XP = tensorflow_arrays()
FOUR, PAIR, SWITCHES = spaces.Discrete(4, start=3), spaces.MultiDiscrete([2, 3]), spaces.MultiBinary(3)
GRID = spaces.MultiDiscrete(np.array([[2, 3], [1, 2]]))
HYBRID = spaces.Dict({"aim": spaces.Box(-1, 1, (2,)), "pick": FOUR, "more": spaces.Tuple((PAIR, SWITCHES))})
BOX = spaces.Box(-1, 1, (3,), np.float32)


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
    begins = np.cumsum([0, *distribution.choices])
    for choice, places in enumerate(left):
        frequencies = np.bincount(drawn[:, choice], minlength=distribution.choices[choice]) / len(drawn)
        expected = np.zeros(distribution.choices[choice])
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


IMAGE = spaces.Box(0, 255, (36, 40, 3), np.uint8)
BOTH = spaces.Dict({"at": BOX, "eye": IMAGE})
SETTINGS = {name: NetworkSettings(name, (8,), "tanh", 4) for name in ("mlp", "cnn", "lstm", "cnn_lstm")}


def policy_of(seen: spaces.Space[Any], acted: spaces.Space[Any], network: str, masks: bool = True) -> Policy:
    action = action_of(acted, "X")
    description = observation_of(seen, "X", action=action, masks_in_info=masks)
    settings = SETTINGS[network]
    wiring = ActorCritic(description, action, settings, None if network != "mlp" else settings)
    rng = np.random.default_rng(0)
    parameters = wiring.initial_parameters(rng, 0.0) + 0.1 * rng.standard_normal(wiring.layout.size, np.float32)
    return Policy(wiring, np.float32(parameters), 10.0)


@pytest.mark.parametrize(
    ("seen", "network"), [(BOX, "mlp"), (BOX, "lstm"), (IMAGE, "cnn"), (BOTH, "cnn"), (IMAGE, "cnn_lstm")]
)
def test_no_network_sees_the_mask_and_learning_gives_the_outputs_of_acting(
    seen: spaces.Space[Any], network: str
) -> None:
    """The same parameters without masks: equal values and states, and equal outputs where all is allowed."""
    masked, plain = (policy_of(seen, FOUR, network, masks) for masks in (True, False))
    assert masked.network.layout == plain.network.layout
    seen.seed(0)
    given = [seen.sample() for _ in range(6)]
    description = masked.network.observation
    assert isinstance(description, MaskedObservation)
    masks = [bits(f"{k % 15 + 1:04b}") for k in range(5)] + [bits("1111")]
    raw = np.stack([description.encode(description.joined(*each)) for each in zip(given, masks, strict=True)])
    other_raw = np.stack([plain.network.observation.encode(one) for one in given])
    numbers = masked.numbers(raw), plain.numbers(other_raw)  # of which there are statistics
    np.testing.assert_array_equal(*(x.reshape(6, -1) for x in numbers))
    for policy in (masked, plain):
        policy.observations.moments = Moments(*(x + 0.7 for x in policy.observations.moments))
    x, y = masked.normalize(raw), plain.normalize(other_raw)
    states, noise = masked.initial_states(6), masked.distribution.noise(np.random.default_rng(1), 6)
    one, other = masked.sample(x, states, noise), plain.sample(y, states, noise)
    np.testing.assert_array_equal(one.states, other.states)
    np.testing.assert_array_equal(masked.values(x, states), plain.values(y, states))
    allowed = np.stack(masks) > 0
    np.testing.assert_array_equal(one.outputs[allowed], other.outputs[allowed])
    assert (one.outputs[~allowed] < -1e29).all() and all(
        row[arm] for row, arm in zip(allowed, one.actions, strict=True)
    )
    inputs = Inputs(x, np.zeros((6, 0), np.float32), np.zeros(6, bool))
    if masked.network.recurrent:
        inputs = Inputs(x[:, None], states, np.zeros((6, 1), bool))
    parts = masked.network.layout.split(tf.constant(masked.parameters))
    params, _ = masked.network.learn(XP, parts, Inputs(*map(tf.constant, inputs)))
    np.testing.assert_allclose(params.numpy().reshape(6, 4), one.outputs, rtol=1e-4, atol=1e-5)


def test_images_with_masks_stay_bytes() -> None:
    policy = policy_of(IMAGE, FOUR, "cnn")
    description = policy.network.observation
    assert isinstance(description, MaskedObservation)
    raw = description.encode(description.joined(IMAGE.sample(), bits("1000")))
    assert raw.dtype == policy.normalize(raw[None]).dtype == np.uint8


def agent_of(seen: spaces.Space[Any], masks: bool) -> Agent:
    return Agent(policy_of(seen, FOUR, "mlp", masks), "X", Path("agent"), {})


def test_an_agent_takes_the_mask_from_the_observation_or_beside_it_alone_and_in_a_batch() -> None:
    within = spaces.Dict({"observation": BOX, "action_mask": spaces.MultiBinary(4)})
    for mask in ("1000", "0100", "0010", "0001"):
        only = [3 + mask.index("1")]
        for agent in (agent_of(BOX, True), agent_of(within, False)):
            assert agent.act(np.ones(3), mask=bits(mask)) == only
            assert agent.act({"observation": np.ones(3), "action_mask": bits(mask)}) == only
            several = agent.act(np.ones((5, 3)), deterministic=False, mask=np.stack([bits(mask)] * 5))
            assert several.tolist() == only * 5


def test_an_agent_says_what_is_wrong_with_a_mask() -> None:
    masked, plain = agent_of(BOX, True), agent_of(BOX, False)
    for agent, given, words in (
        (masked, {}, "was trained with masks of actions, and there is none: give act"),
        (masked, {"mask": bits("0000")}, "the action_mask allows nothing"),
        (masked, {"mask": bits("101")}, r"\(3,\), expected shape \(4,\), in its action_mask"),
        (plain, {"mask": bits("1010")}, "was trained without masks of actions; leave mask out"),
    ):
        with pytest.raises(DataError, match=words):
            agent.act(np.ones(3), **given)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="the action_mask allows nothing in row 1"):
        masked.act(np.ones((2, 3)), mask=np.stack([bits("1010"), bits("0000")]))


DICTS = [
    spaces.Dict({"observation": BOX, "action_mask": spaces.MultiBinary(4)}),
    spaces.Dict({"observation": IMAGE, "action_mask": spaces.Box(0, 1, (4,), np.int8)}),
    spaces.Dict({"board": BOX, "hand": spaces.Discrete(3), "action_mask": spaces.Box(0, 1, (4,), np.int8)}),
]


@pytest.mark.parametrize("space", DICTS, ids=str)
def test_a_part_of_the_name_is_the_mask_survives_json_and_is_found_again(space: spaces.Dict) -> None:
    action = action_of(FOUR, "X")
    observation = observation_of(space, "X", action=action)
    assert isinstance(observation, MaskedObservation)
    assert observation_from_json(observation_to_json(observation)) == observation
    assert observation_of(space, "X", observation, action) == observation
    space.seed(0)
    sample = space.sample()
    encoded = observation.encode(sample)
    assert encoded[-4:].tolist() == sample["action_mask"].tolist()
    without = spaces.Dict({name: part for name, part in space.spaces.items() if name != "action_mask"})
    assert encoded[:-4].tolist() == observation_of(without, "X").encode({k: sample[k] for k in without}).tolist()


def test_an_agent_that_was_trained_without_masks_goes_on_without() -> None:
    space, action = DICTS[0], action_of(FOUR, "X")
    before = observation_of(space, "X")
    assert observation_of(space, "X", before, action) == before
    assert observation_of(BOX, "X", observation_of(BOX, "X"), action, masks_in_info=True) == observation_of(BOX, "X")
    masked = observation_of(BOX, "X", action=action, masks_in_info=True)
    said = difference((masked, action), (observation_of(BOX, "X"), action))
    assert said == "observation with action masks, here Box"
    other = observation_of(spaces.Box(-1, 1, (5,)), "X", action=action, masks_in_info=True)
    assert difference((masked, action), (other, action)) == "observation shape [3], here [5]"


def test_a_part_of_the_name_that_is_no_mask_of_the_actions_is_refused() -> None:
    space = spaces.Dict({"observation": BOX, "action_mask": spaces.MultiBinary(5)})
    with pytest.raises(UsageError, match=r"no mask of its actions.*4 to allow.*\(1, 5\), expected shape \(1, 4\)"):
        observation_of(space, "X", action=action_of(FOUR, "X"))
    reach = action_of(spaces.Box(-1, 1, (2,)), "X")
    assert observation_of(space, "X", action=reach) == observation_of(space, "X")  # where there are no choices
