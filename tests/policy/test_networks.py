"""Layers and networks: against references, numpy against TensorFlow, and what is remembered along episodes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from gymnasium import spaces

from baselines_ppo.common.batch import batch_of
from baselines_ppo.common.envs.backends import SerialBackend
from baselines_ppo.common.envs.vec_env import VecEnv
from baselines_ppo.common.failures import LoadError, UsageError
from baselines_ppo.common.files.agent import agent_of
from baselines_ppo.common.files.checkpoint import Checkpoint
from baselines_ppo.common.moments import moments_of
from baselines_ppo.common.policy.actions import Action, BoxAction, DiscreteAction
from baselines_ppo.common.policy.actor_critic import ActorCritic, Inputs
from baselines_ppo.common.policy.arrays import Array, tensorflow_arrays
from baselines_ppo.common.policy.layers import ACTIVATIONS, convolution, lstm_parameters, lstm_step
from baselines_ppo.common.policy.networks import NETWORKS, Network, NetworkSettings, find_network, register_network
from baselines_ppo.common.policy.observations import BoxObservation, GroupObservation, ImageObservation, Observation
from baselines_ppo.common.policy.parameters import Parameter, ParameterLayout
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.policy.recurrence import unroll
from baselines_ppo.common.rollout import Collector
from baselines_ppo.settings.presets import configure
from baselines_ppo.wiring import actor_critic_of
from tests import reference

IMAGE = ImageObservation((36, 40, 2), 0)
VECTOR = BoxObservation((4,), "float64")
CHOICE = DiscreteAction(3, 0)
BESIDE = GroupObservation(("at", "eye"), (BoxObservation((3,), "float32"), IMAGE))
OBSERVED: dict[str, Observation] = {"mlp": VECTOR, "lstm": VECTOR, "cnn": IMAGE, "cnn_lstm": IMAGE}
XP = tensorflow_arrays()


def noise(*shape: int, seed: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def actor_critic(
    name: str, shared: bool, action: Action = CHOICE, observation: Observation | None = None, activation: str = "tanh"
) -> ActorCritic:
    settings = NetworkSettings(name, (8,), activation, 5)
    return ActorCritic(observation or OBSERVED[name], action, settings, None if shared else settings)


def policy_of(network: ActorCritic) -> Policy:
    parameters = network.initial_parameters(np.random.default_rng(1), -0.3)
    return Policy(network, parameters + 0.1 * noise(len(parameters)), 10.0)


def learned(policy: Policy, inputs: Inputs) -> tuple[Any, np.ndarray]:
    """Return distribution parameters and values as TensorFlow computes them."""
    parts = policy.network.layout.split(tf.constant(policy.parameters))
    params, values = policy.network.learn(XP, parts, Inputs(*map(tf.constant, inputs)))
    return params, values.numpy()


@pytest.mark.parametrize(("size", "stride", "height", "width"), [(3, 1, 6, 5), (4, 2, 9, 8), (2, 3, 7, 7)])
def test_a_convolution_equals_its_definition_in_numpy_and_tensorflow(
    size: int, stride: int, height: int, width: int
) -> None:
    images, weights = noise(2, height, width, 3), noise(size, size, 3, 4, seed=8)
    expected = reference.convolution(images, weights, stride)
    np.testing.assert_allclose(convolution(images, weights, stride), expected, rtol=1e-4, atol=1e-5)
    in_tensorflow = convolution(tf.constant(images), tf.constant(weights), stride)
    np.testing.assert_allclose(in_tensorflow, expected, rtol=1e-4, atol=1e-5)


def test_an_lstm_step_equals_the_textbook_in_numpy_and_tensorflow() -> None:
    inputs, size = 3, 4
    layout = ParameterLayout(tuple((p.name, p.shape) for p in lstm_parameters(inputs, size)))
    parts = layout.split(noise(layout.size))
    x, state = noise(5, inputs, seed=1), noise(5, 2 * size, seed=2)
    output, after = lstm_step(np, parts, x, state)
    in_tensorflow = lstm_step(XP, layout.split(tf.constant(noise(layout.size))), tf.constant(x), tf.constant(state))
    for row in range(5):
        weights, bias = parts["lstm/weights"], parts["lstm/bias"]
        cell, hidden = reference.lstm_step(weights, bias, x[row], state[row, :size], state[row, size:])
        np.testing.assert_allclose(output[row], hidden, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(after[row], [*cell, *hidden], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(in_tensorflow[0], output, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(in_tensorflow[1], after, rtol=1e-4, atol=1e-6)


def test_unrolling_equals_single_steps_that_forget_where_an_episode_starts() -> None:
    def step(x: Array, state: Array) -> tuple[Array, Array]:
        after = 0.5 * state + x[:, :2]
        return after + x[:, 2:], after

    sequences, states, starts = noise(3, 6, 4), noise(3, 2), np.zeros((3, 6), bool)
    starts[0, 2], starts[1, [3, 4]], starts[2, 0] = True, True, True
    got = unroll(step, *map(tf.constant, (sequences, states, starts)))
    for row in range(3):
        state = states[row : row + 1]
        for t in range(6):
            state = np.zeros_like(state) if starts[row, t] else state
            expected, state = step(sequences[row : row + 1, t], state)
            np.testing.assert_allclose(got[row, t], expected[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["elu", "silu", "tanh"])
def test_smooth_activations_have_smooth_gradients_at_zero_too(name: str) -> None:
    """Observations of zeros and first biases of zero give exactly this input."""

    def gradient(x: float) -> float:
        at = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(at)
            y = ACTIVATIONS[name](XP, at)
        return float(tape.gradient(y, at))

    assert gradient(0.0) == pytest.approx(gradient(1e-4), abs=1e-3)
    assert gradient(0.0) == pytest.approx(gradient(-1e-4), abs=1e-3)


@pytest.mark.parametrize(("name", "seen"), [*sorted(OBSERVED.items()), ("cnn", BESIDE), ("cnn_lstm", BESIDE)])
@pytest.mark.parametrize("shared", [False, True])
def test_what_acted_step_by_step_learns_alike_in_sequences(name: str, seen: Observation, shared: bool) -> None:
    """Three rows of five steps; the second row begins an episode with its third step."""
    policy = policy_of(actor_critic(name, shared, BoxAction((-1.0, -1.0), (1.0, 1.0), (2,)), seen))
    network, count, length = policy.network, 3, 5
    rng = np.random.default_rng(0)
    shape = (length, count, *network.observation.shape)
    images = network.observation is IMAGE
    observations = rng.integers(0, 256, shape).astype(np.uint8) if images else noise(*shape)
    starts = np.zeros((length, count), bool)
    starts[2, 1] = True
    first = state = noise(count, network.state_size)
    acted, values = [], []
    for t in range(length):
        state = state * ~starts[t][:, None]
        sampled = policy.sample(observations[t], state, noise(count, 2))
        acted.append(sampled.outputs)
        values.append(sampled.values[:, 0] if shared else policy.values(observations[t], state))
        np.testing.assert_allclose(policy.values(observations[t], state), values[-1], rtol=1e-4, atol=1e-5)
        state = sampled.states
    if network.recurrent:
        inputs = Inputs(np.moveaxis(observations, 0, 1), first, starts.T)
        expected = np.stack(acted, axis=1), np.stack(values, axis=1)
    else:
        inputs = Inputs(np.concatenate(observations), np.zeros((count * length, 0), np.float32), starts.ravel())
        expected = np.concatenate(acted), np.concatenate(values)
    params, got = learned(policy, inputs)
    np.testing.assert_allclose(params.mean, expected[0], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(got, expected[1], rtol=1e-3, atol=1e-5)
    assert np.std(got) > 1e-3


@pytest.mark.parametrize("shared", [False, True])
def test_what_was_seen_changes_actions_until_it_is_forgotten(shared: bool) -> None:
    policy = policy_of(actor_critic("lstm", shared))
    seen, now, fresh = noise(1, 4), noise(1, 4, seed=3), policy.initial_states(1)
    remembered = policy.sample(seen, fresh, noise(1, 3)).states
    inputs = [Inputs(np.stack([seen, now], axis=1), fresh, np.array([[False, start]])) for start in (False, True)]
    (with_memory, values), (without, other_values) = (learned(policy, x) for x in inputs)
    plain, plain_values = learned(policy, Inputs(now[None], fresh, np.array([[True]])))
    np.testing.assert_allclose(without[0, 1], plain[0, 0], rtol=1e-5)
    np.testing.assert_allclose(other_values[0, 1], plain_values[0, 0], rtol=1e-5)
    assert np.abs(with_memory[0, 1] - plain[0, 0]).max() > 1e-3
    assert abs(values[0, 1] - plain_values[0, 0]) > 1e-3
    assert not np.array_equal(policy.values(now, remembered), policy.values(now, fresh))


class Screen(gymnasium.Env[np.ndarray, Any]):
    """Noise of bytes for seven steps."""

    observation_space = spaces.Box(0, 255, (36, 40, 2), np.uint8)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return self._show(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return self._show(), 1.0, False, self.steps == 7, {}

    def _show(self) -> np.ndarray:
        return self.np_random.integers(0, 256, (36, 40, 2)).astype(np.uint8)


@pytest.mark.parametrize("name", sorted(OBSERVED))
@pytest.mark.parametrize("shared", [False, True])
def test_a_rollouts_log_probs_and_values_are_what_learning_gives_before_the_first_step(name: str, shared: bool) -> None:
    """Two iterations, so that the second begins in mid-episode with what the first remembered."""
    images = OBSERVED[name] is IMAGE
    backend = SerialBackend(Screen if images else lambda: gymnasium.make("CartPole-v1"), 3, "X")
    envs = VecEnv(backend, range(3), 0, "X", rank=0)
    policy = policy_of(actor_critic(name, shared, envs.action, envs.observation))
    if not images:
        policy.observations.update(moments_of(noise(50, 4)))
    envs.reset()
    source = Collector(envs, policy, None, seed=0, gamma=0.99)
    for iteration in range(2):
        rollout = source.collect(iteration, 10 if images else 40)
        assert rollout.ends.any()
        nothing = np.zeros_like(rollout.values)
        batch = batch_of(rollout, policy, nothing, rollout.values, nothing)
        params, values = learned(policy, Inputs(*(x.numpy() for x in batch.inputs)))
        log_probs = policy.distribution.log_prob(XP, params, batch.actions)
        np.testing.assert_allclose(log_probs, batch.log_probs, atol=1e-4)
        np.testing.assert_allclose(values, batch.values, atol=1e-4)
        np.testing.assert_allclose(policy.distribution.kl(XP, batch.params, params), 0.0, atol=1e-5)
    assert not policy.network.recurrent or rollout.states.any()
    inside = ~rollout.ends[:-1]  # where no episode ended, one value is the next one's before it
    np.testing.assert_allclose(rollout.next_values[:-1][inside], rollout.values[1:][inside], atol=1e-5)


def sums(observation_shape: tuple[int, ...], settings: NetworkSettings) -> Network:
    """Remember the sum of all observations so far."""
    size = int(np.prod(observation_shape))

    def encode(xp: Any, parameters: Mapping[str, Array], observations: Array) -> Array:
        return xp.reshape(observations, [-1, size]) * parameters["scale"]

    def step(xp: Any, parameters: Mapping[str, Array], features: Array, states: Array) -> tuple[Array, Array]:
        return features + states, features + states

    return Network([Parameter("scale", (size,), start=2.0)], size, encode, step, state_size=size)


def test_a_network_of_ones_own_acts_and_learns_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baselines_ppo.common.policy.networks.NETWORKS", dict(NETWORKS))
    register_network("sums", sums)
    with pytest.raises(UsageError, match="mlp is built in; give yours another name"):
        register_network("mlp", sums)
    network = actor_critic_of(configure("X", network="sums"), VECTOR, CHOICE)
    assert network.recurrent
    assert network.shared
    assert (
        network.layout.split(network.initial_parameters(np.random.default_rng(0), 0.0))["trunk/scale"].tolist()
        == [2] * 4
    )
    policy = policy_of(network)
    observations = noise(6, 1, 4)
    states, outputs = policy.initial_states(1), []
    for seen in observations:
        sampled = policy.sample(seen, states, noise(1, 3))
        states = sampled.states
        outputs.append(sampled.outputs[0])
    np.testing.assert_allclose(states[0], observations.sum((0, 1)) * policy._parts["trunk/scale"], rtol=1e-4)
    params, _ = learned(
        policy, Inputs(np.moveaxis(observations, 0, 1), policy.initial_states(1), np.zeros((1, 6), bool))
    )
    np.testing.assert_allclose(params[0], outputs, rtol=1e-3, atol=1e-5)


def test_a_network_is_found_by_module_and_function_and_refused_where_it_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("baselines_ppo.common.policy.networks.NETWORKS", dict(NETWORKS))
    network = actor_critic_of(configure("X", network="tests.policy.test_networks:sums"), VECTOR, CHOICE)
    assert network.policy_network.name == "tests.policy.test_networks:sums"
    for name, message in (
        ("tests.policy.test_networks:product", "network tests.policy.test_networks:product not found"),
        ("nowhere:sums", "No module named 'nowhere'"),
        ("lstn", "did you mean lstm"),
    ):
        with pytest.raises(UsageError, match=message):
            find_network(name)


def test_an_agent_whose_network_is_not_known_here_is_refused() -> None:
    """Loading an agent must not import what its file names."""
    network = actor_critic("mlp", False)
    manifest: dict[str, Any] = {"policy": network.to_json(), "clip_observations": 10.0, "env": "X"}
    arrays = {"parameters": network.initial_parameters(np.random.default_rng(0), 0.0)}
    for name, shape in (("observations", (4,)), ("value_targets", ())):
        arrays |= {f"{name}/mean": np.zeros(shape), f"{name}/variance": np.ones(shape), f"{name}/count": np.array(0.0)}
    agent = agent_of(Checkpoint(Path("agent"), manifest, arrays))
    assert agent.act(np.zeros(4)).shape == ()
    manifest["policy"]["policy_network"]["name"] = "tests.policy.test_networks:sums"
    with pytest.raises(LoadError, match="sums is not known here; import what registers it"):
        agent_of(Checkpoint(Path("agent"), manifest, arrays))


def test_what_a_network_cannot_take_is_refused_with_what_can() -> None:
    attempts: list[tuple[dict[str, Any], Observation, str]] = [
        ({"network": "cnn"}, VECTOR, "takes images of at least 36 x 36 pixels"),
        ({"network": "cnn"}, ImageObservation((35, 84, 3), 0), "give --network mlp or lstm"),
        ({"network": "lstm", "alg": "ppo_kl"}, VECTOR, "ppo_kl takes networks without memory"),
        ({"shared_trunk": True, "alg": "trpo"}, VECTOR, "leave out --shared-trunk"),
    ]
    for values, observation, message in attempts:
        with pytest.raises(UsageError, match=message):
            actor_critic_of(configure("X", **values), observation, CHOICE)
