"""What walkers are rewarded for and see, worked out by hand; flags."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from baselines_ppo.zoo.bodies.robot import ANT, ATLAS, HALF_CHEETAH, HOPPER, HUMANOID, WALKER2D, Robot
from baselines_ppo.zoo.tasks.flags import LIFE
from baselines_ppo.zoo.tasks.walker import Walker

ROBOTS = {robot.model: robot for robot in (HOPPER, WALKER2D, HALF_CHEETAH, ANT, HUMANOID, ATLAS)}


def begun(robot: Robot, count: int = 3, flags: bool = False) -> tuple[Walker, list[np.random.Generator]]:
    walker = Walker(robot, count, flags)
    generators = [np.random.default_rng(i) for i in range(count)]
    walker.begin(list(range(count)), generators)
    return walker, generators


@pytest.mark.parametrize("name", ROBOTS)
def test_progress_adds_up_to_the_way_that_was_made(name: str) -> None:
    walker, generators = begun(ROBOTS[name])
    start = walker.body.pose.position.copy()
    actions = np.random.default_rng(0).uniform(-1, 1, (60, 3, walker.action_size))
    progress = sum(walker.step(a, generators).terms.progress for a in actions)
    way = walker.body.pose.position - start
    assert np.abs(way[:, 0]).max() > 0.02
    np.testing.assert_allclose(progress * 0.0165, way[:, 0], atol=2e-3)  # the target is ahead, a kilometre away


@pytest.mark.parametrize(("name", "power_cost", "stall_cost"), [("ant", 2.0, 0.1), ("humanoid", 8.5, 0.425)])
def test_electricity_is_paid_for_power_and_for_pulling(name: str, power_cost: float, stall_cost: float) -> None:
    walker, generators = begun(ROBOTS[name])
    action = np.random.default_rng(1).uniform(-1, 1, (3, walker.action_size))
    for _ in range(4):
        terms = walker.step(action, generators).terms
    for row in range(3):
        speeds = walker.simulation.qvel[row, 6:]
        power = sum(abs(a * 0.1 * speed) for a, speed in zip(action[row], speeds, strict=True)) / walker.action_size
        pulling = sum(a * a for a in action[row]) / walker.action_size
        assert power > 0.02
        assert terms.electricity[row] == pytest.approx(-power_cost * power - stall_cost * pulling)


def test_each_joint_at_its_limit_costs_a_fifth() -> None:
    walker, generators = begun(HUMANOID)
    model = walker.simulation.model
    walker.simulation.qpos[0, 7:] = model.jnt_range[1:].mean(axis=1)
    walker.simulation.qpos[1, 7:] = model.jnt_range[1:, 1]
    walker.simulation.qpos[:, 2] = 5.0  # in the air
    walker.look()
    assert walker.body.joints_at_limit()[:2].tolist() == [0, 17]
    walker.simulation.qpos[2, 7:] = model.jnt_range[1:].mean(axis=1)
    walker.simulation.qpos[2, 7 + 4] = model.jnt_range[1 + 4, 0] - 0.2  # far beyond: one step does not bring it back
    walker.look()
    assert walker.step(np.zeros((3, 17)), generators).terms.joints_at_limit[2] == pytest.approx(-0.2)


def test_feet_that_touch_each_other_cost_one_each() -> None:
    walker, generators = begun(HUMANOID)
    hips = [walker.simulation.model.joint(f"robot/{side}_hip_x").qposadr[0] for side in ("right", "left")]
    walker.simulation.qpos[0, hips] = np.deg2rad(5)
    walker.simulation.qpos[1, hips] = np.deg2rad(-15)
    walker.simulation.qpos[:, 2] = 1.6  # in the air
    walker.look()
    terms = walker.step(np.zeros((3, 17)), generators).terms
    assert terms.foot_collision.tolist()[:2] == [-2.0, 0.0]
    assert not walker.observe()[:, -2:].any(), "no foot is on the floor"


def test_a_standing_humanoid_earns_its_bonus_and_feels_the_floor() -> None:
    walker, generators = begun(HUMANOID)
    for _ in range(6):
        outcome = walker.step(np.zeros((3, 17)), generators)
    assert outcome.terms.alive.tolist() == [2.0] * 3
    assert not outcome.terminated.any()
    total = np.sum(outcome.terms, axis=0)
    assert ((total > 1.0) & (total < 2.5)).all()
    observed = walker.observe()
    assert observed[:, -2:].any(axis=1).all(), "a foot is on the floor"
    assert observed[:, 0] == pytest.approx(1.17 - 0.8, abs=0.05)


@pytest.mark.parametrize(
    ("robot", "bonus", "height"), [(HUMANOID, 2.0, 0.78), (HOPPER, 1.0, 0.8), (WALKER2D, 1.0, 0.8), (ANT, 1.0, 0.26)]
)
def test_who_sinks_too_low_has_fallen(robot: Robot, bonus: float, height: float) -> None:
    walker, _ = begun(robot)
    vertical = 1 if robot.planar else 2
    for row, away in enumerate((-0.01, 0.01, 0.3)):
        walker.simulation.qpos[row, vertical] += height + away - walker.body.pose.height[row]
    walker.look()
    assert robot.alive(walker.body.senses).tolist() == [-1.0, bonus, bonus]


@pytest.mark.parametrize("robot", [HOPPER, WALKER2D, HALF_CHEETAH])
def test_who_leans_too_far_has_fallen(robot: Robot) -> None:
    walker, _ = begun(robot)
    walker.simulation.qpos[:, 1] = 3.0
    walker.simulation.qpos[:, 2] = [-1.01, 0.99, 1.01]
    walker.look()
    assert robot.alive(walker.body.senses).tolist() == [-1.0, 1.0, -1.0]


def test_a_cheetah_may_touch_the_floor_with_its_feet_alone() -> None:
    walker, generators = begun(HALF_CHEETAH, 2)
    walker.simulation.qpos[1, 1] = 0.3
    walker.simulation.qpos[1, 3:] = [1.0, 0.7, 0.0, -1.4, 0.0, -0.5]
    walker.look()
    for _ in range(40):
        outcome = walker.step(np.zeros((2, 6)), generators)
        feet = walker.body.senses.feet
        np.testing.assert_array_equal(outcome.terminated, feet[:, [1, 2, 4, 5]].any(axis=1))
        if outcome.terminated[1]:
            return
    raise AssertionError("it lay on its shins and was alive")


def test_atlas_is_paid_for_a_high_head_and_bent_knees() -> None:
    walker, generators = begun(ATLAS, 3)
    knees = [walker.simulation.model.joint(f"robot/{side}_leg_kny").qposadr[0] for side in "lr"]
    walker.simulation.qpos[:, knees] = [[0.3, 0.3], [0.0, 0.3], [0.0, 0.0]]
    walker.simulation.qpos[:, 2] = 3.0
    walker.look()
    assert walker.step(np.zeros((3, 30)), generators).terms.alive.tolist() == [4.0, 3.0, 2.0]
    walker.simulation.qpos[:, 3:7] = [np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0]  # on its face
    walker.simulation.qpos[:, 2] = [0.5, 0.5, 1.6]
    walker.look()
    outcome = walker.step(np.zeros((3, 30)), generators)
    assert outcome.terms.alive.tolist() == [-1.0, -1.0, 2.0]
    assert outcome.terminated.tolist() == [True, True, False]


def test_a_walker_sees_the_same_wherever_it_goes() -> None:
    walker, _ = begun(HUMANOID, 2, flags=True)
    simulation = walker.simulation
    simulation.qpos[1], simulation.qvel[1] = simulation.qpos[0], np.linspace(-1, 1, 23)
    simulation.qvel[0] = simulation.qvel[1]
    turn = 2.0
    c, s = np.cos(turn), np.sin(turn)
    turned = np.array([[c, -s], [s, c]])
    simulation.qpos[1, :2] = turned @ simulation.qpos[0, :2] + [3.0, -4.0]
    w, x, y, z = simulation.qpos[0, 3:7]
    half_c, half_s = np.cos(turn / 2), np.sin(turn / 2)
    simulation.qpos[1, 3:7] = [
        half_c * w - half_s * z,
        half_c * x - half_s * y,
        half_c * y + half_s * x,
        half_c * z + half_s * w,
    ]
    simulation.qvel[1, :2] = turned @ simulation.qvel[0, :2]
    assert walker.flags is not None
    walker.flags.put(0, 5.0, 2.0)
    walker.flags.put(1, *(turned @ [5.0, 2.0] + [3.0, -4.0]))
    walker.look()
    first, second = walker.observe()
    np.testing.assert_allclose(first, second, atol=1e-6)
    way = np.array([5.0, 2.0]) - simulation.qpos[0, :2]
    yaw = walker.body.pose.yaw[0]
    assert first[1] == pytest.approx(np.sin(np.arctan2(way[1], way[0]) - yaw), abs=1e-6)
    ahead = simulation.qvel[0, 0] * np.cos(yaw) + simulation.qvel[0, 1] * np.sin(yaw)
    assert first[3] == pytest.approx(0.3 * ahead, abs=1e-6)


def test_each_of_the_first_eight_numbers_is_where_it_belongs() -> None:
    """Height, bearing, velocity, roll and pitch of a pose that tells them all apart."""
    walker, _ = begun(HUMANOID, 1)
    roll, pitch, yaw = 0.1, -0.25, 0.7
    quaternion = np.zeros(4)
    for axis, angle in ((2, yaw), (1, pitch), (0, roll)):
        turn = np.array([np.cos(angle / 2), 0.0, 0.0, 0.0])
        turn[1 + axis] = np.sin(angle / 2)
        if axis == 2:
            quaternion = turn
        else:
            product = np.zeros(4)
            mujoco.mju_mulQuat(product, quaternion, turn)
            quaternion = product
    walker.simulation.qpos[0, :7] = [2.0, -1.0, 1.4, *quaternion]
    walker.simulation.qvel[0, :3] = [1.5, -0.5, 0.25]
    walker.look()
    data = mujoco.MjData(walker.simulation.model)
    walker.simulation.data(0, data)
    bearing = np.arctan2(1.0, 998.0) - yaw
    ahead, left = 1.5 * np.cos(yaw) - 0.5 * np.sin(yaw), -0.5 * np.cos(yaw) - 1.5 * np.sin(yaw)
    height = data.geom("robot/upper_waist").xpos[2] - 0.8
    expected = [height, np.sin(bearing), np.cos(bearing), 0.3 * ahead, 0.3 * left, 0.3 * 0.25, roll, pitch]
    np.testing.assert_allclose(walker.observe()[0, :8], expected, atol=1e-6)


def test_joints_are_seen_between_their_limits_and_speeds_in_tens() -> None:
    walker, _ = begun(HUMANOID, 1)
    low, high = walker.simulation.model.jnt_range[1:].T
    walker.simulation.qpos[0, 7:], walker.simulation.qvel[0, 6:] = low + 0.25 * (high - low), 3.0
    walker.look()
    seen = walker.observe()[0]
    np.testing.assert_allclose(seen[8:25], -0.5, atol=1e-6)
    np.testing.assert_allclose(seen[25:42], 0.3, atol=1e-6)


def test_atlas_sees_speeds_in_parts_of_what_its_joints_allow() -> None:
    walker, _ = begun(ATLAS, 1)
    walker.simulation.qvel[0, 6:] = 3.0
    walker.look()
    speeds = walker.observe()[0, 38:68]
    np.testing.assert_allclose(speeds[[0, 1, 10, 29]], [3 / 12, 3 / 9, 3 / 6.28, 3 / 12], rtol=1e-6)


# Flags


def test_first_flags_are_straight_ahead_half_the_time_and_later_ones_never() -> None:
    walker, generators = begun(HUMANOID, 400, flags=True)
    assert walker.flags is not None
    first = walker.flags.places.copy()
    straight = first[:, 1] == 0.0
    assert 0.42 < straight.mean() < 0.58
    assert ((first[straight, 0] > 13.125) & (first[straight, 0] < 26.25)).all()
    walker.flags.renew(first, np.zeros(400, bool), generators)  # everybody is there
    for places in (first[~straight], walker.flags.places):
        assert (np.abs(places) < [13.125, 6.25]).all()
        assert (np.abs(places).max(axis=0) > [11.0, 5.0]).all()


def test_a_flag_is_replaced_when_it_is_reached_or_too_old() -> None:
    walker, generators = begun(HUMANOID, 3, flags=True)
    flags = walker.flags
    assert flags is not None
    positions, steady = flags.places + np.array([[0.99, 0.0], [1.01, 0.0], [3.0, 0.0]]), np.zeros(3, bool)
    before = flags.places.copy()
    assert flags.renew(positions, steady, generators).tolist() == [True, False, False]
    assert flags.reached.tolist() == [1, 0, 0]
    assert (flags.places != before).any(axis=1).tolist() == [True, False, False]
    far = flags.places + 5.0
    replaced = [flags.renew(far, steady, generators).copy() for _ in range(LIFE)]
    assert LIFE == 150
    assert np.flatnonzero([step[1] for step in replaced]).tolist() == [148]
    assert np.flatnonzero([step[0] for step in replaced]).tolist() == [149]


def test_a_new_flag_brings_no_jump_in_the_reward() -> None:
    walker, generators = begun(HUMANOID, 1, flags=True)
    flags = walker.flags
    assert flags is not None
    flags.put(0, *(walker.body.pose.position[0] + [0.5, 0.0]))
    assert walker.step(np.zeros((1, 17)), generators).terms.progress[0] == 0.0
    assert abs(walker.step(np.zeros((1, 17)), generators).terms.progress[0]) < 3.0


def test_a_flag_that_was_put_stays_until_it_is_reached() -> None:
    walker, generators = begun(HUMANOID, 2, flags=True)
    flags = walker.flags
    assert flags is not None
    flags.put(0, 7.0, 3.0)
    far, steady = np.zeros((2, 2)), np.zeros(2, bool)
    for _ in range(400):
        flags.renew(far, steady, generators)
    assert flags.places[0].tolist() == [7.0, 3.0]
    assert flags.renew(np.array([[7.2, 3.1], [99.0, 99.0]]), steady, generators)[0]
