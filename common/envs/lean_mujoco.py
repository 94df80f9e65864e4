"""Gymnasium's MuJoCo robots that move, stepped with less Python around the simulator; bit for bit the same.

Gymnasium spends 8 to 40 microseconds of a step outside of MuJoCo: a sixth of Humanoid's time, a third of HalfCheetah's.
Numbers are read from its own environments, which also begin the episodes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import gymnasium
import numpy as np

Environment = gymnasium.Env[np.ndarray, np.ndarray]


class SimulatedRobot(NamedTuple):
    """What tells one robot from the others, of the state that its simulation is in."""

    place: Callable[[], float]  # metres; the way from step to step is rewarded
    observed: list[np.ndarray]  # live views of the simulation, one behind the other
    clip: tuple[int, float] | None = None  # which of these is clipped, and at what
    healthy: Callable[[], bool] | None = None  # otherwise always
    contact_cost: Callable[[], float] | None = None
    feels: bool = False  # needs contact forces


def half_cheetah(u: Any) -> SimulatedRobot:
    return SimulatedRobot(lambda: u.data.qpos[0], [u.data.qpos[1:], u.data.qvel])


def swimmer(u: Any) -> SimulatedRobot:
    return SimulatedRobot(lambda: u.data.qpos[0], [u.data.qpos[2:], u.data.qvel])


def walker(u: Any) -> SimulatedRobot:
    """Return the hopper or the walker, of which the hopper has one more range."""
    qpos, qvel = u.data.qpos, u.data.qvel
    (lowest, highest), (least, most) = u._healthy_z_range, u._healthy_angle_range
    low, high = getattr(u, "_healthy_state_range", (-np.inf, np.inf))

    def healthy() -> bool:
        z, angle = qpos[1:3].tolist()
        upright = lowest < z < highest and least < angle < most
        return upright and (low == -np.inf or all(low < x < high for x in (*qpos[2:].tolist(), *qvel.tolist())))

    return SimulatedRobot(lambda: qpos[0], [qpos[1:], qvel], (1, 10.0), healthy)


def ant(u: Any) -> SimulatedRobot:
    qpos, qvel, torso, forces = u.data.qpos, u.data.qvel, u.data.body("torso").xpos, u.data.cfrc_ext
    lowest, highest = u._healthy_z_range
    least, most = u._contact_force_range

    def healthy() -> bool:
        finite = np.isfinite(qpos).all() and np.isfinite(qvel).all()
        return bool(finite and lowest <= qpos[2] <= highest)

    def contact_cost() -> float:
        return u._contact_cost_weight * np.sum(np.square(np.clip(forces, least, most)))

    robot = SimulatedRobot(lambda: torso[0], [qpos[2:], qvel], healthy=healthy)
    if not _newer(u):
        return robot
    seen = [*robot.observed, forces[1:].reshape(-1)]
    return robot._replace(observed=seen, clip=(2, most), contact_cost=contact_cost, feels=True)


def humanoid(u: Any) -> SimulatedRobot:
    data, mass, total = u.data, u.model.body_mass, u.model.body_mass.sum()
    first = 1 if _newer(u) else 0  # the world's own body is left out
    lowest, highest = u._healthy_z_range

    def place() -> float:
        return np.einsum("b,bj->j", mass, data.xipos)[0] / total

    def contact_cost() -> float:
        cost = u._contact_cost_weight * np.sum(np.square(data.cfrc_ext))
        return np.clip(cost, *u._contact_cost_range)

    bodies = (data.cinert[first:], data.cvel[first:], data.qfrc_actuator[6 * first :], data.cfrc_ext[first:])
    return SimulatedRobot(
        place,
        [data.qpos[2:], data.qvel, *(x.reshape(-1) for x in bodies)],
        healthy=lambda: lowest < data.qpos[2] < highest,
        contact_cost=contact_cost if first else None,
        feels=True,
    )


ROBOTS: dict[str, Callable[[Any], SimulatedRobot]] = {
    "HalfCheetahEnv": half_cheetah,
    "SwimmerEnv": swimmer,
    "HopperEnv": walker,
    "Walker2dEnv": walker,
    "AntEnv": ant,
    "HumanoidEnv": humanoid,
}


def lean(environment: Environment) -> Environment:
    """Return the environment, or its lean form if it is one of Gymnasium's robots as registered."""
    spec = environment.spec
    if spec is None or spec.kwargs or spec.additional_wrappers or spec.max_episode_steps is None:
        return environment
    module, _, name = str(spec.entry_point).partition(":")
    known = module.startswith("gymnasium.envs.mujoco.") and module.endswith(("_v4", "_v5")) and name in ROBOTS
    return LeanRobot(environment, ROBOTS[name], spec.max_episode_steps) if known else environment


class LeanRobot(gymnasium.Wrapper[np.ndarray, np.ndarray, np.ndarray, np.ndarray]):
    """One robot: its reward is the way it makes, plus staying healthy, minus the cost of actions and contacts."""

    def __init__(self, environment: Environment, robot: Callable[[Any], SimulatedRobot], most_steps: int) -> None:
        super().__init__(environment)
        import mujoco

        u: Any = environment.unwrapped
        self._mujoco = mujoco
        self._robot, self._newer, self._most_steps, self._steps = robot(u), _newer(u), most_steps, 0
        self._model, self._data, self._ctrl = u.model, u.data, u.data.ctrl
        self._ctrl_cost_weight = u._ctrl_cost_weight
        self._forward_weight = getattr(u, "_forward_reward_weight", 1.0)
        self._healthy_reward = getattr(u, "_healthy_reward", 0.0)
        self._exact_ctrl = robot is humanoid  # whose cost is that of the float64 controls
        self._place = 0.0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        result, u = self.env.reset(seed=seed, options=options), cast(Any, self.env.unwrapped)
        self._frame_skip, self._dt = u.frame_skip, float(u.dt)  # a callback may have set it
        self._steps, self._place = 0, self._robot.place()
        return result

    def step(self, action: np.ndarray) -> Any:
        robot = self._robot
        self._ctrl[:] = action
        self._mujoco.mj_step(self._model, self._data, nstep=self._frame_skip)
        if robot.feels:
            self._mujoco.mj_rnePostConstraint(self._model, self._data)
        before, self._place = self._place, robot.place()
        healthy = True if robot.healthy is None else robot.healthy()
        ctrl = self._ctrl if self._exact_ctrl else action
        cost = self._ctrl_cost_weight * np.add.reduce(np.square(ctrl))
        if robot.contact_cost is not None:
            cost = cost + robot.contact_cost()
        # Before version 5 the last step of a fall was rewarded as healthy too.
        alive = self._healthy_reward if healthy or not self._newer else 0.0
        reward = self._forward_weight * ((self._place - before) / self._dt) + alive - cost
        self._steps += 1
        return self._observation(), reward, not healthy, self._steps >= self._most_steps, {}

    def _observation(self) -> np.ndarray:
        parts = self._robot.observed
        if self._robot.clip is not None:
            which, limit = self._robot.clip
            parts = [*parts[:which], np.maximum(np.minimum(parts[which], limit), -limit), *parts[which + 1 :]]
        return np.concatenate(parts)


def _newer(u: Any) -> bool:
    return type(u).__module__.endswith("_v5")
