"""n copies of one MuJoCo model, stepped as one; their state is arrays with a row for each."""

from __future__ import annotations

import mujoco
import numpy as np

from baselines_ppo.common.failures import UsageError

try:
    from mujoco.batch import Batch
except Exception as error:  # an older one, be it that only parts of a newer one are there
    raise UsageError(
        f"the zoo's environments need MuJoCo 3.17 or newer, and this is {mujoco.__version__}; "
        "pip install 'mujoco>=3.17'"
    ) from error

UNSTABLE = [
    int(mujoco.mjtWarning.mjWARN_BADQPOS),
    int(mujoco.mjtWarning.mjWARN_BADQVEL),
    int(mujoco.mjtWarning.mjWARN_BADQACC),
]

# rad/s or m/s: what is faster is about to explode, long before MuJoCo says so. Joints reach 105 under actions that
# jump from one limit to the other; the reacher 100.
FASTEST = 500.0


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
        self.state: np.ndarray = self._batch.state  # [n, ...] all that the future of a row depends on
        self._defaults = self.state[0].copy()

    def step(self) -> np.ndarray:
        """Advance all by one control step; returns which failed, [n] bool: these are set to their defaults."""
        self._batch.step(nstep=self.substeps)
        failed = self._batch.warning[:, UNSTABLE, 1].any(axis=1) | (np.abs(self.qvel).max(axis=1, initial=0) > FASTEST)
        if failed.any():
            # Clears the warnings, too.
            self._batch.reset(ids=np.flatnonzero(failed), stage=int(mujoco.mjtStage.mjSTAGE_NONE))
        return failed

    def reset(self, rows: list[int]) -> None:
        """Set these rows to the model's defaults, at rest and with no memory of what was."""
        self.state[rows] = self._defaults

    def data(self, row: int, data: mujoco.MjData) -> None:
        """Bring `data` to the state of a row, with all that follows from it."""
        self._batch.get_data(row, data)
        mujoco.mj_forward(self.model, data)
