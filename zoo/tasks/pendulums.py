"""Carts on rails that balance poles: one pole, one that hangs at first, or two of which one stands on the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import mujoco
import numpy as np

from baselines_ppo.zoo.scene import Placed, build_scene
from baselines_ppo.zoo.simulation import Simulation
from baselines_ppo.zoo.task import Task, TaskOutcome

# One substep of 16.5 ms, of fourth order, as nothing touches and the only springs are the ends of the rail. It costs
# as much as four of the walkers' kind, and one pole that swings freely for 10 s keeps more than 0.999 of its energy,
# not 0.97; two keep 0.98, not 0.5. None of 16 carts became unstable in 1000 steps of random or of greedy pushes.
SUBSTEPS, INTEGRATOR = 1, mujoco.mjtIntegrator.mjINT_RK4

START_NOISE = 0.1  # rad, of each hinge at the start, to both sides
HALF_POLE = 0.3  # m, from a hinge to the centre of the pole on it
MOST_LEAN = 0.2  # rad, of a pole that still counts as balanced
ALIVE = 10.0  # per step, of two poles that stand
AIM = 2.0  # m, of the tip of two poles above the rail: more than they reach, so that higher is always better
LEAST_TIP = 1.0  # m, at which they count as fallen; upright it is 1.2
OFF_CENTRE_COST = 0.01  # times the square of x in m


class Balanced(NamedTuple):
    """What one pole earns [n] that is to stay up."""

    alive: np.ndarray


class SwungUp(NamedTuple):
    """What one pole earns [n] that is to get up."""

    upright: np.ndarray  # the cosine of its angle


class BothBalanced(NamedTuple):
    """What two poles earn [n]."""

    alive: np.ndarray
    distance: np.ndarray  # m^2, of the tip from its aim


class Carts(Task):
    """n carts, each on a rail of 1 m to both sides; hinge angles are in rad, 0 upright, positive towards +x."""

    observation_bound = np.inf  # as speeds have no limit
    action_size = 1

    def __init__(
        self,
        model: str,
        see: Callable[[Simulation], np.ndarray],
        judge: Callable[[Simulation], tuple[Any, np.ndarray]],
        start: float,
        distance: float,
        count: int,
    ) -> None:
        """Build the scene.

        Args:
          model: a file of robots/, whose joints are the slider and then the hinges.
          see: returns observations [n, D].
          judge: returns the terms of the rewards, and which episodes have ended, [n] bool.
          start: rad, of the first hinge, about which episodes begin.
          distance: m, of the camera.
        """
        scene = build_scene([Placed(model, feet=())], SUBSTEPS)
        scene.opt.integrator = INTEGRATOR
        self.simulation = Simulation(scene, count, SUBSTEPS)
        self._see, self._judge = see, judge
        self.observation_size = see(self.simulation).shape[1]
        self.view = {"trackbodyid": 1, "distance": distance, "azimuth": 90.0, "elevation": -8.0}
        self.state: dict[str, np.ndarray] = {}
        self._start = np.zeros(scene.nq - 1)
        self._start[0] = start

    def begin(self, rows: list[int], generators: Sequence[np.random.Generator]) -> None:
        """Begin an episode in each of these rows, at rest in the middle of the rail."""
        self.simulation.reset(rows)
        for row, generator in zip(rows, generators, strict=True):
            noise = generator.uniform(-START_NOISE, START_NOISE, len(self._start))
            self.simulation.qpos[row, 1:] = self._start + noise

    def step(self, actions: np.ndarray, generators: Sequence[np.random.Generator]) -> TaskOutcome:
        """Advance all by a control step with actions [n, 1] within [-1, 1]."""
        self.simulation.ctrl[:] = actions
        failed = self.simulation.step()
        return TaskOutcome(*self._judge(self.simulation), failed)

    def look(self) -> None:
        """Do nothing: what is known is the simulation's."""

    def observe(self) -> np.ndarray:
        """Return observations [n, D] float32."""
        return self._see(self.simulation).astype(np.float32)


def one_pole(simulation: Simulation) -> np.ndarray:
    """Return what is seen of one pole, [n, 5]."""
    (x, angle), (speed, rate) = simulation.qpos.T, simulation.qvel.T
    return np.stack([x, speed, np.cos(angle), np.sin(angle), rate], axis=1)


def balanced(simulation: Simulation) -> tuple[Balanced, np.ndarray]:
    """Judge one pole that is to stay up."""
    angle = simulation.qpos[:, 1]
    return Balanced(np.ones(len(angle))), np.abs(angle) > MOST_LEAN


def swung_up(simulation: Simulation) -> tuple[SwungUp, np.ndarray]:
    """Judge one pole that is to get up."""
    angle = simulation.qpos[:, 1]
    return SwungUp(np.cos(angle)), np.zeros(len(angle), dtype=bool)


def two_poles(simulation: Simulation) -> np.ndarray:
    """Return what is seen of two poles, [n, 9]."""
    (x, first, second), (speed, *rates) = simulation.qpos.T, simulation.qvel.T
    seen = [x, speed, second_centre(simulation)[0]]
    for angle, rate in zip((first, second), rates, strict=True):
        seen += [np.cos(angle), np.sin(angle), rate]
    return np.stack(seen, axis=1)


def both_balanced(simulation: Simulation) -> tuple[BothBalanced, np.ndarray]:
    """Judge two poles that are to stay up."""
    x, height = second_centre(simulation)
    tip = height + HALF_POLE  # as if the second pole were always upright: Roboschool's measure
    distance = -OFF_CENTRE_COST * x**2 - (tip - AIM) ** 2
    return BothBalanced(np.full(len(x), ALIVE), distance), tip <= LEAST_TIP


def second_centre(simulation: Simulation) -> tuple[np.ndarray, np.ndarray]:
    """Return x and the height above the rail of the second poles' centres, each [n] m."""
    x, first, second = simulation.qpos.T
    lean = first + second
    return (
        x + 2 * HALF_POLE * np.sin(first) + HALF_POLE * np.sin(lean),
        2 * HALF_POLE * np.cos(first) + HALF_POLE * np.cos(lean),
    )


# Of the number of carts.
InvertedPendulum = partial(Carts, "inverted_pendulum", one_pole, balanced, 0.0, 3.2)
InvertedPendulumSwingup = partial(Carts, "inverted_pendulum", one_pole, swung_up, np.pi, 3.2)
InvertedDoublePendulum = partial(Carts, "inverted_double_pendulum", two_poles, both_balanced, 0.0, 3.9)
