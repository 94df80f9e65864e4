"""Pong between a person and an agent: a direction in, a score out, with no screen and no clock."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.files.pretrained import PREFIX
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.run.agents.acting import backend_for
from baselines_ppo.run.agents.scoring import trusted_agent
from baselines_ppo.run.show.motion import Motion
from baselines_ppo.run.show.simulated import Simulated
from baselines_ppo.zoo.scene import CONTROL_STEP
from baselines_ppo.zoo.tasks.opponents import PLAYED, can_play
from baselines_ppo.zoo.tasks.pong import PongMatch

PERSON, AGENT = 0, 1  # at the left, at the right
LEVELS = {"easy": 0.35, "medium": 0.6, "hard": 1.0}  # of the speed that the agent asks for
POINTS = 11  # that win a game
BREAK = 0.8  # s, in which all stands still before a serve


class Duel:
    """One game after the other. A player who lets the ball pass loses the point. Not for several threads at once."""

    def __init__(self, agent: Agent, seed: int = 0, level: str = "hard") -> None:
        """Begin a game.

        Args:
          level: one of `LEVELS`.
        """
        self._agent, self.level = agent, level
        self._match = PongMatch(1, seed)
        simulation = self._match.simulation
        self.simulated = Simulated(simulation.model, partial(simulation.data, 0), CONTROL_STEP, self._match.view)
        self._way = np.zeros(2)
        self.reset()

    def reset(self) -> None:
        """Begin another game."""
        self._agent.reset()
        self._seen = self._match.reset()[0]  # what both see, [2, 13], each as if at the left
        self.motion = Motion(self.simulated)
        self.points = np.zeros(2, dtype=np.int64)  # the person's, and the agent's
        self.returns = self.longest = 0  # of the ball since it was served, and at most in this game
        self._standstill = BREAK  # s

    def step(self) -> None:
        """Go on by a control step, unless the game is over, or all stands still before a serve."""
        if self._standstill > 0 or self.over:
            self._standstill = max(self._standstill - CONTROL_STEP, 0.0)
            self.motion.jump()
            return
        answer = LEVELS[self.level] * self._agent.act(self._seen[AGENT])
        observations, _ = self._match.step(np.stack([self._way, answer])[None])
        self._seen = observations[0]
        self.motion.step()
        game = self._match.game
        self.returns = int(game.returns[0])
        self.longest = max(self.longest, self.returns)
        if game.missed.any():
            self.points += game.missed[0, ::-1]
            self._standstill = BREAK

    def move(self, x: float, y: float) -> None:
        """Let the person's paddle go that way from now on, ahead and up: parts of its highest speed, -1 to 1."""
        self._way = np.array([x, y], dtype=float)

    @property
    def seen(self) -> np.ndarray:
        """What the person sees as players do, [13], see `Game.observe`."""
        return self._seen[PERSON]

    @property
    def place(self) -> tuple[float, float]:
        """Where the person's paddle is, x and y in m."""
        x, y = self._match.game.table.places[0, PERSON]
        return float(x), float(y)

    @property
    def over(self) -> bool:
        """Whether somebody has won."""
        return bool(self.points.max() >= POINTS)

    @property
    def doing(self) -> str:
        """How it goes, in words."""
        if self.over:
            return "you won" if self.points[PERSON] > self.points[AGENT] else "the agent won"
        return "serve" if self._standstill > 0 else counted(self.returns, "return")

    def close(self) -> None:
        """Do nothing: it holds nothing."""


def player(typed: str, network: str | None = None) -> Agent:
    """Return who plays when a user types this.

    Args:
      network: where the agent's own kind of network is from, see `find_network`.

    Raises:
      UsageError: it was trained on another environment.
      LoadError: there is no such agent, or it does not fit.
    """
    agent, name = trusted_agent(typed, network), short(Path(typed.removeprefix(PREFIX)).name)
    if not can_play(agent):
        seen = ", ".join(filter(None, (agent.env_id, agent.env_kwargs, *agent.wrappers)))
        known = " or ".join(PLAYED)
        raise UsageError(f"{name} cannot play: it was trained on {short(seen)}; give one that was on {known}")
    backend_for(agent, EnvironmentSpec(PLAYED[0])).close()
    return agent
