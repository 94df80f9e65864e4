"""Who plays Pong at the right: a trainer, or an agent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from baselines_ppo.common.failures import UsageError
from baselines_ppo.zoo.tasks.table import HOMES, PADDLE_SPEED, REACH

if TYPE_CHECKING:
    from baselines_ppo.common.files.agent import Agent

PLAYED = ("RoboPong-v1", "RoboPongDuel-v1")  # what an agent was trained on that can play

FARTHEST = 0.9  # of a paddle's reach: how far from home the trainer may stand
HASTE = 4.0  # 1/s, the trainer's speed per distance: as much as it can brake from, so that it does not overshoot
TURNED = np.array([-1.0, 1.0])  # of a velocity as at the left: what it is at the right


class Opponent(Protocol):
    """Who moves the paddles at the right."""

    state: dict[str, np.ndarray]  # [n, ...], live: what it must know to go on
    fixed: dict[str, np.ndarray]  # [n], which tells it from others

    def prepare(self, row: int, generator: np.random.Generator) -> None:
        """Get ready for a serve on one of the tables."""

    def velocities(self) -> np.ndarray:
        """Return the velocities that the paddles are to reach, [n, 2] m/s."""


class Trainer:
    """A paddle that goes to another place at each serve, and stays there."""

    def __init__(self, places: np.ndarray) -> None:
        """Take what is on the tables, [n, 3, 2] m, live."""
        self._on_tables = places
        self._places = np.zeros((len(places), 2))  # m, where they go
        self.state, self.fixed = {"trainers": self._places}, dict[str, np.ndarray]()

    def prepare(self, row: int, generator: np.random.Generator) -> None:
        """Choose another place."""
        self._places[row] = HOMES[1] + FARTHEST * REACH * generator.uniform(-1.0, 1.0, 2)

    def velocities(self) -> np.ndarray:
        """Return the velocities that bring it there, [n, 2] m/s."""
        away = self._places - self._on_tables[:, 1]
        return np.clip(HASTE * away, -PADDLE_SPEED, PADDLE_SPEED)


class Trained:
    """An agent that was trained on Pong; it takes its most likely actions."""

    def __init__(self, agent: str, count: int, look: Callable[[], np.ndarray]) -> None:
        """Load an agent.

        Args:
          count: n, of the tables.
          look: returns what players at the right see, [n, 13], see `Game.observe`.

        Raises:
          LoadError: there is none.
          UsageError: it was trained on something else, or it has a memory, which the environment's state would lack.
        """
        from baselines_ppo.common.files.agent import load_agent  # other environments need nothing of agents

        self._agent, self._look = load_agent(agent), look
        if not can_play(self._agent):
            raise UsageError(f"opponent is {agent!r}, which was not trained on {' or '.join(PLAYED)}")
        if self._agent.policy.initial_states(1).size:
            raise UsageError(f"opponent is {agent!r}, which has a memory; give one without")
        self.state: dict[str, np.ndarray] = {}
        self.fixed = {"opponent": np.full(count, _number_of(self._agent))}

    def prepare(self, row: int, generator: np.random.Generator) -> None:
        """Do nothing: it is always ready."""

    def velocities(self) -> np.ndarray:
        """Return what it does about what it sees, [n, 2] m/s; it plays as if at the left."""
        return PADDLE_SPEED * TURNED * np.clip(self._agent.act(self._look()), -1.0, 1.0)


def _number_of(agent: Agent) -> np.uint64:
    """Return a number that tells an agent from others: by what it acts."""
    statistics = agent.policy.observations.state().values()
    acted_by = b"".join(np.ascontiguousarray(x).tobytes() for x in (agent.policy.parameters, *statistics))
    return np.uint64(int.from_bytes(hashlib.sha256(acted_by).digest()[:8], "little"))


def can_play(agent: Agent) -> bool:
    """Return whether an agent was trained on Pong as it is played here."""
    return agent.env_id.rpartition(":")[2] in PLAYED and not agent.wrappers
