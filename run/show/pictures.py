"""What an environment looks like: our robots by their own camera, all others as they show themselves."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from baselines_ppo.common.envs.foreign import pass_on
from baselines_ppo.common.envs.make import explained
from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.common.job.opengl import prepare_opengl
from baselines_ppo.run.show.film import Add
from baselines_ppo.run.show.frame import FIRST, Levels, coloured, fitted, framed, shaped
from baselines_ppo.run.show.simulated import ASIDE, is_simulated, simulated
from baselines_ppo.zoo import is_own

WANTED = "with render_mode rgb_array it must return a picture, such as an array [height, width, 3] of bytes"


class Pictures:
    """What gives pictures, [height, width, 3] bytes, of an environment in the mode `rgb_array`.

    Those of an environment that chooses their size itself are scaled to fit into the size given; all have the size
    of the first.
    """

    def __init__(self, current: Callable[[], gymnasium.Env[Any, Any]], env_id: str, width: int, height: int) -> None:
        """Prepare the first environment.

        Args:
          current: returns the environment; each episode may have a new one.

        Raises:
          UsageError: there is nothing to draw with.
        """
        self._current, self._env_id, self._largest = current, env_id, (width, height)
        self._shown = current()
        self._draw = self._begin(self._shown)
        self._same_size = _SameSize(env_id, width, height)
        self.levels = Levels()

    def drawn(self) -> np.ndarray:
        """Return what there is to be seen now, [height, width, channels] of any size and values.

        Raises:
          UsageError: the environment gives no picture, or lacks a package that draws it.
        """
        if (now := self._current()) is not self._shown:
            self._shown, self._draw = now, self._begin(now)
        drawn = self._draw()
        self.levels.look(drawn)
        return drawn

    def picture(self, drawn: np.ndarray) -> np.ndarray:
        """Return what was drawn as a picture, by what is known of the film by now."""
        coloured_one = coloured(drawn, self.levels)
        return coloured_one if is_own(self._shown) else self._same_size.of(coloured_one)

    def _begin(self, environment: gymnasium.Env[Any, Any]) -> Callable[[], np.ndarray]:
        """Return what draws an environment."""
        inner: Any = environment.unwrapped
        if is_own(environment):
            from baselines_ppo.zoo.rendering import Camera

            camera = Camera(inner.vector.task, *self._largest)
            return lambda: camera.picture(0)
        if is_simulated(environment):
            prepare_opengl()
            _follow_in(environment, self._env_id, *self._largest)
        else:
            os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # else pygame complains where there is no screen
        return lambda: rendered(environment, self._env_id)


class Film:
    """Pictures on their way into a film: the first ones wait until it is known how bright they are meant to be."""

    def __init__(self, pictures: Pictures, add: Add) -> None:
        self._pictures, self._add = pictures, add
        self._waiting: list[np.ndarray] = []  # black ones apart, which are black either way

    def take(self) -> None:
        """Take a picture of what there is to be seen now."""
        drawn = self._pictures.drawn()
        self._waiting.append(drawn.copy())  # an environment may draw into the same array again
        known = drawn.dtype.kind != "f" or self._pictures.levels.sure
        if known or len(self._waiting) > FIRST or not any(map(np.any, self._waiting)):
            self.finish()

    def finish(self) -> None:
        """Add the pictures that wait."""
        for drawn in self._waiting:
            self._add(self._pictures.picture(drawn))
        self._waiting.clear()


def rendered(environment: gymnasium.Env[Any, Any], env_id: str) -> np.ndarray:
    """Return what an environment shows now, [height, width, channels] of any size and values.

    Raises:
      UsageError: it shows nothing, raises, or lacks a package that draws.
    """
    try:
        drawn = environment.render()
    except (gymnasium.error.DependencyNotInstalled, ImportError):
        with explained(env_id):
            raise
    except BaseException as error:  # whatever a stranger's environment raises
        pass_on(error)
        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"its render() raised {type(error).__name__} in {Path(where.filename).name}, line {where.lineno}"
        said = f": {reason_given}" if (reason_given := short(error)) else ""
        raise UsageError(f"environment {env_id} cannot be shown: {reason}{said}; {WANTED}") from None
    try:
        return shaped(drawn)
    except ValueError as error:
        raise UsageError(f"environment {env_id} gives no pictures: its render() returned {error}; {WANTED}") from None


def follow(environment: gymnasium.Env[Any, Any], env_id: str) -> None:
    """Let the camera of Gymnasium's own robots follow them, which run out of its sight in Gymnasium 1.4."""
    renderer = getattr(environment.unwrapped, "mujoco_renderer", None)
    if renderer is not None:
        import mujoco

        view = simulated(lambda: environment, env_id).view
        if view["trackbodyid"]:
            renderer.default_cam_config = {"azimuth": ASIDE, **view, "type": mujoco.mjtCamera.mjCAMERA_TRACKING}
            renderer.camera_id = None  # else it turns the camera loose before every picture


def _follow_in(environment: gymnasium.Env[Any, Any], env_id: str, width: int, height: int) -> None:
    """Let the camera of Gymnasium's own robots give pictures of a size, and follow."""
    inner: Any = environment.unwrapped
    if hasattr(inner, "mujoco_renderer"):
        inner.mujoco_renderer.width, inner.mujoco_renderer.height = width, height
        inner.model.vis.global_.offwidth, inner.model.vis.global_.offheight = width, height
        follow(environment, env_id)


class _SameSize:
    """Pictures of one size, whatever size they are drawn in; it is said once if that changes."""

    def __init__(self, env_id: str, width: int, height: int) -> None:
        self._env_id, self._largest = env_id, (width, height)
        self._drawn: tuple[int, ...] = ()  # the size of the first, rows and columns
        self._size = (0, 0)  # that all have, columns and rows
        self._said = False

    def of(self, drawn: np.ndarray) -> np.ndarray:
        """Return one more picture in the size of the first."""
        if not self._drawn:
            first = fitted(drawn, *self._largest)
            self._drawn, self._size = drawn.shape[:2], (first.shape[1], first.shape[0])
            return first
        if drawn.shape[:2] == self._drawn:
            return fitted(drawn, *self._largest)
        if not self._said:
            self._said = True
            (rows, columns), (now_rows, now_columns) = self._drawn, drawn.shape[:2]
            sizes = f"first {columns} x {rows}, now {now_columns} x {now_rows}"
            sys.stderr.write(
                f"warning: the pictures of {self._env_id} change their size, {sizes}; all are fitted into the first\n"
            )
        return framed(drawn, *self._size)
