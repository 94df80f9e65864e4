"""Between the steps and in the picture: what moves, and the shapes that are seen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest

from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.failures import UsageError
from baselines_ppo.run.show.motion import Motion
from baselines_ppo.run.show.shapes import mesh_of, shown
from baselines_ppo.run.show.simulated import simulated
from tests.show.test_steering import CHEETAH, run, session_of


@pytest.mark.parametrize(
    ("says", "seconds"),
    [
        ({"dt": 0.1}, 0.1),
        ({"inside": SimpleNamespace(dt=0.04)}, 0.04),
        ({"metadata": {"render_fps": 20}}, 0.05),
        ({}, 1 / 30),
    ],
)
def test_what_else_uses_mujoco_is_seen_at_the_pace_that_it_says(says: dict[str, Any], seconds: float) -> None:
    class Strange(gymnasium.Env[Any, Any]):
        model = mujoco.MjModel.from_xml_string(SHAPES)
        data = mujoco.MjData(model)

    env = Strange()
    for name, value in says.items():
        setattr(env, name, value)
    found = simulated(lambda: env, "Strange-v0")
    assert found.step_seconds == pytest.approx(seconds)
    env.data.qpos[:] = np.linspace(0.1, 0.2, env.model.nq)
    seen = mujoco.MjData(found.model)
    found.read(seen)
    mujoco.mj_forward(env.model, env.data)
    np.testing.assert_allclose(seen.xpos, env.data.xpos)
    env.model = mujoco.MjModel.from_xml_string(SHAPES)
    with pytest.raises(UsageError, match="Strange-v0 has changed its MuJoCo model"):
        found.read(seen)


def test_motion_goes_from_one_step_to_the_next() -> None:
    session = session_of(CHEETAH)
    run(session, 0.5)
    before = session.motion.at(1.0).qpos.copy()
    session.step()
    after = session.motion.at(1.0).qpos.copy()
    np.testing.assert_allclose(session.motion.at(0.0).qpos, before)
    np.testing.assert_allclose(session.motion.at(0.5).qpos, (before + after) / 2)
    assert not np.allclose(before, after)


def test_motion_does_not_disturb_what_is_simulated() -> None:
    watched, alone = session_of(), session_of()
    for _ in range(100):
        watched.step()
        watched.motion.at(0.3)
        alone.step()
    assert watched.numbers == alone.numbers


@pytest.mark.parametrize("name", ["Humanoid-v4", "Ant-v5", "InvertedPendulum-v4", "RoboReacher-v1"])
def test_motion_has_the_places_of_bodies(name: str) -> None:
    env = make_environment(EnvironmentSpec(name))
    env.reset(seed=0)
    scene = simulated(lambda: env, name)
    motion, data = Motion(scene), mujoco.MjData(scene.model)
    env.step(np.full(env.action_space.shape or (), 0.3))
    motion.step()
    scene.read(data)
    mujoco.mj_kinematics(scene.model, data)
    np.testing.assert_allclose(motion.at(1.0).xpos, data.xpos, atol=1e-9)


SHAPES = """
<mujoco>
  <asset><mesh name="wedge" vertex="0 0 0  1 0 0  0 2 0  0 0 3  1 0 3"/></asset>
  <worldbody>
    <body pos="1 2 3">
      <geom type="sphere" size="0.3"/>
      <geom type="capsule" size="0.1 0.4" pos="1 0 0" euler="30 0 0"/>
      <geom type="cylinder" size="0.2 0.4" pos="0 1 0" euler="0 40 0"/>
      <geom type="box" size="0.1 0.2 0.3" pos="0 0 1" euler="0 0 50"/>
      <geom type="ellipsoid" size="0.1 0.2 0.3" pos="0 -1 0" euler="10 20 30"/>
      <geom type="mesh" mesh="wedge" pos="-1 0 0" euler="0 20 30"/>
      <geom type="sphere" size="0.3" group="3"/>
      <geom type="sphere" size="0.3" rgba="1 0 0 0"/>
    </body>
  </worldbody>
</mujoco>
"""


def test_shapes_are_where_and_as_large_as_mujoco_has_them() -> None:
    pytest.importorskip("trimesh")
    model = mujoco.MjModel.from_xml_string(SHAPES)
    assert shown(model, 1) == [0, 1, 2, 3, 4, 5]
    for geom in shown(model, 1):
        mesh = mesh_of(model, geom)
        assert mesh is not None
        turn = np.zeros(9)
        mujoco.mju_quat2Mat(turn, model.geom_quat[geom])
        own = (mesh.vertices - model.geom_pos[geom]) @ turn.reshape(3, 3)
        middle, half = model.geom_aabb[geom, :3], model.geom_aabb[geom, 3:]
        np.testing.assert_allclose(own.min(axis=0), middle - half, atol=0.01)
        np.testing.assert_allclose(own.max(axis=0), middle + half, atol=0.01)
