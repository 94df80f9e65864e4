"""Carts on rails that balance poles: one pole, one that hangs at first, or two of which one stands on the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import mujoco
import numpy as np

from baselines_ppo.zoo.scene import PREFIX, Placed, build_scene
from baselines_ppo.zoo.simulation import Simulation
from baselines_ppo.zoo.task import Outcome

# One substep of 16.5 ms, of fourth order, as nothing touches and the only springs are the ends of the rail. It costs
# as much as four of those that walkers have, and a pole that swings freely for 10 s keeps 0.9999 of its energy, not
# 0.97; two poles keep 0.98, not 0.4. None of 16 carts became unstable in 1000 steps of random or of greedy pushes.
SUBSTEPS, INTEGRATOR = 1, mujoco.mjtIntegrator.mjINT_RK4

START_NOISE = 0.1  # rad, of each hinge at the start, to both sides
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


class _Carts:
    """n carts, each on a rail of 1 m to both sides; hinge angles are in rad, 0 upright, positive towards +x."""

    observation_bound = np.inf  # as speeds have no limit

    def __init__(self, model: str, count: int, observation_size: int, start: float = 0.0) -> None:
        """Build the scene.

        Args:
          model: a file of robots/, whose joints are the slider and then the hinges.
          start: rad, of the first hinge, about which episodes begin.
        """
        self.model = build_scene([Placed(model, feet=())], SUBSTEPS)
        self.model.opt.integrator = INTEGRATOR
        self.simulation = Simulation(self.model, count, SUBSTEPS)
        self.observation_size, self.action_size = observation_size, 1
        self.view = {"trackbodyid": 1, "distance": 3.2, "azimuth": 90.0, "elevation": -8.0}
        self.state: dict[str, np.ndarray] = {}
        self._start = np.zeros(self.model.nq - 1)
        self._start[0] = start

    def begin(self, rows: list[int], generators: Sequence[np.random.Generator]) -> None:
        """Begin an episode in each of these rows, at rest in the middle of the rail."""
        self.simulation.reset(rows)
        for row, generator in zip(rows, generators, strict=True):
            noise = generator.uniform(-START_NOISE, START_NOISE, len(self._start))
            self.simulation.qpos[row, 1:] = self._start + noise

    def step(self, actions: np.ndarray, generators: Sequence[np.random.Generator]) -> Outcome:
        """Advance all by a control step with actions [n, 1] within [-1, 1]."""
        self.simulation.ctrl[:] = actions
        failed = self.simulation.step()
        return Outcome(*self._judged(), failed)

    def look(self) -> None:
        """Do nothing: what is known is the simulation's."""

    def _judged(self) -> tuple[Any, np.ndarray]:
        """Return the terms of the rewards where all are, and which episodes that ends, [n] bool."""
        raise NotImplementedError


class InvertedPendulum(_Carts):
    """n carts with one pole each, which should not fall."""

    def __init__(self, count: int, start: float = 0.0) -> None:
        super().__init__("inverted_pendulum", count, 5, start)

    def observe(self) -> np.ndarray:
        """Return observations [n, 5] float32."""
        (x, angle), (speed, rate) = self.simulation.qpos.T.copy(), self.simulation.qvel.T
        return np.stack([x, speed, np.cos(angle), np.sin(angle), rate], axis=1).astype(np.float32)

    def _judged(self) -> tuple[Any, np.ndarray]:
        angle = self.simulation.qpos[:, 1]
        return Balanced(np.ones(len(angle))), np.abs(angle) > MOST_LEAN


class InvertedPendulumSwingup(InvertedPendulum):
    """n carts with one pole each, which hangs and should get up and stay there."""

    def __init__(self, count: int) -> None:
        super().__init__(count, start=np.pi)

    def _judged(self) -> tuple[Any, np.ndarray]:
        angle = self.simulation.qpos[:, 1].copy()
        return SwungUp(np.cos(angle)), np.zeros(len(angle), dtype=bool)


class InvertedDoublePendulum(_Carts):
    """n carts with two poles each, one upon the other, which should not fall."""

    def __init__(self, count: int) -> None:
        super().__init__("inverted_double_pendulum", count, 9)
        self.view["distance"] = 3.9
        second = self.model.body(f"{PREFIX}second_pole")
        self._length, self._centre = second.pos[2], second.ipos[2]  # m, of the first, and to the second's centre

    def observe(self) -> np.ndarray:
        """Return observations [n, 9] float32."""
        (x, first, second), (speed, *rates) = self.simulation.qpos.T.copy(), self.simulation.qvel.T
        seen = [x, speed, self._second_centre()[0]]
        for angle, rate in zip((first, second), rates, strict=True):
            seen += [np.cos(angle), np.sin(angle), rate]
        return np.stack(seen, axis=1).astype(np.float32)

    def _judged(self) -> tuple[Any, np.ndarray]:
        x, height = self._second_centre()
        tip = height + self._centre  # as if the second pole were always upright: Roboschool's measure
        distance = -OFF_CENTRE_COST * x**2 - (tip - AIM) ** 2
        return BothBalanced(np.full(len(x), ALIVE), distance), tip <= LEAST_TIP

    def _second_centre(self) -> tuple[np.ndarray, np.ndarray]:
        """Return x and the height above the rail of the second poles' centres, each [n] m."""
        x, first, second = self.simulation.qpos.T.copy()
        lean = first + second
        return (
            x + self._length * np.sin(first) + self._centre * np.sin(lean),
            self._length * np.cos(first) + self._centre * np.cos(lean),
        )
