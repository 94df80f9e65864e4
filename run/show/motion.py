"""Where everything that MuJoCo simulates is after each step of an environment, and on the way there."""

from __future__ import annotations

from typing import NamedTuple

import mujoco
import numpy as np

from baselines_ppo.run.show.simulated import Simulated

LEAP = 0.3  # m: what is put somewhere in a step has not moved there if it is farther away than this


class Pose(NamedTuple):
    """Where everything is."""

    coordinates: np.ndarray  # [nq]
    placed: np.ndarray  # [bodies, 3] m, of what is put to its place, such as flags and balls


class Motion:
    """The way of the last step."""

    def __init__(self, simulated: Simulated) -> None:
        """Begin where everything is."""
        self._model, self._read = simulated.model, simulated.read
        self._followed = int(simulated.view["trackbodyid"])
        self._data = mujoco.MjData(self._model)
        self._way = np.zeros(self._model.nv)  # from the start to the end, as a velocity
        self.jump()

    def jump(self) -> None:
        """Take over where everything is, without a way there."""
        self._end = self._look()
        self._start = self._end

    def step(self) -> None:
        """Take over where a step has led to."""
        self._start, self._end = self._end, self._look()

    def at(self, fraction: float) -> mujoco.MjData:
        """Return the poses of everything at a fraction of the way, 0 to 1; the next call changes them."""
        self._read(self._data)  # a flag may have been put elsewhere since the step
        mujoco.mj_differentiatePos(self._model, self._way, 1.0, self._start.coordinates, self._end.coordinates)
        moved, still_there = self._end.placed - self._start.placed, self._data.mocap_pos == self._end.placed
        going = (np.abs(moved).max(axis=1) < LEAP) & still_there.all(axis=1)
        self._data.mocap_pos[going] -= (1.0 - fraction) * moved[going]
        self._data.qpos[:] = self._start.coordinates
        mujoco.mj_integratePos(self._model, self._data.qpos, self._way, fraction)
        mujoco.mj_kinematics(self._model, self._data)
        return self._data

    def _look(self) -> Pose:
        """Return where everything is now."""
        self._read(self._data)
        self.position = self._data.xpos[self._followed, :2].copy()  # m, of what is followed
        return Pose(self._data.qpos.copy(), self._data.mocap_pos.copy())
