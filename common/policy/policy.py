"""The policy that acts: an actor-critic's parameters and statistics, in numpy, the same bits in any batch."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.arrays import NUMPY, Array
from baselines_ppo.common.policy.normalizer import EPSILON, Normalizer
from baselines_ppo.common.policy.observations import images_of, learned_dtype, mask_of
from baselines_ppo.common.policy.rows import (
    DRAWS,
    MOST_ROWS,
    ROWS,
    Function,
    blocked,
    in_fixed_rows,
    independent_rows,
)
from baselines_ppo.common.policy.spaces.images import ImageObservation


class Sampled(NamedTuple):
    """What the policy did for n observations."""

    actions: np.ndarray  # [n, ...]
    outputs: np.ndarray  # [n, network_size], of the policy network
    states: np.ndarray  # [n, S], after this step
    values: np.ndarray  # [n, 1] as the value network gave them, if it shares the policy's; otherwise [n, 0]


class Policy:
    """Parameters and statistics with which an actor-critic acts; both stay frozen during an iteration."""

    def __init__(self, network: ActorCritic, parameters: np.ndarray, observation_clip: float | None) -> None:
        self.network = network
        self.distribution = network.action.distribution
        self._images = images_of(network.observation)
        self._mask = mask_of(network.observation)
        self._columns = _columns_beside(
            network.observation.shape, [*(image.columns for image in self._images), self._mask]
        )
        self._as_bytes = learned_dtype(network.observation) == np.uint8
        self.observations = Normalizer(self._columns.shape if self.normalizes else (), observation_clip)
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
        self._parts = blocked(self.network.layout.split(parameters))

    @property
    def sees_images(self) -> bool:
        """Whether there are images among what it sees."""
        return bool(self._images)

    @property
    def normalizes(self) -> bool:
        """Whether there is anything but images and masks, of which there are running statistics."""
        return self._columns.size > 0

    def numbers(self, observations: np.ndarray) -> np.ndarray:
        """Return of observations [..., D] what the statistics are of, [..., V]: everything but images and masks."""
        return observations[..., self._columns] if self.sees_images or self.network.masked else observations

    def normalize(self, observations: np.ndarray) -> np.ndarray:
        """Return observations, in the environment's dtype or its working one, as the networks take them.

        Numbers are normalised, float32. Pixels are 0 to 1, float32, and among numbers too; where all that is seen are
        bytes from 0 to 255, they stay bytes. So do masks.
        """
        if not self._images and not self.network.masked:
            return self.observations.normalize(observations)
        if self._as_bytes:
            return observations
        if isinstance(self.network.observation, ImageObservation):
            return self.network.observation.scaled(observations)
        seen = np.empty(observations.shape, np.float32)
        for image in self._images:
            seen[..., image.columns] = image.leaf.scaled(observations[..., image.columns])
        seen[..., self._columns] = self.observations.normalize(observations[..., self._columns])
        seen[..., self._mask] = observations[..., self._mask]
        return seen

    def initial_states(self, count: int) -> np.ndarray:
        """Return the states [n, S] of an episode's beginning."""
        return np.zeros((count, self.network.state_size), np.float32)

    def sample(self, observations: np.ndarray, states: np.ndarray, noise: np.ndarray) -> Sampled:
        """Return actions drawn with noise [n, ...] for normalised observations [n, ...] and states [n, S]."""
        outputs, after, values = self._act(observations, states)
        return Sampled(self.distribution.sample(self.params(outputs), noise), outputs, after, values)

    def mode(self, observations: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the most likely actions [n, ...] and the next states for normalised observations and states."""
        outputs, after, _ = self._act(observations, states)
        return self.distribution.mode(self.params(outputs)), after

    def _act(self, observations: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the policy network's outputs, the next states, and values if these come along."""
        return in_fixed_rows(
            functools.partial(self.network.act, NUMPY, self._parts), observations, states, rows=self._acting_rows
        )

    def params(self, outputs: np.ndarray) -> Any:
        """Return the action distribution's parameters from the policy network's outputs [..., network_size]."""
        return self.distribution.from_network(outputs, self._parts)

    def values(self, observations: np.ndarray, states: np.ndarray) -> np.ndarray:
        """Return values [B], in the unit of the scaled rewards, for normalised observations and states before them."""

        (values,) = in_fixed_rows(self._value_function(self._parts), observations, states, rows=self._valued_rows)
        return self.value_targets.denormalize(values)

    def _value_function(self, parts: dict[str, Array]) -> Function:
        return lambda observations, states: (self.network.value(NUMPY, parts, observations, states),)

    @functools.cached_property
    def _acting_rows(self) -> int:
        """How many observations a forward pass of the policy takes at most on this machine."""
        parts, examples = self._examples
        return independent_rows(functools.partial(self.network.act, NUMPY, parts), examples, self._most_rows)

    @functools.cached_property
    def _valued_rows(self) -> int:
        """How many a pass of the value function takes at most."""
        parts, examples = self._examples
        return independent_rows(self._value_function(parts), examples, self._most_rows)

    @property
    def _most_rows(self) -> int:
        return ROWS if self.sees_images else MOST_ROWS  # a convolution makes hundreds of rows of each image

    @functools.cached_property
    def _examples(self) -> tuple[dict[str, Array], tuple[np.ndarray, np.ndarray]]:
        """Return parameters, normalised observations and states to try blocks with, the same on all ranks."""
        rng, network = np.random.default_rng(0), self.network
        parameters = np.float32(0.1) * rng.standard_normal(network.layout.size, np.float32)
        shape = (DRAWS, *network.observation.shape)
        seen = rng.integers(0, 256, shape, np.uint8) if self._as_bytes else rng.standard_normal(shape, np.float32)
        return blocked(network.layout.split(parameters)), (seen, self.initial_states(DRAWS))

    def absorb_value_targets(self) -> None:
        """Let the value network's last layer do what denormalising its outputs did; the values stay the same."""
        mean, variance, _ = self.value_targets.moments
        parts = {name: part.copy() for name, part in self._parts.items()}
        parts["value_head/0/weights"] *= np.float32(np.sqrt(variance + EPSILON))
        parts["value_head/0/bias"] *= np.float32(np.sqrt(variance + EPSILON))
        parts["value_head/0/bias"] += np.float32(mean)
        self.value_targets = Normalizer(())
        self.parameters = self.network.layout.join(parts)


def _columns_beside(shape: tuple[int, ...], taken: Sequence[slice]) -> np.ndarray:
    """Return the columns of a vector [D] outside of these slices; an image alone has none."""
    numbers = np.ones(shape[0] if len(shape) == 1 else 0, dtype=bool)
    for columns in taken:
        numbers[columns] = False
    return np.flatnonzero(numbers)
