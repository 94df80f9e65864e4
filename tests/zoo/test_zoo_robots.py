"""The robots' masses, joints and motors, and how their poses are read."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from baselines_ppo.zoo.bodies.body import START_CLEARANCE, body_of
from baselines_ppo.zoo.bodies.robot import ANT, ATLAS, HALF_CHEETAH, HOPPER, HUMANOID, WALKER2D, Robot
from baselines_ppo.zoo.scene import Placed, build_scene
from baselines_ppo.zoo.tasks.by_name import TASKS

ROBOTS = {robot.model: robot for robot in (HOPPER, WALKER2D, HALF_CHEETAH, ANT, HUMANOID, ATLAS)}


def model_of(robot: Robot) -> mujoco.MjModel:
    return build_scene([Placed(robot.model, robot.feet)], robot.substeps)


def settled(model: mujoco.MjModel, *, qpos: np.ndarray | None = None) -> mujoco.MjData:
    data = mujoco.MjData(model)
    if qpos is not None:
        data.qpos[:] = qpos
    mujoco.mj_forward(model, data)
    return data


@pytest.mark.parametrize(
    ("name", "mass", "joints", "observed"),
    [
        ("hopper", 15.82, 3, 15),
        ("walker2d", 23.68, 6, 22),
        ("half_cheetah", 38.19, 6, 26),
        ("ant", 182.18, 8, 28),
        ("humanoid", 42.116, 17, 44),
        ("atlas", 182.417, 30, 70),
    ],
)
def test_masses_and_sizes_are_roboschools(name: str, mass: float, joints: int, observed: int) -> None:
    model = model_of(ROBOTS[name])
    assert model.body_mass.sum() == pytest.approx(mass, abs=0.01)
    assert model.nu == joints
    assert 8 + 2 * joints + len(ROBOTS[name].feet) == observed
    # The motors are in the joints' order, right behind the root.
    assert model.actuator_trnid[:, 0].tolist() == list(range(model.njnt - joints, model.njnt))


def test_the_humanoid_is_built_as_told() -> None:
    model = model_of(HUMANOID)
    data = settled(model)
    limbs = {"thigh": 4.752, "shin": 2.756, "foot": 1.767, "upper_arm": 1.661, "lower_arm": 1.230}
    for side, sign in (("right", -1), ("left", 1)):
        for limb, mass in limbs.items():
            assert model.body(f"robot/{side}_{limb}").mass[0] == pytest.approx(mass, abs=0.001)
        hand, foot = data.geom(f"robot/{side}_hand").xpos, data.geom(f"robot/{side}_foot").xpos
        np.testing.assert_allclose(hand, [0.36, sign * 0.17, 1.293 + 0.06], atol=1e-9)  # before the chest
        np.testing.assert_allclose(foot, [-0.01, sign * 0.09, 0.075], atol=1e-9)
    torques = [41] * 5 + [123, 82] + [41, 41, 123, 82] + [30.75] * 6
    np.testing.assert_allclose(model.actuator_gear[:, 0], torques)
    degrees = np.rad2deg(model.jnt_range[1:])
    np.testing.assert_allclose(degrees[[3, 5, 6, 11, 14]], [[-25, 5], [-120, 20], [-160, -2], [-85, 60], [-60, 85]])


def test_positive_hips_and_negative_knees_bend_the_humanoid_forwards() -> None:
    model = model_of(HUMANOID)
    data = mujoco.MjData(model)
    for side in ("right", "left"):
        data.joint(f"robot/{side}_knee").qpos = -1.0
    mujoco.mj_forward(model, data)
    assert data.geom("robot/right_foot").xpos[0] < -0.2, "a bent knee takes the foot back"
    data.joint("robot/right_hip_y").qpos = -1.0
    mujoco.mj_forward(model, data)
    assert data.body("robot/right_shin").xpos[0] > 0.2, "a lifted thigh takes the knee ahead"


def test_atlas_is_built_as_published() -> None:
    model = model_of(ATLAS)
    data = settled(model)
    pelvis = data.body("robot/pelvis").xpos
    places = {
        "utorso": (-0.0125, 0, 0.212),
        "head": (0.2421, 0, 0.8335),
        "l_hand": (0.1281, 0.9476, 0.4194),
        "r_hand": (0.1281, -0.9476, 0.4378),
        "l_lleg": (0, 0.1115, -0.44),
        "r_foot": (0, -0.1115, -0.862),
    }
    for name, place in places.items():
        np.testing.assert_allclose(data.body(f"robot/{name}").xpos - pelvis, place, atol=2e-4, err_msg=name)
    gears = dict(zip((model.actuator(i).name.split("/")[1] for i in range(30)), model.actuator_gear[:, 0], strict=True))
    assert gears["l_leg_kny"] == pytest.approx(267)
    assert gears["r_leg_aky"] == pytest.approx(27.6)
    assert gears["back_bkz"] == pytest.approx(31.8)
    assert model.body("robot/utorso").mass[0] == pytest.approx(84.409)
    assert [model.joint(model.actuator_trnid[i, 0]).name for i in (21, 27)] == ["robot/l_leg_kny", "robot/r_leg_kny"]


@pytest.mark.parametrize("name", ROBOTS)
def test_dense_jacobians_are_in_use(name: str) -> None:
    assert mujoco.mj_isSparse(model_of(ROBOTS[name])) == 0


@pytest.mark.parametrize("name", ROBOTS)
def test_robots_start_just_above_the_floor_within_their_joints(name: str) -> None:
    robot = ROBOTS[name]
    body = body_of(robot, 20)
    data = mujoco.MjData(body.simulation.model)
    for row in range(20):
        body.stand(row, np.random.default_rng(row))
        body.simulation.data(row, data)
        floor = [
            mujoco.mj_geomDistance(body.simulation.model, data, geom, body.simulation.model.geom("floor").id, 5.0, None)
            for geom in range(body.simulation.model.ngeom)
            if body.simulation.model.geom_group[geom] == 0
        ]
        assert min(floor) == pytest.approx(START_CLEARANCE, abs=1e-6)
    body.look()
    positions = body.senses.joints.positions
    assert np.abs(positions).max() <= 1.0
    assert (positions.std(axis=0) > 0).all()
    assert np.abs(body.senses.heights[:, 0] - data.xipos[body._watched, 2]).max() < 0.2 if robot.watched else True


def test_poses_are_read_as_the_rotation_that_they_are() -> None:
    model = model_of(HUMANOID)
    rng = np.random.default_rng(0)
    for _ in range(50):
        quaternion = rng.normal(size=4)
        quaternion /= np.linalg.norm(quaternion)
        qpos = np.concatenate([rng.normal(size=3), quaternion, np.zeros(17)])
        pose = HUMANOID.pose(qpos[None], rng.normal(size=(1, 23)))
        x, y, z = (rotation(axis, angle) for axis, angle in enumerate((pose.roll[0], pose.pitch[0], pose.yaw[0])))
        data = settled(model, qpos=qpos)
        np.testing.assert_allclose(z @ y @ x, data.body("robot/torso").xmat.reshape(3, 3), atol=1e-9)
        assert pose.height[0] == pytest.approx(data.geom("robot/upper_waist").xpos[2])


def rotation(axis: int, angle: float) -> np.ndarray:
    a, b = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[a, a] = matrix[b, b] = np.cos(angle)
    matrix[b, a], matrix[a, b] = np.sin(angle), -np.sin(angle)
    return matrix


@pytest.mark.parametrize("name", ["hopper", "walker2d", "half_cheetah"])
def test_planar_robots_lean_forwards_by_a_positive_pitch(name: str) -> None:
    robot = ROBOTS[name]
    model = model_of(robot)
    qpos = settled(model).qpos.copy()
    upright = robot.pose(qpos[None], np.zeros((1, model.nv)))
    assert upright.height[0] == pytest.approx(settled(model).body("robot/torso").xpos[2])
    qpos[2] = 0.3
    top = np.array([0.0, 0.0, 1.0])
    leaning = settled(model, qpos=qpos).body("robot/torso").xmat.reshape(3, 3) @ top
    assert leaning[0] == pytest.approx(np.sin(0.3))
    assert robot.pose(qpos[None], np.zeros((1, model.nv))).pitch[0] == 0.3


@pytest.mark.parametrize(
    ("name", "torques", "degrees"),
    [
        ("hopper", [75, 75, 75], [(-150, 0), (-150, 0), (-45, 45)]),
        ("walker2d", [40, 40, 12] * 2, [(-150, 0), (-150, 0), (-45, 45)] * 2),
        (
            "ant",
            [250] * 8,
            [(-40, 40), (30, 100), (-40, 40), (-100, -30), (-40, 40), (-100, -30), (-40, 40), (30, 100)],
        ),
    ],
)
def test_torques_and_ranges_are_roboschools(name: str, torques: list[float], degrees: list[tuple[int, int]]) -> None:
    model = model_of(ROBOTS[name])
    np.testing.assert_allclose(model.actuator_gear[:, 0], torques)
    np.testing.assert_allclose(np.rad2deg(model.jnt_range[model.actuator_trnid[:, 0]]), degrees)


def test_the_cheetahs_torques_and_ranges_are_roboschools() -> None:
    model = model_of(HALF_CHEETAH)
    np.testing.assert_allclose(model.actuator_gear[:, 0], [108, 81, 54, 126, 54, 27])
    ranges = [(-0.52, 1.05), (-0.785, 0.785), (-0.4, 0.785), (-1.5, 0.8), (-1.2, 1.1), (-3.1, -0.3)]
    np.testing.assert_allclose(model.jnt_range[3:], ranges)


def test_bent_ankles_take_the_ants_feet_down() -> None:
    model = model_of(ANT)
    data = mujoco.MjData(model)
    for leg, angle in zip((1, 2, 3, 4), (45, -45, -45, 45), strict=True):
        data.joint(f"robot/ankle_{leg}").qpos = np.deg2rad(angle)
    mujoco.mj_forward(model, data)
    drops = [data.body(f"robot/foot_{leg}").xpos[2] - data.geom(f"robot/foot_{leg}").xpos[2] for leg in (1, 2, 3, 4)]
    np.testing.assert_allclose(drops, np.hypot(0.2, 0.2) * np.sin(np.pi / 4))


def test_physics_and_rules_have_roboschools_numbers() -> None:
    model = model_of(HUMANOID)
    assert model.opt.gravity.tolist() == [0.0, 0.0, -9.8]
    assert model.opt.timestep * HUMANOID.substeps == pytest.approx(0.0165)
    assert model_of(ATLAS).opt.timestep * ATLAS.substeps == pytest.approx(0.0165)
    assert (HUMANOID.electricity_cost, HUMANOID.stall_cost, HUMANOID.most_yaw) == (8.5, 0.425, np.pi / 16)
    assert (ATLAS.electricity_cost, ATLAS.stall_cost, ATLAS.reference_height) == (2.0, 0.1, 1.5)
    assert ANT.friction == 1.2


def test_flagrun_pays_half_for_electricity() -> None:
    flagrun, humanoid = TASKS["HumanoidFlagrun"](1), TASKS["Humanoid"](1)
    action = np.full((1, 17), 0.5)
    costs = []
    for task in (flagrun, humanoid):
        task.begin([0], [np.random.default_rng(0)])
    for task in (flagrun, humanoid):
        task.simulation.qpos[:, :24], task.simulation.qvel[:, :23] = humanoid.simulation.qpos[:, :24], 1.0
        task.simulation.qpos[:, 2] = 3.0
        task.look()
        costs.append(task.step(action, [np.random.default_rng(0)]).terms.electricity[0] + 0.425 * 0.25)
    assert costs[0] == pytest.approx(costs[1] / 2)
