"""The actor-critic: how its networks are wired, and the policy that acts with them in numpy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from baselines_ppo.common.arrays import Array
from baselines_ppo.common.networks import ParameterLayout, dense, dense_shapes, orthogonal
from baselines_ppo.common.normalizer import EPSILON, Normalizer
from baselines_ppo.common.spaces import Action, BoxAction, action_from_json, action_to_json

ROWS = 8  # observations per forward pass when acting, whatever the batch


@dataclass(frozen=True)
class ActorCritic:
    """An MLP policy and value function over one flat parameter vector."""

    observation_size: int
    action: Action
    hidden_sizes: tuple[int, ...]
    activation: str
    shared_trunk: bool

    @cached_property
    def layout(self) -> ParameterLayout:
        """Where each parameter lies; the policy's come first."""
        bodies = ("trunk",) if self.shared_trunk else ("policy", "value")
        shapes = [shape for body in bodies for shape in dense_shapes(body, (self.observation_size, *self.hidden_sizes))]
        features = self.hidden_sizes[-1] if self.hidden_sizes else self.observation_size
        shapes += dense_shapes("policy_head", (features, self.action.distribution.network_size))
        shapes += dense_shapes("value_head", (features, 1))
        if isinstance(self.action, BoxAction):
            shapes.append(("log_std", (len(self.action.low),)))
        return ParameterLayout(tuple(shapes))

    def initial_parameters(self, rng: np.random.Generator, init_log_std: float) -> np.ndarray:
        """Return parameters [P]: orthogonal weights, zero biases, and a nearly uniform first policy."""
        gains = {"policy_head": 0.01, "value_head": 1.0}
        parts: dict[str, np.ndarray] = {}
        for name, shape in self.layout.shapes:
            if name.endswith("/weights"):
                gain = gains.get(name.split("/")[0], math.sqrt(2.0))
                parts[name] = orthogonal(rng, (shape[0], shape[1]), gain)
            else:
                parts[name] = np.full(shape, init_log_std if name == "log_std" else 0.0)
        return self.layout.join(parts)

    def policy_output(self, xp: Any, parameters: Mapping[str, Array], observations: Array) -> Array:
        """Return the policy network's output [..., network_size] for normalised observations [..., D]."""
        features = self._features(xp, parameters, "policy", observations)
        return dense(xp, parameters, "policy_head", features, None)

    def policy(self, xp: Any, parameters: Mapping[str, Array], observations: Array) -> Any:
        """Return the action distribution's parameters for normalised observations [..., D]."""
        output = self.policy_output(xp, parameters, observations)
        return self.action.distribution.from_network(output, parameters.get("log_std"))

    def value(self, xp: Any, parameters: Mapping[str, Array], observations: Array) -> Array:
        """Return the value network's output [...] for normalised observations [..., D]."""
        features = self._features(xp, parameters, "value", observations)
        return dense(xp, parameters, "value_head", features, None)[..., 0]

    def _features(self, xp: Any, parameters: Mapping[str, Array], body: str, observations: Array) -> Array:
        scope = "trunk" if self.shared_trunk else body
        return dense(xp, parameters, scope, observations, self.activation)

    def to_json(self) -> dict[str, Any]:
        """Return the wiring as strict JSON; `from_json` is its inverse."""
        return {
            "observation_size": self.observation_size,
            "action": action_to_json(self.action),
            "hidden_sizes": list(self.hidden_sizes),
            "activation": self.activation,
            "shared_trunk": self.shared_trunk,
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> ActorCritic:
        """Return the wiring that `to_json` wrote."""
        return ActorCritic(
            observation_size=int(data["observation_size"]),
            action=action_from_json(data["action"]),
            hidden_sizes=tuple(int(size) for size in data["hidden_sizes"]),
            activation=str(data["activation"]),
            shared_trunk=bool(data["shared_trunk"]),
        )


class Policy:
    """Parameters and statistics with which an actor-critic acts; both stay frozen during an iteration."""

    def __init__(self, network: ActorCritic, parameters: np.ndarray, observation_clip: float | None) -> None:
        self.network = network
        self.distribution = network.action.distribution
        self.observations = Normalizer((network.observation_size,), observation_clip)
        self.value_targets = Normalizer(())
        self.parameters = parameters

    @property
    def parameters(self) -> np.ndarray:
        """The flat vector [P]; assigning it changes how the policy acts."""
        return self._parameters

    @parameters.setter
    def parameters(self, parameters: np.ndarray) -> None:
        assert parameters.shape == (self.network.layout.size,), "parameters do not fit the network"
        self._parameters = parameters
        self._parts = self.network.layout.split(parameters)

    def sample(self, observations: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return actions [n, ...] and the network's outputs [n, ...] for normalised observations [n, D] and noise."""

        def sample_rows(observations: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, ...]:
            outputs = self.network.policy_output(np, self._parts, observations)
            return self.distribution.sample(self._params(outputs), noise), outputs

        actions, outputs = in_fixed_rows(sample_rows, observations, noise)
        return actions, outputs

    def log_probs(self, outputs: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """Return log pi(a|s) [...] from what `sample` returned, stacked over any leading axes."""
        return self.distribution.log_prob(np, self._params(outputs), actions)

    def mode(self, observations: np.ndarray) -> np.ndarray:
        """Return the most likely actions [n, ...] for normalised observations [n, D]."""

        def mode_rows(observations: np.ndarray) -> tuple[np.ndarray, ...]:
            outputs = self.network.policy_output(np, self._parts, observations)
            return (self.distribution.mode(self._params(outputs)),)

        (actions,) = in_fixed_rows(mode_rows, observations)
        return actions

    def values(self, observations: np.ndarray) -> np.ndarray:
        """Return values [n], in the unit of the scaled rewards, for normalised observations [n, D]."""
        return self.value_targets.denormalize(self.network.value(np, self._parts, observations))

    def absorb_value_targets(self) -> None:
        """Let the value network's last layer do what denormalising its outputs did; the values stay the same."""
        mean, variance, _ = self.value_targets.moments
        parts = {name: part.copy() for name, part in self._parts.items()}
        parts["value_head/0/weights"] *= np.float32(np.sqrt(variance + EPSILON))
        parts["value_head/0/bias"] *= np.float32(np.sqrt(variance + EPSILON))
        parts["value_head/0/bias"] += np.float32(mean)
        self.value_targets = Normalizer(())
        self.parameters = self.network.layout.join(parts)

    def _params(self, outputs: np.ndarray) -> Any:
        return self.distribution.from_network(outputs, self._parts.get("log_std"))


def in_fixed_rows(function: Callable[..., tuple[np.ndarray, ...]], *batches: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return function(*batches), computed `ROWS` rows at a time, the last ones padded.

    Matrix products of different sizes are summed in different orders: the last bit of an action would depend on
    how many environments share the rank. In blocks of one size, each row's result depends on that row alone.
    """
    count = len(batches[0])
    padded = -(-count // ROWS) * ROWS
    if padded != count:
        batches = tuple(np.concatenate([x, np.zeros((padded - count, *x.shape[1:]), x.dtype)]) for x in batches)
    blocks = [function(*(x[i : i + ROWS] for x in batches)) for i in range(0, padded, ROWS)]
    if len(blocks) == 1:
        return tuple(x[:count] for x in blocks[0])
    return tuple(np.concatenate(parts)[:count] for parts in zip(*blocks, strict=True))
