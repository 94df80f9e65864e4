"""Images: which observations are taken for them, and what a network sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from gymnasium import spaces

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.moments import moments_of
from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.networks import NetworkSettings
from baselines_ppo.common.policy.observations import BoxObservation, observation_of
from baselines_ppo.common.policy.spaces.images import ImageObservation
from baselines_ppo.common.policy.spaces.observation_json import observation_from_json, observation_to_json
from tests.policy.test_observations import CAMERA, CHOICE, PAIR, ROBOT, policy_of

BYTES, FLOATS = {"low": 0, "high": 255, "dtype": np.uint8}, {"low": 0.0, "high": 1.0, "dtype": np.float32}


@pytest.mark.parametrize(
    "kind", [BYTES, FLOATS, {**FLOATS, "dtype": np.float64}, {**BYTES, "dtype": np.float32}], ids=str
)
@pytest.mark.parametrize(
    ("box", "rows", "shape", "channel"),
    [
        ((40, 50), 0, (40, 50, 1), lambda i: ()),
        ((40, 50, 3), 0, (40, 50, 3), lambda i: (i,)),
        ((4, 40, 50), 1, (40, 50, 4), lambda i: (i,)),
        ((40, 50, 3, 2), 0, (40, 50, 6), lambda i: divmod(i, 2)),
        ((2, 40, 50, 3), 1, (40, 50, 6), lambda i: divmod(i, 3)),
        ((2, 3, 40, 50), 2, (40, 50, 6), lambda i: divmod(i, 3)),
    ],
)
def test_images_of_all_usual_shapes_come_out_channels_last_with_every_pixel_in_its_place(
    kind: dict[str, Any], box: tuple[int, ...], rows: int, shape: tuple[int, ...], channel: Any
) -> None:
    observation = observation_of(spaces.Box(shape=box, **kind), "X")
    assert observation.shape == shape
    for i in range(shape[2]):
        place = [*channel(i)]
        place[rows:rows] = [31, 45]
        image = np.zeros(box, kind["dtype"])
        image[tuple(place)] = kind["high"]
        expected = np.zeros(shape)
        expected[31, 45, i] = kind["high"]
        np.testing.assert_array_equal(observation.encode(image), expected)
        np.testing.assert_array_equal(observation.encode(np.stack([image, 0 * image]), (2,)), [expected, 0 * expected])


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(0, 10, (40, 40, 3), np.uint8),  # codes
        spaces.Box(0, 255, (7, 7, 3), np.uint8),  # too small for convolutions
        spaces.Box(0, 255, (128,), np.uint8),
        spaces.Box(-1, 1, (64, 64, 3), np.float32),
        spaces.Box(np.uint8(0), np.full((40, 40), 255) - np.eye(40, dtype=int), dtype=np.uint8),
        spaces.Box(0, 1, (40, 40), np.int8),
        spaces.Box(0, 255, (40, 40, 2, 2, 2), np.uint8),
    ],
    ids=str,
)
def test_everything_else_is_a_vector_with_statistics_unless_the_user_says_otherwise(space: spaces.Box) -> None:
    assert observation_of(space, "X") == BoxObservation(space.shape, str(space.dtype))
    policy = policy_of(observation_of(space, "X"))
    space.seed(0)
    samples = np.stack([policy.network.observation.encode(space.sample()) for _ in range(300)])
    policy.observations.update(moments_of(samples))
    np.testing.assert_allclose(policy.normalize(samples).std(axis=0), 1.0, rtol=1e-3)
    if not 2 <= len(space.shape) <= 4:
        with pytest.raises(UsageError, match=r"--observations image: environment X .* leave the flag out"):
            observation_of(space, "X", "image")
        return
    image = policy_of(observation_of(space, "X", "image"))
    assert not image.normalizes
    bounds = np.stack([np.full(space.shape, space.low.min()), np.full(space.shape, space.high.max())])
    encoded = image.network.observation.encode(bounds.astype(space.dtype).clip(space.low.min(), space.high.max()), (2,))
    shown = image.normalize(encoded)
    expected = (0.0, 255.0) if shown.dtype == np.uint8 else (0.0, 1.0)
    assert (shown.min(), shown.max()) == expected


def test_a_large_image_is_a_vector_where_the_user_says_so() -> None:
    assert observation_of(CAMERA, "X", "vector") == BoxObservation((36, 40, 3), "uint8")
    group = observation_of(ROBOT, "X", "vector")
    assert policy_of(group).normalizes
    assert not policy_of(group).sees_images


def test_what_an_agent_took_an_image_for_it_takes_it_for() -> None:
    """Agents of before this was a choice took all bytes of three dimensions for pixels, and no image in a Dict."""
    codes = spaces.Box(0, 10, (3, 5, 7), np.uint8)
    first = observation_from_json({"kind": "image", "image": [5, 7, 3], "channels_first": True, "dtype": "uint8"})
    assert observation_of(codes, "X", first) == first == ImageObservation((3, 5, 7), 1, said=False)
    assert observation_from_json(observation_to_json(first)) == first
    assert observation_of(spaces.Box(0, 10, (3, 5, 8), np.uint8), "X", first) != first
    policy = policy_of(first)
    picture = np.arange(105, dtype=np.uint8).reshape(3, 5, 7)
    assert policy.normalize(first.encode(picture)[None])[0, 4, 6].tolist() == [34, 69, 104]
    before = {"kind": "group", "names": ["eye"], "parts": [{"kind": "box", "box": [36, 40, 3], "dtype": "uint8"}]}
    stored = observation_from_json(before)
    assert observation_of(spaces.Dict({"eye": CAMERA}), "X", stored) == stored
    assert policy_of(stored).network.policy_network.name == "mlp"


@pytest.mark.parametrize("network", ["cnn", "cnn_lstm", "mlp", "lstm"])
def test_images_beside_numbers_are_seen_as_pixels_and_the_numbers_normalised(network: str) -> None:
    """What the policy does depends on every part, in numpy as in TensorFlow."""
    observation = observation_of(ROBOT, "X")
    policy = policy_of(observation, 10.0, network=network, lstm_size=4)
    ROBOT.seed(0)
    shown = [ROBOT.sample() for _ in range(50)]
    encoded = np.stack([observation.encode(one) for one in shown])
    policy.observations.update(moments_of(policy.numbers(encoded)))
    taken = policy.normalize(encoded)
    assert taken.dtype == np.float32
    places = np.stack([one["at"] for one in shown])
    np.testing.assert_allclose(taken[:, :3], (places - places.mean(0)) / places.std(0), rtol=1e-4)
    pixels = np.stack([one["eye"].ravel() for one in shown])
    np.testing.assert_allclose(taken[:, 3:-2], pixels / 255, rtol=1e-6)
    parameters = policy.network.layout.split(policy.parameters)
    states = policy.initial_states(2)
    from baselines_ppo.common.policy.arrays import tensorflow_arrays

    def act(x: np.ndarray) -> np.ndarray:
        return policy.network.act(np, parameters, x, states)[0]

    inside = policy.network.layout.split(tf.constant(policy.parameters))
    in_tensorflow = policy.network.act(tensorflow_arrays(), inside, tf.constant(taken[:2]), tf.constant(states))[0]
    np.testing.assert_allclose(act(taken[:2]), in_tensorflow, rtol=1e-3, atol=1e-5)
    for column in (0, 3 + 20 * 40 * 3, observation.shape[0] - 1):
        other = taken[:2].copy()
        other[:, column] += 5.0
        assert (act(other) != act(taken[:2])).any()


def test_a_dict_of_nothing_but_an_image_acts_as_the_image_does() -> None:
    alone, within = (policy_of(observation_of(space, "X")) for space in (CAMERA, spaces.Dict({"eye": CAMERA})))
    assert alone.network.policy_network.name == within.network.policy_network.name == "cnn"
    CAMERA.seed(0)
    picture = CAMERA.sample()
    acted = []
    for policy, shown in ((alone, picture), (within, {"eye": picture})):
        seen = policy.normalize(policy.network.observation.encode(shown))[None]
        assert seen.dtype == np.uint8  # a quarter of the memory
        acted.append(policy.network.act(np, policy.network.layout.split(policy.parameters), seen, np.zeros((1, 0)))[0])
    np.testing.assert_array_equal(*acted)


def test_bytes_and_floats_of_the_same_picture_are_the_same_to_a_network() -> None:
    CAMERA.seed(0)
    picture, floats = CAMERA.sample(), spaces.Box(0, 1, (36, 40, 3), np.float64)
    acted = []
    for space, shown in ((CAMERA, picture), (floats, picture / 255), (spaces.Box(0, 255, (36, 40, 3)), picture)):
        policy = policy_of(observation_of(space, "X"), network="cnn")
        seen = policy.normalize(policy.network.observation.encode(shown))[None]
        acted.append(policy.network.act(np, policy.network.layout.split(policy.parameters), seen, np.zeros((1, 0)))[0])
    np.testing.assert_allclose(acted[1], acted[0], rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(acted[2], acted[0], rtol=1e-4, atol=1e-7)


def test_a_network_for_images_refuses_what_is_too_small_or_none_by_name() -> None:
    small = observation_of(spaces.Dict({"eye": spaces.Box(0, 9, (7, 7, 3), np.uint8)}), "X", "image")
    for observation in (small, observation_of(PAIR, "X"), observation_of(spaces.Dict({"at": PAIR}), "X")):
        with pytest.raises(UsageError, match="network cnn takes images of at least 36 x 36"):
            policy_of(observation, network="cnn")
    settings = NetworkSettings("mlp", (4,), "tanh", 0)
    assert ActorCritic(small, CHOICE, settings, None).layout.size > 0
