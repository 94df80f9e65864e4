"""Networks, and the policy that acts with them in numpy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from baselines_ppo.common.failures import DataError
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.moments import Moments
from baselines_ppo.common.policy.actions import (
    Action,
    BoxAction,
    DiscreteAction,
    MultiBinaryAction,
    MultiDiscreteAction,
    action_from_json,
    action_to_json,
)
from baselines_ppo.common.policy.actor_critic import ActorCritic, Inputs
from baselines_ppo.common.policy.arrays import tensorflow_arrays
from baselines_ppo.common.policy.layers import ACTIVATIONS
from baselines_ppo.common.policy.networks import NetworkSettings
from baselines_ppo.common.policy.observations import BoxObservation
from baselines_ppo.common.policy.parameters import ParameterLayout, orthogonal
from baselines_ppo.common.policy.policy import Policy
from tests.reference import mlp

BOX = BoxAction((-0.4, -2.0, None), (0.4, 6.0, None), (3,))
DISCRETE = DiscreteAction(4, 0)
ACTIONS = [BOX, DISCRETE, MultiDiscreteAction((2, 3), (0, 5), (2,)), MultiBinaryAction(3, (3,))]


def actor_critic(
    action: Action = BOX, activation: str = "tanh", shared: bool = False, name: str = "mlp", size: int = 11
) -> ActorCritic:
    settings = NetworkSettings(name, (32, 16), activation, 8)
    return ActorCritic(BoxObservation((size,), "float64"), action, settings, None if shared else settings)


def policy_of(network: ActorCritic) -> Policy:
    rng = np.random.default_rng(5)
    return Policy(network, network.initial_parameters(rng, -0.3) + 0.1 * noise(network.layout.size), 10.0)


NOTHING = np.zeros((64, 0), np.float32)  # what a policy without memory remembers


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
    layers = [(parts[f"value/hidden/{k}/weights"], parts[f"value/hidden/{k}/bias"]) for k in range(2)]
    layers.append((parts["value_head/0/weights"], parts["value_head/0/bias"]))
    observations = noise(3, 11)
    expected = [mlp(layers, x)[0] for x in observations]
    np.testing.assert_allclose(network.value(np, parts, observations, NOTHING[:3]), expected, rtol=1e-4)


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
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("shared", [False, True])
def test_acting_in_numpy_equals_evaluation_in_tensorflow(activation: str, action: Action, shared: bool) -> None:
    policy = policy_of(actor_critic(action, activation, shared))
    observations, draws = noise(21, 11), policy.distribution.noise(np.random.default_rng(0), 21)
    sampled = policy.sample(observations, NOTHING[:21], draws)
    tf = tensorflow_arrays()
    parts = policy.network.layout.split(_tensor(policy.parameters))
    inputs = Inputs(_tensor(observations), _tensor(NOTHING[:21]), _tensor(np.zeros(21, bool)))
    params, values = policy.network.learn(tf, parts, inputs)
    log_probs = policy.distribution.log_prob(tf, params, sampled.actions).numpy()
    acted = policy.distribution.log_prob(np, policy.params(sampled.outputs), sampled.actions)
    np.testing.assert_allclose(acted, log_probs, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(policy.values(observations, NOTHING[:21]), values.numpy(), rtol=1e-4, atol=1e-5)
    assert sampled.values.shape == (21, 1 if shared else 0)
    if shared:
        np.testing.assert_allclose(sampled.values[:, 0], values.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 31])
@pytest.mark.parametrize("name", ["mlp", "lstm"])
def test_an_action_does_not_depend_on_how_many_are_taken_with_it(size: int, name: str) -> None:
    policy = policy_of(actor_critic(name=name, size=17))
    observations, draws, states = noise(31, 17), noise(31, 3), noise(31, policy.network.state_size)
    together = policy.sample(observations, states, draws)
    for first in range(0, 31 - size, size):
        rows = slice(first, first + size)
        sampled = policy.sample(observations[rows], states[rows], draws[rows])
        for one, other in zip(sampled, together, strict=True):
            np.testing.assert_array_equal(one, other[rows])


def test_the_first_policy_is_nearly_the_same_in_all_states() -> None:
    network = actor_critic()
    parts = network.layout.split(network.initial_parameters(np.random.default_rng(0), -0.5))
    assert np.abs(network.act(np, parts, noise(64, 11), NOTHING)[0]).max() < 0.1
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
    half_bounded = BoxAction((0.0,), (None,), (1,)).to_environment(np.array([[-3.0], [3.0]], np.float32))
    assert half_bounded.tolist() == [[0.0], [3.0]]
    assert DiscreteAction(3, 10).to_environment(np.array([0, 2])).tolist() == [10, 12]


@pytest.mark.parametrize("action", ACTIONS)
def test_networks_survive_json(action: Action) -> None:
    for shared in (False, True):
        network = actor_critic(action, "elu", shared, "lstm")
        assert ActorCritic.from_json(json.loads(json.dumps(network.to_json(), allow_nan=False))) == network
    assert action_from_json(action_to_json(action)) == action


def test_values_are_in_the_unit_of_the_rewards() -> None:
    policy = policy_of(actor_critic())
    plain = policy.values(noise(4, 11), NOTHING[:4])
    policy.value_targets.moments = Moments(np.array(100.0), np.array(9.0), 1.0)
    moved = policy.values(noise(4, 11), NOTHING[:4])
    np.testing.assert_allclose(moved, 100.0 + 3.0 * plain, rtol=1e-5)
    policy.absorb_value_targets()
    assert policy.value_targets.moments.samples == 0
    np.testing.assert_allclose(policy.values(noise(4, 11), NOTHING[:4]), moved, rtol=1e-5)


def _tensor(x: np.ndarray) -> object:
    import tensorflow as tf

    return tf.constant(x)


def test_a_memory_is_forgotten_in_the_rows_that_are_named_and_in_no_others() -> None:
    network = actor_critic(name="lstm", shared=True)
    agent = Agent(Policy(network, network.initial_parameters(np.random.default_rng(0), 0.0), 10.0), "X", Path("x"), {})
    seen = np.random.default_rng(1).standard_normal((3, 11))
    first, second = agent.act(seen), agent.act(seen)
    agent.reset(np.array([True, False, True]))
    third = agent.act(seen)
    for row, forgotten in enumerate([True, False, True]):
        assert np.array_equal(third[row], first[row]) == forgotten
    assert not np.array_equal(second, first)
    for wrong in ([0, 2], np.array([1, 0, 1]), 5, np.ones((3, 1), bool)):
        with pytest.raises(DataError, match="expected True or False for each row of a batch"):
            agent.reset(wrong)  # type: ignore[arg-type]
