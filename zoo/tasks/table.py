"""Tables with two paddles and a ball each: how these move and bounce, n at once, and what they look like.

All moves in the plane of the table, without friction or spin; it is computed here and not by MuJoCo, so that nothing
is lost when the ball bounces.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np

from baselines_ppo.zoo.scene import CONTROL_STEP, furnish

SUBSTEPS = 4  # per control step
SUBSTEP = CONTROL_STEP / SUBSTEPS  # s
SIDES = np.array([-1.0, 1.0])  # of x, where players 0 and 1 are

HALF_WIDTH = 1.0  # m, the y of the walls
GOAL = 1.65  # m, the |x| beyond which the ball is out
REST = 1.3  # m, the |x| that a paddle starts from, in the middle of its reach
REACH = np.array([0.3, 1.1])  # m, of a paddle's centre along x and y, to both sides
PADDLE_WIDTH, PADDLE_RADIUS = 0.3, 0.03  # m, along y with its round ends; and of these
BALL_RADIUS = 0.025  # m

PADDLE_SPEED = 3.0  # m/s, the most along x, and along y
PADDLE_ACCELERATION = 12.0  # m/s^2, along x, and along y: at full speed after a quarter of a second
# In a substep a ball and a paddle that meet at their highest speeds come 42 mm closer. They touch 55 mm from the
# middle of the paddle: the ball is always seen on the side that it came from.
BALL_SPEED = 6.0  # m/s, at most

TOUCH = BALL_RADIUS + PADDLE_RADIUS  # m, from the axis of a paddle to the centre of a ball that touches it
HALF_AXIS = PADDLE_WIDTH / 2 - PADDLE_RADIUS  # m, of the line that all points of a paddle are near
EDGE = HALF_WIDTH - BALL_RADIUS  # m, the |y| of a ball that touches a wall
HOMES = np.stack([REST * SIDES, np.zeros(2)], axis=1)  # [2, 2] m, where paddles rest

HEIGHT = 0.75  # m, of the table
VIEW = {"trackbodyid": 1, "distance": 3.7, "azimuth": 90.0, "elevation": -65.0}  # player 0 is at the left


class Table:
    """n tables; along the second axis of their arrays come paddle 0, paddle 1 and the ball."""

    def __init__(self, places: np.ndarray) -> None:
        """Take over the places, [n, 3, 2] m, live."""
        self.places = places
        self.velocities = np.zeros_like(places)  # m/s

    def step(self, targets: np.ndarray) -> np.ndarray:
        """Advance all by a control step; returns which paddles were hit by the ball, [n, 2] bool.

        Args:
          targets: [n, 2, 2] m/s, the velocities that the paddles are to reach.
        """
        hit = np.zeros(targets.shape[:2], dtype=bool)
        for _ in range(SUBSTEPS):
            self._drive(targets)
            self._fly()
            self._bounce(hit)
        return hit

    def _drive(self, targets: np.ndarray) -> None:
        """Accelerate and move the paddles; who gets to the end of the reach stands still there."""
        paddles, velocities = self.places[:, :2], self.velocities[:, :2]
        velocities += _clip(targets - velocities, PADDLE_ACCELERATION * SUBSTEP)
        offsets = paddles - HOMES + SUBSTEP * velocities
        within = _clip(offsets, REACH)
        velocities[within != offsets] = 0.0
        paddles[:] = HOMES + within

    def _fly(self) -> None:
        """Move the balls, and bounce them off the walls where they would have met these."""
        ball, velocity = self.places[:, 2], self.velocities[:, 2]
        ball += SUBSTEP * velocity
        y, beyond = ball[:, 1], np.abs(ball[:, 1]) > EDGE
        ball[:, 1] = np.where(beyond, np.copysign(2 * EDGE, y) - y, y)
        velocity[:, 1] = np.where(beyond, -velocity[:, 1], velocity[:, 1])

    def _bounce(self, hit: np.ndarray) -> None:
        """Bounce balls off paddles that they come closer to, as off a mirror that moves; note these in hit, [n, 2]."""
        away = self.places[:, 2:] - self.places[:, :2]  # from the nearest point of each axis, once y is reduced
        away[..., 1] -= _clip(away[..., 1], HALF_AXIS)
        distances = np.hypot(away[..., 0], away[..., 1])
        rows, players = np.nonzero(distances < TOUCH)
        if not rows.size:
            return
        # On the very axis there is no normal, and no bounce.
        normals = away[rows, players] / np.maximum(distances[rows, players], 1e-12)[:, None]
        speeds = (normals * (self.velocities[rows, 2] - self.velocities[rows, players])).sum(axis=1)
        closing = speeds < 0
        rows, players = rows[closing], players[closing]
        velocities = self.velocities[rows, 2] - 2 * speeds[closing, None] * normals[closing]
        fastest = np.maximum(np.hypot(velocities[:, 0], velocities[:, 1]), BALL_SPEED)
        self.velocities[rows, 2] = velocities * (BALL_SPEED / fastest)[:, None]
        hit[rows, players] = True


def build_table() -> mujoco.MjModel:
    """Return a model to be looked at: a table, and bodies `paddle0`, `paddle1` and `ball`, to be put in place."""
    spec = mujoco.MjSpec()
    furnish(spec)
    spec.stat.extent = 4.0
    spec.option.timestep = SUBSTEP
    spec.worldbody.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=[-1.0, -1.0, 4.0],
        dir=[0.3, 0.35, -1.0],
        diffuse=[0.6] * 3,
        castshadow=True,
    )
    _add_board(spec.worldbody.add_body(name="table", pos=[0.0, 0.0, HEIGHT]))
    capsule, sphere = mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_SPHERE
    axis = [0.0, -HALF_AXIS, PADDLE_RADIUS, 0.0, HALF_AXIS, PADDLE_RADIUS]
    for player, colour in enumerate(([0.93, 0.38, 0.16, 1.0], [0.25, 0.72, 0.95, 1.0])):
        body = spec.worldbody.add_body(name=f"paddle{player}", mocap=True, pos=[*HOMES[player], HEIGHT])
        body.add_geom(type=capsule, fromto=axis, size=[PADDLE_RADIUS, 0, 0], rgba=colour, contype=0, conaffinity=0)
    body = spec.worldbody.add_body(name="ball", mocap=True, pos=[0.0, 0.0, HEIGHT + BALL_RADIUS])
    yellow, size = [1.0, 0.92, 0.25, 1.0], [BALL_RADIUS, 0, 0]
    body.add_geom(type=sphere, size=size, rgba=yellow, contype=0, conaffinity=0)
    return spec.compile()


def _add_board(table: Any) -> None:
    """Add the board with its lines, walls and legs."""
    green, white, wood = [0.07, 0.30, 0.24, 1.0], [0.92, 0.92, 0.90, 1.0], [0.55, 0.38, 0.24, 1.0]
    wall = 0.025  # m, half the thickness

    def box(x: float, y: float, z: float, half: list[float], colour: list[float]) -> None:
        kind = mujoco.mjtGeom.mjGEOM_BOX
        table.add_geom(type=kind, pos=[x, y, z], size=half, rgba=colour, contype=0, conaffinity=0)

    length, width = GOAL + 0.05, HALF_WIDTH + 2 * wall
    box(0.0, 0.0, -0.02, [length, width, 0.02], green)
    box(0.0, 0.0, 0.0, [0.012, HALF_WIDTH, 0.001], white)
    for side in (-1, 1):
        box(side * GOAL, 0.0, 0.0, [0.012, HALF_WIDTH, 0.001], white)
        box(0.0, side * (HALF_WIDTH + wall), 0.015, [length, wall, 0.015], wood)
        for end in (-1, 1):
            middle = (0.04 - HEIGHT) / 2 - 0.04
            box(end * (length - 0.1), side * (width - 0.1), middle, [0.04, 0.04, (HEIGHT - 0.04) / 2], wood)


def _clip(values: np.ndarray, most: np.ndarray | float) -> np.ndarray:
    """Return values no farther from 0 than `most`; np.clip takes longer for few."""
    return np.minimum(np.maximum(values, -most), most)
