"""What MuJoCo simulates of an environment: its model, where everything is, and how it is best looked at."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium

from baselines_ppo.common.failures import UsageError
from baselines_ppo.zoo import is_own

if TYPE_CHECKING:
    import mujoco

FOLLOWING_CAMERA = "track"  # its name in Gymnasium's models
ASIDE = 90.0  # degrees, the azimuth of MuJoCo's cameras unless they are told another
UNKNOWN_RATE = 30.0  # steps per second of an environment that does not say


class Simulated(NamedTuple):
    """The simulation inside an environment."""

    model: mujoco.MjModel
    read: Callable[[mujoco.MjData], None]  # brings other data to where everything is
    step_seconds: float  # of the simulation, between two actions
    view: Mapping[str, Any]  # of the camera, as MuJoCo names it; trackbodyid is the body it follows, 0: none


def is_simulated(env: gymnasium.Env[Any, Any]) -> bool:
    """Return whether MuJoCo simulates an environment, as far as can be seen from outside."""
    return is_own(env) or _simulation(env) is not None


def simulated(current: Callable[[], gymnasium.Env[Any, Any]], env_id: str) -> Simulated:
    """Return what simulates an environment: one of ours, of Gymnasium's or of others, such as dm_control's.

    Args:
      current: returns the environment; each episode may have a new one.

    Raises:
      UsageError: MuJoCo does not.
    """
    env = current()
    inner: Any = env.unwrapped
    if is_own(env):
        from baselines_ppo.zoo.scene import CONTROL_STEP

        task = inner.vector.task

        def copy(data: mujoco.MjData) -> None:
            now: Any = current().unwrapped
            now.vector.task.simulation.data(0, data)

        return Simulated(task.simulation.model, copy, CONTROL_STEP, {**task.view})
    found = _simulation(env)
    if found is None:
        raise UsageError(f"environment {env_id} is not simulated by MuJoCo, which is needed to turn it in a browser")
    import mujoco

    model, _ = found

    def read(data: mujoco.MjData) -> None:
        shown = current()
        now = _simulation(shown)
        if now is None or not (now[0] is model or (shown is not env and _sizes(now[0]) == _sizes(model))):
            raise UsageError(f"environment {env_id} has changed its MuJoCo model, which a browser cannot show")
        for name in ("qpos", "mocap_pos", "mocap_quat"):
            getattr(data, name)[:] = getattr(now[1], name)
        mujoco.mj_kinematics(model, data)  # where everything is after the step; there, it may be as before

    settings = getattr(getattr(inner, "mujoco_renderer", None), "default_cam_config", None) or {}
    view = {"trackbodyid": 0, **settings}
    view["trackbodyid"] = max(view["trackbodyid"], 0)  # -1 is none, too
    camera = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, FOLLOWING_CAMERA)
    if camera >= 0:
        view["trackbodyid"] = int(model.cam_bodyid[camera])
    if not view["trackbodyid"]:  # no body is followed, so the whole scene is seen from the side
        view = {"azimuth": ASIDE, **view}
    return Simulated(model, read, _step_seconds(env), view)


def _simulation(env: gymnasium.Env[Any, Any]) -> tuple[mujoco.MjModel, mujoco.MjData] | None:
    """Return MuJoCo's model and data where an environment has them, or dm_control's physics; None: nowhere."""
    mujoco = sys.modules.get("mujoco")
    holder: Any = getattr(env.unwrapped, "physics", env.unwrapped)
    model, data = (getattr(holder, name, None) for name in ("model", "data"))
    model, data = getattr(model, "ptr", model), getattr(data, "ptr", data)  # which dm_control wraps
    if mujoco is None or not isinstance(model, mujoco.MjModel) or not isinstance(data, mujoco.MjData):
        return None
    return model, data


def _sizes(model: mujoco.MjModel) -> tuple[int, ...]:
    return model.nq, model.nv, model.nbody, model.ngeom, model.nmocap


def _step_seconds(env: gymnasium.Env[Any, Any]) -> float:
    """Return how much simulated time passes between two actions: as the environment says, or one that it holds."""
    inner: Any = env.unwrapped
    said = [getattr(part, "dt", None) for part in (inner, *vars(inner).values())]
    seconds = [float(dt) for dt in said if isinstance(dt, int | float) and dt > 0.0]
    return seconds[0] if seconds else 1.0 / said_rate(env)


def said_rate(env: gymnasium.Env[Any, Any]) -> float:
    """Return how many steps of an environment make a second, as it says itself to those who show it."""
    rate = (env.metadata or {}).get("render_fps")
    return float(rate) if isinstance(rate, int | float) and 0 < rate < math.inf else UNKNOWN_RATE
