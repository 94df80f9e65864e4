"""Pong: return the ball with a paddle, against a paddle that stands somewhere, or against another player."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from gymnasium.utils.seeding import np_random

from baselines_ppo.zoo.simulation import Simulation
from baselines_ppo.zoo.task import Task, TaskOutcome
from baselines_ppo.zoo.tasks.opponents import TURNED, Opponent, Trained, Trainer
from baselines_ppo.zoo.tasks.table import (
    BALL_SPEED,
    GOAL,
    HOMES,
    PADDLE_SPEED,
    REACH,
    SIDES,
    SUBSTEPS,
    VIEW,
    Table,
    build_table,
)

SERVE_SPEED = (2.0, 2.5)  # m/s, along x
SERVE_DRIFT = 2.0  # m/s, the most along y
SERVE_PLACE = 0.9  # m, the most |y|
PATIENCE = 150  # control steps from a serve or a return to the next return, or the ball is served again
HINT = 0.01  # s/m, the reward for a return, times the ball's speed along x

SPEED_SCALE = 0.5  # s/m, of observed speeds
HALF_RANGES = np.array([REACH, REACH, [2.0, 1.1]])  # m, of observed places: paddle 0, paddle 1, ball
MIDDLES = np.array([*HOMES, [0.0, 0.0]])  # m
# What player 1 sees, of what player 0 sees: paddles change places, and left and right too.
SWAPPED = [4, 5, 6, 7, 0, 1, 2, 3, 8, 9, 10, 11, 12]
MIRROR = np.array([-1, -1, 1, 1] * 3 + [1], dtype=np.float32)


class Terms(NamedTuple):
    """What the rewards of a step are the sums of."""

    return_hint: np.ndarray  # to hit the ball at all is what must be learned first
    point: np.ndarray  # 1 when the other missed a ball that was returned before, -1 for a miss


class Game:
    """n tables, and on each a rally: who is to return the ball, and since when."""

    def __init__(self, count: int, alone: bool = False) -> None:
        """Lay the tables; nothing is served.

        Args:
          alone: whether player 0 plays alone, and is served every ball.
        """
        self.simulation = Simulation(build_table(), count, SUBSTEPS)
        self.table = Table(self.simulation.mocap_pos[:, :, :2])
        self._alone = alone
        self.awaited = np.zeros(count, dtype=np.int64)  # the player who is to return the ball
        self.returns = np.zeros(count, dtype=np.int64)  # since it was served
        self.waited = np.zeros(count, dtype=np.int64)  # control steps since then, or since the last return
        self.missed = np.zeros((count, 2), dtype=bool)  # who has let the ball pass in the last step
        self.state = {
            "velocities": self.table.velocities,
            "awaited": self.awaited,
            "returns": self.returns,
            "waited": self.waited,
        }

    def begin(self, row: int, generator: np.random.Generator) -> None:
        """Begin a game with the paddles at rest, and a serve to either player."""
        self.table.places[row, :2], self.table.velocities[row, :2] = HOMES, 0.0
        self._serve(row, 0 if self._alone else int(generator.integers(2)), generator)

    def step(self, targets: np.ndarray, generators: Sequence[np.random.Generator]) -> tuple[Terms, np.ndarray]:
        """Advance all by a control step; returns what both players earned, [n, 2] each, and where was served, [n] bool.

        Args:
          targets: [n, 2, 2] m/s, the velocities that the paddles are to reach.
        """
        hit = self.table.step(targets)
        x, speed = self.table.places[:, 2, 0], self.table.velocities[:, 2, 0]
        returned = hit & (self.awaited[:, None] == [0, 1]) & (speed[:, None] * SIDES < 0)
        hints = HINT * np.abs(speed)[:, None] * returned
        self._count(returned.any(axis=1))
        self.missed = missed = x[:, None] * SIDES > GOAL
        points = (missed[:, ::-1] & (self.returns > 0)[:, None]) - missed.astype(np.float64)
        out = missed.any(axis=1)
        served = out | (self.waited >= PATIENCE)
        # To who won the point; after a long wait, to the same player again.
        receivers = np.where(out, missed[:, 0], self.awaited)
        for row in np.flatnonzero(served).tolist():
            self._serve(row, 0 if self._alone else int(receivers[row]), generators[row])
        return Terms(hints, points), served

    def observe(self, player: int) -> np.ndarray:
        """Return what a player sees, who is always at the left, [n, 13] float32.

        For each paddle and the ball x, its speed, y and its speed; then minus the share of the patience that is gone.
        """
        places = (self.table.places - MIDDLES) / HALF_RANGES
        moving = np.stack([places, SPEED_SCALE * self.table.velocities], axis=-1).reshape(len(places), -1)
        seen = np.concatenate([moving, self.waited[:, None] / -PATIENCE], axis=1).astype(np.float32)
        return seen if player == 0 else seen[:, SWAPPED] * MIRROR

    def _count(self, returned: np.ndarray) -> None:
        self.awaited[:] = np.where(returned, 1 - self.awaited, self.awaited)
        self.returns += returned
        self.waited[:] = np.where(returned, 0, self.waited + 1)

    def _serve(self, row: int, player: int, generator: np.random.Generator) -> None:
        """Serve the ball to a player, from the centre line."""
        self.table.places[row, 2] = 0.0, generator.uniform(-SERVE_PLACE, SERVE_PLACE)
        speed, drift = generator.uniform(*SERVE_SPEED), generator.uniform(-SERVE_DRIFT, SERVE_DRIFT)
        self.table.velocities[row, 2] = SIDES[player] * speed, drift
        self.awaited[row], self.returns[row], self.waited[row] = player, 0, 0


class Pong(Task):
    """n players, each against a trainer or against an agent."""

    def __init__(self, count: int, opponent: str | None = None) -> None:
        """Lay the tables; nothing is served.

        Args:
          opponent: the agent that plays at the right, as `load` takes it; None: a trainer.
        """
        self.game = Game(count, alone=opponent is None)
        self._opponent: Opponent = (
            Trainer(self.game.table.places)
            if opponent is None
            else Trained(opponent, count, partial(self.game.observe, 1))
        )
        self.simulation, self.view = self.game.simulation, VIEW
        self.observation_size, self.action_size = len(MIRROR), 2
        self.observation_bound = SPEED_SCALE * BALL_SPEED
        self._failed = np.zeros(count, dtype=bool)
        self.state, self.fixed = {**self._opponent.state, **self.game.state}, self._opponent.fixed

    def begin(self, rows: list[int], generators: Sequence[np.random.Generator]) -> None:
        """Begin an episode in each of these rows."""
        self.simulation.reset(rows)
        for row, generator in zip(rows, generators, strict=True):
            self.game.begin(row, generator)
            self._opponent.prepare(row, generator)

    def step(self, actions: np.ndarray, generators: Sequence[np.random.Generator]) -> TaskOutcome:
        """Advance all by a control step with actions [n, 2] within [-1, 1]: the velocity of the paddle."""
        targets = np.stack([PADDLE_SPEED * actions, self._opponent.velocities()], axis=1)
        terms, served = self.game.step(targets, generators)
        for row in np.flatnonzero(served).tolist():
            self._opponent.prepare(row, generators[row])
        return TaskOutcome(Terms(*(term[:, 0] for term in terms)), self._failed, self._failed)

    def look(self) -> None:
        """Do nothing: all is read where it lives."""

    def observe(self) -> np.ndarray:
        """Return observations [n, 13] float32."""
        return self.game.observe(0)


class PongMatch:
    """n games between two players, each with a random stream of its own; they go on until they are reset."""

    def __init__(self, count: int, seed: int) -> None:
        """Set up the games; row i is seeded with seed + i."""
        self.game = Game(count)
        self.simulation, self.view = self.game.simulation, VIEW
        self.generators = [np_random(seed + row)[0] for row in range(count)]

    def reset(self) -> np.ndarray:
        """Begin all games; returns what the players see, [n, 2, 13] float32, each as if at the left."""
        for row, generator in enumerate(self.generators):
            self.game.begin(row, generator)
        return self._observe()

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Advance all by a control step; returns observations [n, 2, 13] and rewards [n, 2].

        Args:
          actions: [n, 2, 2], of each player as if at the left; beyond [-1, 1] they are clipped.
        """
        expected = (len(self.generators), 2, 2)
        if np.shape(actions) != expected or not np.isfinite(actions).all():
            raise ValueError(f"actions of shape {np.shape(actions)}, expected {expected} finite numbers")
        targets = PADDLE_SPEED * np.clip(actions, -1.0, 1.0)
        targets[:, 1] *= TURNED
        terms, _ = self.game.step(targets, self.generators)
        return self._observe(), terms.return_hint + terms.point

    def _observe(self) -> np.ndarray:
        return np.stack([self.game.observe(player) for player in (0, 1)], axis=1)
