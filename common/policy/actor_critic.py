"""The actor-critic: how networks and last layers are wired into a policy and a value function."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.common.policy.actions import Action, action_from_json, action_to_json
from baselines_ppo.common.policy.arrays import Array
from baselines_ppo.common.policy.distributions import LOG_STD
from baselines_ppo.common.policy.layers import dense, dense_parameters
from baselines_ppo.common.policy.networks import Network, NetworkSettings, network_of
from baselines_ppo.common.policy.observations import MaskedObservation, Observation, mask_of, seen_in
from baselines_ppo.common.policy.parameters import Parameter, ParameterLayout, initial_value
from baselines_ppo.common.policy.spaces.observation_json import observation_from_json, observation_to_json

POLICY, VALUE, TRUNK = "policy", "value", "trunk"


class Inputs(NamedTuple):
    """What the networks see when they learn: single steps [B, ...], or with memory whole sequences [m, T, ...]."""

    observations: Array  # [B, ...] or [m, T, ...], normalised; with masks [.., D + M]
    states: Array  # [B, 0], or [m, S] before the first step of each sequence
    starts: Array  # [B] or [m, T] bool: an episode begins with this step, so nothing is remembered


@dataclass(frozen=True)
class ActorCritic:
    """A policy and a value function over one flat parameter vector, each with its own network or sharing one."""

    observation: Observation
    action: Action
    policy_network: NetworkSettings
    value_network: NetworkSettings | None  # None: shares the policy's

    @cached_property
    def networks(self) -> dict[str, Network]:
        """The networks by the scope of their parameters."""
        seen = seen_in(self.observation)
        if self.value_network is None:
            return {TRUNK: network_of(self.policy_network, seen)}
        return {POLICY: network_of(self.policy_network, seen), VALUE: network_of(self.value_network, seen)}

    @cached_property
    def parameters(self) -> list[Parameter]:
        """All parameters: the networks', then the last layers', in the order in which they are drawn."""
        inner = [
            parameter._replace(name=f"{scope}/{parameter.name}")
            for scope, network in self.networks.items()
            for parameter in network.parameters
        ]
        policy, value = self._network(POLICY), self._network(VALUE)
        size = self.action.distribution.network_size
        last = [
            *dense_parameters("policy_head", (policy.features, size), gain=0.01),  # first actions nearly uniform
            *dense_parameters("value_head", (value.features, 1), gain=1.0),
        ]
        return [*inner, *last, *self.action.distribution.own_parameters()]

    @cached_property
    def layout(self) -> ParameterLayout:
        """Where each parameter lies: the policy's (or the shared trunk's) first, then the value function's."""
        return ParameterLayout((*self.policy_layout.shapes, *self.value_layout.shapes))

    @cached_property
    def policy_layout(self) -> ParameterLayout:
        """Where each parameter of the policy lies, and of what it shares."""
        return ParameterLayout(tuple((p.name, p.shape) for p in self.parameters if not p.name.startswith(VALUE)))

    @cached_property
    def value_layout(self) -> ParameterLayout:
        """Where each parameter of the value function lies, in a vector of its own."""
        return ParameterLayout(tuple((p.name, p.shape) for p in self.parameters if p.name.startswith(VALUE)))

    @property
    def shared(self) -> bool:
        """Whether policy and value function share a trunk."""
        return self.value_network is None

    @cached_property
    def masked(self) -> bool:
        """Whether what is seen says which actions are allowed."""
        return isinstance(self.observation, MaskedObservation)

    @cached_property
    def _mask(self) -> slice:
        return mask_of(self.observation)

    @property
    def recurrent(self) -> bool:
        """Whether what it does depends on more than the last observation."""
        return self.state_size > 0

    @cached_property
    def state_size(self) -> int:
        """S, numbers that are remembered from step to step, of all networks."""
        return sum(network.state_size for network in self.networks.values())

    @property
    def policy_state_size(self) -> int:
        """How many of these numbers belong to the policy network, or to the one that is shared."""
        return self._network(POLICY).state_size

    @property
    def convolutional(self) -> bool:
        """Whether there are convolutions."""
        return any(network.convolutional for network in self.networks.values())

    def initial_parameters(self, rng: np.random.Generator, init_log_std: float) -> np.ndarray:
        """Return parameters [P]: orthogonal weights, zero biases, and a nearly uniform first policy."""
        parts = {parameter.name: initial_value(parameter, rng) for parameter in self.parameters}
        if LOG_STD in parts:
            parts[LOG_STD] += np.float32(init_log_std)
        return self.layout.join(parts)

    def with_log_std(self, parameters: np.ndarray, log_std: float) -> np.ndarray:
        """Return parameters [P] with this log std in all dimensions of the actions; other policies have none."""
        parts = self.layout.split(parameters)
        if LOG_STD not in parts:
            return parameters
        return self.layout.join({**parts, LOG_STD: np.full_like(parts[LOG_STD], log_std)})

    def act(
        self, xp: Any, parameters: Mapping[str, Array], observations: Array, states: Array
    ) -> tuple[Array, Array, Array]:
        """Return the policy network's output [B, network_size], the next states [B, S], and values.

        Values are [B, 1] if policy and value function share a network, which has them at hand; otherwise [B, 0].

        Args:
          observations: as `Policy.normalize` gives them, [B, D] or [B, H, W, C], or with masks [B, D + M].
          states: [B, S], zero where an episode begins; S is 0 without memory.
        """
        if not self.recurrent:
            features, _ = self._step(xp, parameters, POLICY, observations, states)
            return self._acted(xp, parameters, features, observations, states)
        roles = (POLICY,) if self.shared else (POLICY, VALUE)
        steps = [self._step(xp, parameters, role, observations, states) for role in roles]
        after = xp.concatenate([after for _, after in steps], axis=-1)
        return self._acted(xp, parameters, steps[0][0], observations, after)

    def _acted(
        self, xp: Any, parameters: Mapping[str, Array], features: Array, observations: Array, states: Array
    ) -> tuple[Array, Array, Array]:
        output = self._output(xp, parameters, features, observations)
        return output, states, dense(xp, parameters, "value_head", features, None) if self.shared else features[:, :0]

    def act_alone(
        self, xp: Any, parameters: Mapping[str, Array], observations: Array, states: Array
    ) -> tuple[Array, Array]:
        """Return the first two results of `act`, with nothing of the value function in them.

        Args:
          states: of the policy network alone, [B, policy_state_size].
        """
        features, states = self._step(xp, parameters, POLICY, observations, states)
        return self._output(xp, parameters, features, observations), states

    def value(self, xp: Any, parameters: Mapping[str, Array], observations: Array, states: Array) -> Array:
        """Return the value network's output [B] for the arguments of `act`."""
        features, _ = self._step(xp, parameters, VALUE, observations, states)
        return dense(xp, parameters, "value_head", features, None)[..., 0]

    def learn(self, xp: Any, parameters: Mapping[str, Array], inputs: Inputs) -> tuple[Any, Array]:
        """Return what a loss needs: the action distribution's parameters and the values, one per step of `inputs`."""
        policy = self._features(xp, parameters, POLICY, inputs)
        value = policy if self.shared else self._features(xp, parameters, VALUE, inputs)
        return self._params(xp, parameters, policy, inputs), dense(xp, parameters, "value_head", value, None)[..., 0]

    def learn_policy(self, xp: Any, parameters: Mapping[str, Array], inputs: Inputs) -> Any:
        """Return the first result of `learn`, for which the policy's parameters are enough."""
        return self._params(xp, parameters, self._features(xp, parameters, POLICY, inputs), inputs)

    def learn_value(self, xp: Any, parameters: Mapping[str, Array], inputs: Inputs) -> Array:
        """Return the second result of `learn`, for which the value function's parameters are enough."""
        return dense(xp, parameters, "value_head", self._features(xp, parameters, VALUE, inputs), None)[..., 0]

    def _params(self, xp: Any, parameters: Mapping[str, Array], features: Array, inputs: Inputs) -> Any:
        output = self._output(xp, parameters, features, inputs.observations)
        return self.action.distribution.from_network(output, parameters)

    def _output(self, xp: Any, parameters: Mapping[str, Array], features: Array, observations: Array) -> Array:
        """Return the policy network's output [.., network_size], with which nothing forbidden is drawn."""
        output = dense(xp, parameters, "policy_head", features, None)
        if not self.masked:
            return output
        mask = xp.asarray(observations[..., self._mask], np.float32)  # TFLite does not compare bytes
        return self.action.distribution.forbid(xp, output, mask > 0)

    def _seen(self, xp: Any, observations: Array) -> Array:
        """Return of observations [B, ...] what the networks see: all but the mask, in the shape that they take."""
        if not self.masked:
            return observations
        shape, flat = seen_in(self.observation).shape, observations[..., : self._mask.start]
        return flat if len(shape) == 1 else xp.reshape(flat, [-1, *shape])

    def _features(self, xp: Any, parameters: Mapping[str, Array], role: str, inputs: Inputs) -> Array:
        """Return what is given to a last layer, [B, F] or [m, T, F]."""
        network, own = self._network(role), self._own(parameters, role)
        if network.step is None:
            return network.encode(xp, own, self._seen(xp, inputs.observations))
        from baselines_ppo.common.policy.recurrence import unroll  # needs TensorFlow, which acting does not

        lead = inputs.observations.shape[:2]
        steps = xp.reshape(inputs.observations, [-1, *self.observation.shape])
        encoded = network.encode(xp, own, self._seen(xp, steps))
        sequences = xp.reshape(encoded, [*lead, encoded.shape[-1]])
        step = functools.partial(network.step, xp, own)
        return unroll(step, sequences, inputs.states[:, self._memory(role)], inputs.starts)

    def _step(
        self, xp: Any, parameters: Mapping[str, Array], role: str, observations: Array, states: Array
    ) -> tuple[Array, Array]:
        """Return what is given to a last layer, [B, F], and the next states of that network."""
        network, own = self._network(role), self._own(parameters, role)
        features, memory = network.encode(xp, own, self._seen(xp, observations)), states[:, self._memory(role)]
        return (features, memory) if network.step is None else network.step(xp, own, features, memory)

    def _memory(self, role: str) -> slice:
        """Return where in the states [.., S] the memory of a role's network lies."""
        size = self._network(role).state_size
        return slice(0, size) if role == POLICY else slice(self.state_size - size, self.state_size)

    def _scope(self, role: str) -> str:
        return TRUNK if self.shared else role

    @cached_property
    def _names(self) -> dict[str, list[tuple[str, str]]]:
        """By scope, the names of its network's parameters: their own, and those that they have here."""
        return {
            scope: [(parameter.name, f"{scope}/{parameter.name}") for parameter in network.parameters]
            for scope, network in self.networks.items()
        }

    def _own(self, parameters: Mapping[str, Array], role: str) -> dict[str, Array]:
        """Return the parameters of a role's network under their own names."""
        return {name: parameters[full] for name, full in self._names[self._scope(role)]}

    def _network(self, role: str) -> Network:
        return self.networks[self._scope(role)]

    def to_json(self) -> dict[str, Any]:
        """Return the wiring as strict JSON; `from_json` is its inverse."""
        return {
            "observation": observation_to_json(self.observation),
            "action": action_to_json(self.action),
            "policy_network": asdict(self.policy_network),
            "value_network": None if self.value_network is None else asdict(self.value_network),
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> ActorCritic:
        """Return the wiring that `to_json` wrote."""
        shared = data["value_network"] is None
        return ActorCritic(
            observation=observation_from_json(data["observation"]),
            action=action_from_json(data["action"]),
            policy_network=_settings(data["policy_network"]),
            value_network=None if shared else _settings(data["value_network"]),
        )


def _settings(data: dict[str, Any]) -> NetworkSettings:
    sizes = tuple(int(size) for size in data["hidden_sizes"])
    return NetworkSettings(str(data["name"]), sizes, str(data["activation"]), int(data["lstm_size"]))
