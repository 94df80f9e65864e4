"""What MuJoCo simulates of an environment: its model, where everything is, and how it is best looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import gymnasium
import mujoco

from baselines_ppo.common.failures import UsageError
from baselines_ppo.zoo.scene import CONTROL_STEP
from baselines_ppo.zoo.vector_env import RobotEnv

FOLLOWING_CAMERA = "track"  # its name in Gymnasium's models


class Simulated(NamedTuple):
    """The simulation inside an environment."""

    model: mujoco.MjModel
    read: Callable[[mujoco.MjData], None]  # brings other data to where everything is
    step_seconds: float  # of the simulation, between two actions
    view: Mapping[str, Any]  # of the camera, as MuJoCo names it; trackbodyid is the body it follows, 0: none


def simulated(env: gymnasium.Env[Any, Any], env_id: str) -> Simulated:
    """Return what simulates an environment, one of ours or of Gymnasium's.

    Raises:
      UsageError: MuJoCo does not.
    """
    inner: Any = env.unwrapped
    if isinstance(inner, RobotEnv):
        task = inner.vector.task
        return Simulated(task.simulation.model, lambda data: task.simulation.data(0, data), CONTROL_STEP, {**task.view})
    model = getattr(inner, "model", None)
    if not isinstance(model, mujoco.MjModel) or not isinstance(getattr(inner, "data", None), mujoco.MjData):
        raise UsageError(f"environment {env_id} is not simulated by MuJoCo, which a browser needs to show it")
    missing = [name for name in ("mujoco_renderer", "dt") if not hasattr(inner, name)]
    if missing:
        raise UsageError(f"environment {env_id} has no {missing[0]}, as those of Gymnasium that use MuJoCo have")
    view = {"trackbodyid": 0, "azimuth": 90.0, **(inner.mujoco_renderer.default_cam_config or {})}
    view["trackbodyid"] = max(view["trackbodyid"], 0)  # -1 is none, too
    camera = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, FOLLOWING_CAMERA)
    if camera >= 0:
        view["trackbodyid"] = int(model.cam_bodyid[camera])
    return Simulated(model, lambda data: mujoco.mj_copyData(data, model, inner.data), float(inner.dt), view)
