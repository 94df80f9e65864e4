"""Pictures of robots at their tasks, off screen or in a window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import mujoco
import numpy as np

from baselines_ppo.common.job.opengl import has_display, prepare_opengl
from baselines_ppo.zoo.simulation import Simulation
from baselines_ppo.zoo.tasks.flags import Flags

ASIDE = 30.0  # degrees, from behind a robot that runs to its flag
TURNING = 0.6  # s, in which the camera turns most of the way to a new flag


class Subject(Protocol):
    """What can be looked at: tasks, and races."""

    simulation: Simulation

    @property
    def view(self) -> Mapping[str, Any]:
        """How MuJoCo's camera looks at it, as MuJoCo names these; a `lookat` and its `distance` may change."""

    @property
    def flags(self) -> Flags | None:
        """What robots run to, one for each row."""


class Camera:
    """Follows the robot of a row; nothing is set up before the first picture."""

    def __init__(self, subject: Subject, width: int, height: int) -> None:
        self._subject, self._width, self._height = subject, width, height
        self._viewer: Any = None
        self._data: Any = None
        self._distance = 0.0  # m, that the last view had
        self._turned: dict[int, tuple[float, float]] = {}  # by row: when, s, and to where, degrees

    def picture(self, row: int) -> np.ndarray:
        """Return a picture of a row, [height, width, 3] bytes; where there are flags, the next one is ahead.

        Raises:
          UsageError: there is neither a screen nor a library that draws without one.
        """
        prepare_opengl()
        from gymnasium.envs.mujoco.mujoco_rendering import OffScreenViewer

        viewer = self._look(row, OffScreenViewer)
        if self._subject.flags is not None:
            viewer.cam.azimuth = self._towards(row, self._subject.flags.places[row])
        return viewer.render("rgb_array")

    def show(self, row: int) -> None:
        """Show a row in a window, where the mouse turns the camera.

        Raises:
          RuntimeError: there is no display.
        """
        if not has_display():
            raise RuntimeError("there is no display to open a window on; use render_mode rgb_array")
        from gymnasium.envs.mujoco.mujoco_rendering import WindowViewer

        self._look(row, WindowViewer).render()

    def close(self) -> None:
        """Close the window, and free what pictures needed."""
        if self._viewer is not None:
            self._viewer.close()
            self._viewer = None

    def _look(self, row: int, kind: Any) -> Any:
        """Return the viewer, made if there is none yet, with the row in front of it."""
        simulation, view = self._subject.simulation, self._subject.view
        if self._viewer is None:
            self._data = mujoco.MjData(simulation.model)
            self._viewer = kind(simulation.model, self._data, self._width, self._height)
            self._viewer._hide_menu = True  # of a window, which H shows
            self._viewer.cam.type = mujoco.mjtCamera.mjCAMERA_TRACKING
            for name, value in view.items():
                setattr(self._viewer.cam, name, value)
            self._distance = view["distance"]
        simulation.data(row, self._data)
        if "lookat" in view:
            self._viewer.cam.lookat = view["lookat"]
            self._viewer.cam.distance *= view["distance"] / self._distance  # a mouse may have changed it
            self._distance = view["distance"]
            self._data.light_xpos[0] = view["lookat"] + simulation.model.light_poscom0[0]  # the sun casts shadows there
        return self._viewer

    def _towards(self, row: int, flag: np.ndarray) -> float:
        """Return the azimuth in degrees of who looks past a robot to its flag, not turning at once to a new one."""
        way = flag - self._data.xpos[self._subject.view["trackbodyid"], :2]
        wanted, now = float(np.degrees(np.arctan2(way[1], way[0]))) + ASIDE, self._data.time
        before, azimuth = self._turned.get(row, (now, wanted))
        if now < before:  # another episode
            before, azimuth = now, wanted
        turn = (wanted - azimuth + 180.0) % 360.0 - 180.0
        azimuth += turn * (1.0 - float(np.exp((before - now) / TURNING)))
        self._turned[row] = now, azimuth
        return azimuth
