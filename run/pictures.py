"""What an environment looks like: our robots by their own camera, all others as Gymnasium shows them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import gymnasium
import mujoco
import numpy as np

from baselines_ppo.common.envs import explained
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.opengl import prepare_opengl
from baselines_ppo.run.simulated import simulated
from baselines_ppo.zoo.rendering import Camera
from baselines_ppo.zoo.vector_env import RobotEnv

BLOCK = 16  # pixels, of which the sides of pictures are multiples: videos are encoded in such blocks
INK = (40, 40, 40)


def pictures_of(environment: gymnasium.Env[Any, Any], env_id: str, width: int, height: int) -> Callable[[], np.ndarray]:
    """Return what gives pictures, [height, width, 3] bytes, of an environment in the mode `rgb_array`.

    Those of an environment that chooses their size itself are scaled to fit into the size given.

    Raises:
      UsageError: there is nothing to draw with; the pictures' function: the environment gives none, or lacks a
        package that draws them.
    """
    inner: Any = environment.unwrapped
    if isinstance(inner, RobotEnv):
        camera = Camera(inner.vector.task, width, height)
        return lambda: camera.picture(0)
    if hasattr(inner, "mujoco_renderer"):
        prepare_opengl()
        inner.mujoco_renderer.width, inner.mujoco_renderer.height = width, height
        inner.model.vis.global_.offwidth, inner.model.vis.global_.offheight = width, height
        follow(environment, env_id)
    else:
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # else pygame complains where there is no screen

    def picture() -> np.ndarray:
        with explained(env_id):
            drawn = environment.render()
        if not isinstance(drawn, np.ndarray) or drawn.ndim != 3 or drawn.shape[2] != 3:
            raise UsageError(f"{env_id} gives no pictures")
        return fitted(drawn.astype(np.uint8, copy=False), width, height)

    return picture


def follow(environment: gymnasium.Env[Any, Any], env_id: str) -> None:
    """Let the camera of Gymnasium's own robots follow them, which run out of its sight in Gymnasium 1.4."""
    renderer = getattr(environment.unwrapped, "mujoco_renderer", None)
    if renderer is not None:
        view = simulated(environment, env_id).view
        if view["trackbodyid"]:
            renderer.default_cam_config = {**view, "type": mujoco.mjtCamera.mjCAMERA_TRACKING}
            renderer.camera_id = None  # else it turns the camera loose before every picture


def fitted(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return a picture as large as fits into a size, in its own shape but for a few pixels."""
    from PIL import Image

    scale = min(width / picture.shape[1], height / picture.shape[0])
    columns, rows = (max(BLOCK, round(side * scale / BLOCK) * BLOCK) for side in picture.shape[1::-1])
    if (rows, columns) == picture.shape[:2]:
        return picture
    return np.asarray(Image.fromarray(picture).resize((columns, rows), Image.Resampling.LANCZOS))


def labelled(picture: np.ndarray, text: str) -> np.ndarray:
    """Return a picture with lines of text in its upper left corner."""
    from PIL import Image, ImageDraw

    image, size = Image.fromarray(picture), max(10, picture.shape[0] // 22)
    ImageDraw.Draw(image).multiline_text((size, size // 2), text, fill=INK, font_size=size)
    return np.asarray(image)
