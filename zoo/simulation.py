"""n copies of one MuJoCo model, stepped as one; their state is arrays with a row for each."""

from __future__ import annotations

import mujoco
import numpy as np
from mujoco.batch import Batch

UNSTABLE = [
    int(mujoco.mjtWarning.mjWARN_BADQPOS),
    int(mujoco.mjtWarning.mjWARN_BADQVEL),
    int(mujoco.mjtWarning.mjWARN_BADQACC),
]


class Simulation:
    """The copies; a row's future depends on that row's state alone, bit for bit."""

    def __init__(self, model: mujoco.MjModel, count: int, substeps: int) -> None:
        self.model, self.substeps = model, substeps
        self._batch = Batch(model, count, nthread=1)
        self.qpos: np.ndarray = self._batch.qpos  # [n, nq], live like the others
        self.qvel: np.ndarray = self._batch.qvel  # [n, nv]
        self.ctrl: np.ndarray = self._batch.ctrl  # [n, nu]
        self.sensors: np.ndarray = self._batch.sensordata  # [n, ...] as they were before the last substep
        self.mocap_pos: np.ndarray = self._batch.mocap_pos  # [n, bodies, 3] m
        self._defaults = self.state[0].copy()

    def step(self) -> np.ndarray:
        """Advance all by one control step; returns which failed, [n] bool: MuJoCo set these to their defaults."""
        self._batch.step(nstep=self.substeps)
        failed = self._batch.warning[:, UNSTABLE, 1].any(axis=1)
        if failed.any():  # that clears the warnings
            self._batch.reset(ids=np.flatnonzero(failed), stage=int(mujoco.mjtStage.mjSTAGE_NONE))
        return failed

    def reset(self, rows: list[int]) -> None:
        """Set these rows to the model's defaults, at rest and with no memory of what was."""
        self.state[rows] = self._defaults

    @property
    def state(self) -> np.ndarray:
        """[n, ...], live: all that the future of a row depends on."""
        return self._batch.state

    def data(self, row: int, data: mujoco.MjData) -> None:
        """Bring `data` to the state of a row, with all that follows from it."""
        self._batch.get_data(row, data)
        mujoco.mj_forward(self.model, data)


class Solids:
    """The capsules, spheres and boxes of a model, as a rounding around a box of their own."""

    def __init__(self, model: mujoco.MjModel, geoms: np.ndarray) -> None:
        """Take geoms by their ids, [k]."""
        kind, size = model.geom_type[geoms], model.geom_size[geoms]
        is_box = kind == mujoco.mjtGeom.mjGEOM_BOX
        is_capsule = kind == mujoco.mjtGeom.mjGEOM_CAPSULE
        self._geoms, self._radii = geoms, np.where(is_box, 0.0, size[:, 0])  # [k]
        self._halves = np.where(is_box[:, None], size, 0.0)  # [k, 3]
        self._halves[is_capsule, 2] = size[is_capsule, 1]

    def lowest(self, data: mujoco.MjData) -> float:
        """Return the height in m of the lowest point of them all, where `data` has them."""
        downward = np.abs(data.geom_xmat[self._geoms, 6:])  # of each one's axes
        return float((data.geom_xpos[self._geoms, 2] - (downward * self._halves).sum(axis=1) - self._radii).min())
