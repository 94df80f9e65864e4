"""What a policy needs of its action distribution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from baselines_ppo.common.policy.arrays import ACTING, Array
from baselines_ppo.common.policy.parameters import Parameter


class Distribution(Protocol):
    """A family of distributions over actions; `params` is whatever `from_network` returned."""

    @property
    def network_size(self) -> int:
        """Number of outputs that the policy network must have; of one step's noise too."""

    @property
    def action_size(self) -> int:
        """Numbers that one action has."""

    @property
    def choice_sizes(self) -> tuple[int, ...]:
        """How many alternatives each choice has, where there are choices: what a mask says of them."""

    def own_parameters(self) -> list[Parameter]:
        """Return what it learns besides the network's outputs."""

    def from_network(self, output: Array, own: Mapping[str, Array]) -> Any:
        """Return the parameters of the distribution from network outputs [..., network_size] and its own parameters."""

    def forbid(self, xp: Any, output: Array, allowed: Array) -> Array:
        """Return network outputs with which nothing is drawn but what is allowed.

        Args:
          allowed: of each alternative of each choice, one behind the other, [..., sum of `choice_sizes`] bool.
        """

    def per_row(self, params: Any) -> Any:
        """Return them with a copy for every row of what is the same in all; numpy."""

    def noise(self, rng: np.random.Generator, steps: int, correlation: float = 0.0) -> np.ndarray:
        """Draw what `sample` needs for one environment, [steps, ...].

        Args:
          correlation: of the noise of a step with that of the step before, for actions that are numbers.
        """

    def sample(self, params: Any, noise: np.ndarray) -> np.ndarray:
        """Return actions, one per row; numpy."""

    def mode(self, params: Any, xp: Any = ACTING) -> Array:
        """Return the most likely actions, one per row."""

    def log_prob(self, xp: Any, params: Any, action: Array) -> Array:
        """Return log pi(action), one number per row."""

    def entropy(self, xp: Any, params: Any) -> Array:
        """Return the entropy, one number per row or one for all rows, in nats."""

    def kl(self, xp: Any, old: Any, new: Any) -> Array:
        """Return KL(old || new), one number per row, in nats."""
