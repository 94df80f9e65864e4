"""Where everything that MuJoCo simulates is after each step of an environment, and on the way there."""

from __future__ import annotations

import mujoco
import numpy as np

from baselines_ppo.run.show.simulated import Simulated


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
        self._read(self._data)  # what has no way, such as a flag, may have been put elsewhere
        mujoco.mj_differentiatePos(self._model, self._way, 1.0, self._start, self._end)
        self._data.qpos[:] = self._start
        mujoco.mj_integratePos(self._model, self._data.qpos, self._way, fraction)
        mujoco.mj_kinematics(self._model, self._data)
        return self._data

    def _look(self) -> np.ndarray:
        """Return where everything is now, as coordinates [nq]."""
        self._read(self._data)
        self.position = self._data.xpos[self._followed, :2].copy()  # m, of what is followed
        return self._data.qpos.copy()
