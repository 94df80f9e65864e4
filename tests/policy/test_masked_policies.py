"""Policies and agents that know which actions are forbidden, and the spaces from which they know it."""

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
from baselines_ppo.common.policy.fit import difference
from baselines_ppo.common.policy.networks import NetworkSettings
from baselines_ppo.common.policy.observations import MaskedObservation, observation_of
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.policy.spaces.observation_json import observation_from_json, observation_to_json
from tests.policy.test_masks import bits

XP = tensorflow_arrays()
FOUR = spaces.Discrete(4, start=3)
BOX = spaces.Box(-1, 1, (3,), np.float32)
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
    np.testing.assert_array_equal(numbers[0].reshape(6, -1), numbers[1].reshape(6, -1))
    for policy in (masked, plain):
        mean, variance, count = policy.observations.moments
        policy.observations.moments = Moments(mean + 0.7, variance + 0.7, count)
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
        (masked, {"mask": bits("101")}, r"given with an action_mask that is \(3,\), expected shape \(4,\)"),
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
