"""Spaces of observations and actions: what arrives, what leaves, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.policy.actions import (
    MultiBinaryAction,
    MultiDiscreteAction,
    action_from_json,
    action_of,
    action_to_json,
)
from baselines_ppo.common.policy.distributions import Bernoulli, MultiCategorical
from baselines_ppo.common.policy.observations import (
    observation_of,
)
from baselines_ppo.common.policy.spaces.observation_json import observation_from_json, observation_to_json


class Words(gymnasium.Env[str, Any]):
    """Seen by words, which no network of ours takes."""

    observation_space = spaces.Text(8)
    action_space: spaces.Space[Any] = spaces.Discrete(2)


class Speaking(gymnasium.Env[np.ndarray, Any]):
    """Acts by words."""

    observation_space = spaces.Box(-1, 1, (2,), np.float64)
    action_space: spaces.Space[Any] = spaces.Text(8)


gymnasium.register("Words-v0", f"{__name__}:Words")
gymnasium.register("Speaking-v0", f"{__name__}:Speaking")

BOX = spaces.Box(-9, 9, (2, 2), np.float64)
NESTED = spaces.Dict(
    {"b": BOX, "a": spaces.Tuple((spaces.Discrete(3, start=-1), spaces.Dict({"z": spaces.Discrete(2)})))}
)
OBSERVED: list[spaces.Space[Any]] = [
    BOX,
    spaces.Box(-1, 1, (3,), np.float32),
    spaces.Box(0, 255, (128,), np.uint8),
    spaces.Discrete(5),
    spaces.Discrete(4, start=-2),
    spaces.Tuple((spaces.Discrete(2), BOX)),
    NESTED,
    spaces.Box(0, 255, (40, 50, 3), np.uint8),
    spaces.Box(0, 255, (4, 84, 84), np.uint8),
    spaces.Box(0, 1, (2, 40, 36, 3), np.float64),
    spaces.MultiDiscrete(np.array([[2, 3], [4, 1]]), start=np.array([[0, 5], [-1, 0]])),
    spaces.MultiBinary([2, 3]),
    spaces.Dict({"camera": spaces.Box(0, 255, (40, 50, 3), np.uint8), "at": spaces.Box(-1, 1, (3,), np.float64)}),
]
ACTED: list[spaces.Space[Any]] = [
    spaces.Box(-2, 3, (3,), np.float32),
    spaces.Box(np.array([0.0, -np.inf]), np.array([np.inf, np.inf]), dtype=np.float64),
    spaces.Discrete(4, start=7),
    spaces.MultiDiscrete([2, 3, 4], start=[0, 10, -5]),
    spaces.MultiBinary(6),
    BOX,
    spaces.Box(-3, 4, (2, 3), np.int16),
    spaces.MultiDiscrete(np.array([[2, 3], [4, 5]])),
    spaces.MultiBinary([2, 3]),
]


def through_json(data: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(data, allow_nan=False))


@pytest.mark.parametrize("space", OBSERVED, ids=str)
def test_what_a_space_gives_is_encoded_to_the_stated_shape_and_dtype_alone_and_in_a_batch(
    space: spaces.Space[Any],
) -> None:
    observation = observation_of(space, "X")
    space.seed(0)
    samples = [space.sample() for _ in range(6)]
    alone = np.stack([observation.encode(sample) for sample in samples])
    assert alone.shape == (6, *observation.shape)
    assert np.can_cast(alone.dtype, observation.dtype)
    empty: Any = gymnasium.vector.utils.create_empty_array(space, len(samples))
    batched = gymnasium.vector.utils.concatenate(space, samples, empty)
    np.testing.assert_array_equal(observation.encode(batched, (6,)), alone)


@pytest.mark.parametrize("space", OBSERVED, ids=str)
def test_observations_survive_json(space: spaces.Space[Any]) -> None:
    observation = observation_of(space, "X")
    assert observation_from_json(through_json(observation_to_json(observation))) == observation


@pytest.mark.parametrize("space", ACTED, ids=str)
def test_actions_survive_json(space: spaces.Space[Any]) -> None:
    action = action_of(space, "X")
    assert action_from_json(through_json(action_to_json(action))) == action


@pytest.mark.parametrize("space", ACTED, ids=str)
def test_every_drawn_action_is_one_that_the_environment_takes(space: spaces.Space[Any]) -> None:
    action = action_of(space, "X")
    rng = np.random.default_rng(0)
    output = 3 * rng.standard_normal((200, action.distribution.network_size)).astype(np.float32)
    log_std = np.zeros(action.distribution.network_size, np.float32)
    params = action.distribution.from_network(output, {"log_std": log_std})
    drawn = action.to_environment(action.distribution.sample(params, action.distribution.noise(rng, 200)))
    assert drawn.shape == (200, *space.shape)  # type: ignore[misc]  # all of these have a shape
    assert all(space.contains(one) for one in drawn)


def test_a_discrete_state_is_a_one_among_zeros_counted_from_its_start() -> None:
    observation = observation_of(spaces.Discrete(4, start=-2), "X")
    assert observation.encode(np.int64(-2)).tolist() == [1, 0, 0, 0]
    assert observation.encode(1).tolist() == [0, 0, 0, 1]
    assert observation.encode(np.array([-1, 0]), (2,)).tolist() == [[0, 1, 0, 0], [0, 0, 1, 0]]


def test_states_are_numbered_as_far_as_an_int64_goes() -> None:
    last = 2**63 - 1
    observation = observation_of(spaces.Discrete(3, start=last - 2), "X")
    assert observation.encode(last).tolist() == [0, 0, 1]
    beyond: list[spaces.Space[Any]] = [
        spaces.Discrete(3, start=last - 1),
        spaces.Discrete(3, dtype=np.uint64, start=2**63),
        spaces.MultiDiscrete([2, 3], start=[0, last - 1]),
        spaces.Dict({"deep": spaces.Tuple((spaces.Discrete(2, start=last),))}),
    ]
    for space in beyond:
        with pytest.raises(UsageError, match=r"whose state \d+ is beyond int64"):
            observation_of(space, "X")


def test_an_agent_whose_states_no_int64_holds_is_refused() -> None:
    stored = observation_to_json(observation_of(spaces.Discrete(3), "X"))
    with pytest.raises(ValueError, match="beyond int64"):
        observation_from_json({**stored, "start": 2**63})


def test_parts_of_a_group_lie_one_behind_the_other_whatever_the_order_they_come_in() -> None:
    observation = observation_of(NESTED, "X")
    expected = [0, 1, 0, 0, 1, 5, 6, 7, 8]  # a: state 0 of -1, 0, 1; z: 1 of 0, 1; then b
    box = np.array([[5.0, 6.0], [7.0, 8.0]])
    assert observation.encode({"b": box, "a": (0, {"z": 1})}).tolist() == expected
    assert observation.encode({"a": (0, {"z": 1}), "b": box}).tolist() == expected


UNFIT: list[tuple[spaces.Space[Any], Any]] = [
    (BOX, None),
    (BOX, np.zeros(4)),
    (BOX, np.zeros((1, 2))),  # numpy would broadcast it
    (BOX, [[0.0, 0.0], [0.0]]),
    (BOX, "2.0"),
    (BOX, np.zeros((2, 2), complex)),
    (BOX, [["a", "b"], ["c", "d"]]),
    (spaces.Discrete(3), 3),
    (spaces.Discrete(3), -1),
    (spaces.Discrete(3, start=2), 1),
    (spaces.Discrete(3), 1.5),
    (spaces.Discrete(3), np.nan),
    (BOX, np.ma.array(np.zeros((2, 2)), mask=[[False, True], [False, False]])),
    (spaces.MultiDiscrete([2, 3]), np.ma.array([0, 1], mask=[True, False])),
    (spaces.Dict({"a": BOX}), {"a": np.ma.masked_all((2, 2))}),
    (spaces.Box(-1, 1, (2,), np.float32), np.array([0.0, 1e39])),
    (spaces.Discrete(3), None),
    (spaces.Discrete(3), np.array([1])),
    (spaces.Dict({"a": BOX}), {"b": np.zeros((2, 2))}),
    (spaces.Dict({"a": BOX}), {}),
    (spaces.Dict({"a": BOX}), {"a": np.zeros((2, 2)), "b": np.zeros((2, 2))}),
    (spaces.Dict({"a": BOX}), (np.zeros((2, 2)),)),
    (spaces.Dict({"a": BOX}), {"a": None}),
    (spaces.Tuple((BOX, BOX)), (np.zeros((2, 2)),)),
    (spaces.Tuple((BOX,)), {"0": np.zeros((2, 2))}),
    (spaces.Dict({"a": BOX}), [np.zeros((2, 2))]),
    (spaces.MultiDiscrete([2, 3]), np.array([0, 3])),
    (spaces.MultiDiscrete([2, 3]), np.array([0.5, 0])),
    (spaces.MultiDiscrete([2, 3]), np.array([0])),
    (spaces.MultiBinary(2), np.array([0, 2])),
    (spaces.MultiBinary(2), np.array([0, -1])),
    (spaces.Box(0, 255, (4, 40, 50), np.uint8), np.zeros((40, 50, 4), np.uint8)),
    (spaces.Box(0, 255, (40, 50, 3), np.uint8), None),
]


@pytest.mark.parametrize(("space", "bad"), UNFIT)
def test_an_observation_that_does_not_fit_is_an_error_and_never_broadcast(space: spaces.Space[Any], bad: Any) -> None:
    with pytest.raises(ValueError, match="expected") as raised:
        observation_of(space, "X").encode(bad)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("number", [1, 1.0, True, np.float64(1.0), np.array(1.0, np.float16), np.ma.array(1.0)])
def test_a_whole_number_is_one_in_whatever_type_it_comes(number: Any) -> None:
    for space, shape in (
        (spaces.Discrete(3), ()),
        (spaces.MultiDiscrete([3]), (1,)),
        (spaces.MultiBinary(1), (1,)),
        (spaces.Box(0, 2, (1,), np.int8), (1,)),
    ):
        observation = observation_of(space, "X")
        given = np.ma.reshape(number, shape) if isinstance(number, np.ma.MaskedArray) else np.reshape(number, shape)
        np.testing.assert_array_equal(observation.encode(given), observation.encode(np.ones(shape, np.int64)))


@pytest.mark.parametrize(
    "space",
    [
        spaces.Text(4),
        spaces.Sequence(spaces.Discrete(2)),
        spaces.Graph(BOX, None),
        spaces.Dict({"a": BOX, "b": spaces.Text(4)}),
        spaces.Tuple((spaces.Sequence(spaces.Discrete(2)),)),
    ],
    ids=str,
)
def test_other_observation_spaces_are_refused_by_name(space: spaces.Space[Any]) -> None:
    with pytest.raises(UsageError) as raised:
        observation_of(space, "Some-v3")
    assert "environment Some-v3 has the observation space" in str(raised.value)
    assert any(word in str(raised.value) for word in ("Text", "Sequence", "Graph"))


@pytest.mark.parametrize(
    "space",
    [
        spaces.Text(4),
        spaces.Box(-1, 1, (0,)),
        spaces.Box(-1, 1, (2,), np.longdouble),
        spaces.Dict({"a": BOX, "b": spaces.Text(4)}),
        spaces.OneOf((BOX, spaces.Discrete(2))),
    ],
    ids=str,
)
def test_other_action_spaces_are_refused_by_name(space: spaces.Space[Any]) -> None:
    with pytest.raises(UsageError) as raised:
        action_of(space, "Some-v3")
    assert f"environment Some-v3 has the action space {space}" in str(raised.value)


def test_several_choices_are_numbered_each_from_its_own_start() -> None:
    action = action_of(spaces.MultiDiscrete([2, 3, 4], start=[0, 10, -5]), "X")
    assert action == MultiDiscreteAction((2, 3, 4), (0, 10, -5), (3,), "int64")
    assert action.distribution == MultiCategorical((2, 3, 4))
    assert action.to_environment(np.array([[0, 0, 0], [1, 2, 3]])).tolist() == [[0, 10, -5], [1, 12, -2]]


def test_switches_leave_as_the_bytes_that_gymnasium_takes() -> None:
    action = action_of(spaces.MultiBinary(3), "X")
    assert action == MultiBinaryAction(3, (3,))
    assert action.distribution == Bernoulli(3)
    assert action.to_environment(np.array([[0, 1, 1]])).dtype == spaces.MultiBinary(3).dtype
