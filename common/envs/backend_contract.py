"""What `VecEnv` needs of n environments, in whichever way they are stepped."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from baselines_ppo.common.envs.foreign import named
from baselines_ppo.common.failures import readable
from baselines_ppo.common.policy.actions import Action
from baselines_ppo.common.policy.observations import Observation


class Unusable(Exception):
    """An environment raised, or gave something that cannot be learned from; row None: one of a vector form."""

    def __init__(self, row: int | None, reason: str, raised: bool = False) -> None:
        super().__init__(reason)
        self.row, self.raised = row, raised


class Outcome(NamedTuple):
    """What a step of some of n environments gave, not yet checked; of no use in the rows that were not asked for."""

    observations: np.ndarray  # [n, ...] in the environment's own dtype
    rewards: np.ndarray  # [n] float64
    terminated: np.ndarray  # [n] bool
    truncated: np.ndarray  # [n] bool
    raised: dict[int, str]  # why, by row, where an environment raised; what is above is of no use there


class Backend(Protocol):
    """What `VecEnv` needs of n environments."""

    observation: Observation
    action: Action
    captures: bool  # whether `capture` gives states; else episodes must be replayed

    def reset(self, rows: Sequence[int], seeds: Sequence[int]) -> np.ndarray:
        """Begin an episode in each of these rows; returns observations [k, ...] in the environment's own dtype."""

    def step(self, actions: np.ndarray, rows: Sequence[int]) -> Outcome:
        """Step these rows with their own of the actions [n, ...]."""

    def make_again(self, row: int) -> None:
        """Replace a row that raised by a new environment."""

    def capture(self) -> dict[str, np.ndarray] | None:
        """Return all that the future of each row depends on, arrays [n, ...], or None where that cannot be said."""

    def restore(self, rows: Sequence[int], states: Sequence[dict[str, np.ndarray]]) -> np.ndarray:
        """Bring these rows to states that were captured; returns observations as `reset` does.

        Raises:
          KeyError, ValueError: the states are not of this environment.
        """

    def episode_facts(self) -> dict[str, np.ndarray]:
        """Return what the last step said of each row's episode, see `facts_of_rows`."""

    def set_attributes(self, rows: Sequence[int], attributes: Sequence[Mapping[str, Any]]) -> None:
        """Set these rows' attributes, by name, whenever an episode begins from now on.

        Raises:
          UsageError: there is none of this name, or it cannot be set for each row.
        """

    def close(self) -> None:
        """Close all environments."""


def told(what: str, error: BaseException) -> str:
    """Return what an environment raised in one of its functions, with its traceback."""
    trace = readable("".join(traceback.format_exception(error)).rstrip())
    return f"{what} raised {named(error)}\n{trace}"
