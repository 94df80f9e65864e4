"""Networks, and the policy that acts with them in numpy."""

from __future__ import annotations

import numpy as np
import pytest

from baselines_ppo.common.arrays import tensorflow_arrays
from baselines_ppo.common.networks import ACTIVATIONS, ParameterLayout, orthogonal
from baselines_ppo.common.normalizer import Moments
from baselines_ppo.common.policy import ActorCritic, Policy
from baselines_ppo.common.spaces import Action, BoxAction, DiscreteAction, action_from_json, action_to_json
from tests.reference import mlp

BOX = BoxAction((-0.4, -2.0, None), (0.4, 6.0, None))
DISCRETE = DiscreteAction(4, 0)


def actor_critic(action: Action = BOX, activation: str = "tanh", shared: bool = False) -> ActorCritic:
    return ActorCritic(11, action, (32, 16), activation, shared)


def policy_of(network: ActorCritic) -> Policy:
    rng = np.random.default_rng(5)
    return Policy(network, network.initial_parameters(rng, -0.3) + 0.1 * noise(network.layout.size), 10.0)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).standard_normal(shape).astype(np.float32)


def test_layout_splits_what_it_joined() -> None:
    layout = actor_critic().layout
    vector = noise(layout.size)
    np.testing.assert_array_equal(layout.join(layout.split(vector)), vector)
    assert ParameterLayout((("a", (2, 3)), ("b", ()))).size == 7


def test_forward_pass_equals_the_network_written_out_unit_by_unit() -> None:
    network = actor_critic()
    parts = network.layout.split(noise(network.layout.size))
    layers = [(parts[f"value/{k}/weights"], parts[f"value/{k}/bias"]) for k in range(2)]
    layers.append((parts["value_head/0/weights"], parts["value_head/0/bias"]))
    observations = noise(3, 11)
    expected = [mlp(layers, x)[0] for x in observations]
    np.testing.assert_allclose(network.value(np, parts, observations), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "at_minus_1", "at_2"),
    [
        ("tanh", -0.76159416, 0.96402758),
        ("relu", 0.0, 2.0),
        ("elu", -0.63212056, 2.0),
        ("silu", -0.26894142, 1.7615942),
    ],
)
def test_activations_have_their_known_values(name: str, at_minus_1: float, at_2: float) -> None:
    got = ACTIVATIONS[name](np, np.array([-1.0, 2.0], np.float32))
    np.testing.assert_allclose(got, [at_minus_1, at_2], rtol=1e-6)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("action", [BOX, DISCRETE])
@pytest.mark.parametrize("shared", [False, True])
def test_acting_in_numpy_equals_evaluation_in_tensorflow(activation: str, action: Action, shared: bool) -> None:
    policy = policy_of(actor_critic(action, activation, shared))
    observations = noise(21, 11)
    actions, outputs = policy.sample(observations, policy.distribution.noise(np.random.default_rng(0), 21))
    tf = tensorflow_arrays()
    parts = policy.network.layout.split(_tensor(policy.parameters))
    params = policy.network.policy(tf, parts, _tensor(observations))
    log_probs = policy.distribution.log_prob(tf, params, actions).numpy()
    np.testing.assert_allclose(policy.log_probs(outputs, actions), log_probs, rtol=1e-4, atol=1e-5)
    values = policy.network.value(tf, parts, _tensor(observations)).numpy()
    np.testing.assert_allclose(policy.values(observations), values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 31])
def test_an_action_does_not_depend_on_how_many_are_taken_with_it(size: int) -> None:
    policy = policy_of(ActorCritic(17, BOX, (64, 64), "tanh", False))
    observations, draws = noise(31, 17), noise(31, 3)
    together, _ = policy.sample(observations, draws)
    for first in range(0, 31 - size, size):
        rows = slice(first, first + size)
        actions, _ = policy.sample(observations[rows], draws[rows])
        np.testing.assert_array_equal(actions, together[rows])


def test_the_first_policy_is_nearly_the_same_in_all_states() -> None:
    network = actor_critic()
    parts = network.layout.split(network.initial_parameters(np.random.default_rng(0), -0.5))
    assert np.abs(network.policy(np, parts, noise(100, 11)).mean).max() < 0.1
    assert parts["log_std"].tolist() == [-0.5] * 3


@pytest.mark.parametrize("shape", [(5, 5), (3, 8), (8, 3)])
def test_orthogonal_weights_are_orthonormal_times_gain(shape: tuple[int, int]) -> None:
    weights = orthogonal(np.random.default_rng(0), shape, 2.0).astype(np.float64)
    small = weights @ weights.T if shape[0] <= shape[1] else weights.T @ weights
    np.testing.assert_allclose(small, 4.0 * np.eye(min(shape)), atol=1e-5)


def test_box_actions_reach_the_bounds_and_no_further() -> None:
    actions = np.array([[-1.0, 1.0, 5.0], [0.0, 0.0, -7.0], [9.0, -9.0, 0.0]], np.float32)
    expected = np.array([[-0.4, 6.0, 5.0], [0.0, 2.0, -7.0], [0.4, -2.0, 0.0]], np.float32)
    np.testing.assert_allclose(BOX.to_environment(actions), expected, rtol=1e-6)
    half_bounded = BoxAction((0.0,), (None,)).to_environment(np.array([[-3.0], [3.0]], np.float32))
    assert half_bounded.tolist() == [[0.0], [3.0]]
    assert DiscreteAction(3, 10).to_environment(np.array([0, 2])).tolist() == [10, 12]


@pytest.mark.parametrize("action", [BOX, DISCRETE])
def test_networks_survive_json(action: Action) -> None:
    network = actor_critic(action, "elu", True)
    assert ActorCritic.from_json(network.to_json()) == network
    assert action_from_json(action_to_json(action)) == action


def test_values_are_in_the_unit_of_the_rewards() -> None:
    policy = policy_of(actor_critic())
    plain = policy.values(noise(4, 11))
    policy.value_targets.moments = Moments(np.array(100.0), np.array(9.0), 1.0)
    moved = policy.values(noise(4, 11))
    np.testing.assert_allclose(moved, 100.0 + 3.0 * plain, rtol=1e-5)
    policy.absorb_value_targets()
    assert policy.value_targets.moments.samples == 0
    np.testing.assert_allclose(policy.values(noise(4, 11)), moved, rtol=1e-5)


def _tensor(x: np.ndarray) -> object:
    import tensorflow as tf

    return tf.constant(x)
