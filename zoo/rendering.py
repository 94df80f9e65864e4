"""Pictures of robots at their tasks, off screen or in a window."""

from __future__ import annotations

import os
import sys
from typing import Any

import mujoco
import numpy as np

from baselines_ppo.zoo.task import Task


class Camera:
    """Follows the robot of a row; nothing is set up before the first picture."""

    def __init__(self, task: Task, width: int, height: int) -> None:
        self._task, self._width, self._height = task, width, height
        self._renderer: Any = None
        self._data: mujoco.MjData | None = None

    def picture(self, row: int) -> np.ndarray:
        """Return a picture of a row, [height, width, 3] bytes."""
        return self._prepared(row).render("rgb_array")

    def show(self, row: int) -> None:
        """Show a row in a window.

        Raises:
          RuntimeError: there is no display.
        """
        if not _has_display():
            raise RuntimeError("there is no display to open a window on; use render_mode rgb_array")
        self._prepared(row).render("human")

    def close(self) -> None:
        """Close the window, and free what pictures needed."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def _prepared(self, row: int) -> Any:
        simulation = self._task.simulation
        if self._renderer is None:
            if not _has_display():
                os.environ.setdefault("MUJOCO_GL", "egl")  # without a screen the default cannot draw
            from gymnasium.envs.mujoco.mujoco_rendering import MujocoRenderer

            self._data = mujoco.MjData(simulation.model)
            view = {"type": mujoco.mjtCamera.mjCAMERA_TRACKING, **self._task.view}
            self._renderer = MujocoRenderer(simulation.model, self._data, view, self._width, self._height)
            self._renderer.camera_id = None  # else it would turn the camera loose, which is to follow
        simulation.data(row, self._data)
        return self._renderer


def _has_display() -> bool:
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
