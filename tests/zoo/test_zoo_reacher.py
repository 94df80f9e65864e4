"""Arms that reach for targets: masses, motion, starts and rewards."""

from __future__ import annotations

from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest

from baselines_ppo.zoo.scene import CONTROL_STEP
from baselines_ppo.zoo.tasks.reacher import Reacher
from baselines_ppo.zoo.vector_env import RobotVectorEnv

REACH = 0.21  # m


def begun(count: int = 1) -> Reacher:
    task = Reacher(count)
    task.begin(list(range(count)), [np.random.default_rng(row) for row in range(count)])
    return task


def at(shoulder: float, elbow: float, x: float = 0.1, y: float = -0.2) -> Reacher:
    """Return one at rest, with a target at x and y."""
    task = begun()
    task.simulation.qpos[:] = shoulder, elbow
    task.targets[:] = x, y
    return task


def step(task: Reacher, *action: float) -> Any:
    count = len(task.targets)
    return task.step(np.tile(action or (0.0, 0.0), (count, 1)), [np.random.default_rng(0)] * count)


def test_the_links_weigh_what_roboschools_do() -> None:
    model = Reacher(1).simulation.model
    for link, mass in (("upper_arm", 0.0356), ("forearm", 0.0356), ("fingertip", 0.0042)):
        assert model.body(f"robot/{link}").mass[0] == pytest.approx(mass, abs=0.0001)


def test_the_shoulders_torque_turns_the_arm_by_its_inertia() -> None:
    """The angular momentum about the shoulder after a step is torque x time; the elbow's torque is within."""
    for action, expected in (((1.0, 0.0), 0.05), ((0.0, 1.0), 0.0), ((-0.5, 1.0), -0.025)):
        task = at(0.3, 0.5)
        inertia = np.zeros((2, 2))
        data = mujoco.MjData(task.simulation.model)
        task.simulation.data(0, data)
        mujoco.mj_fullM(task.simulation.model, data, inertia)
        step(task, *action)
        momentum = (inertia @ task.simulation.qvel[0])[0]
        assert momentum == pytest.approx(expected * CONTROL_STEP, rel=0.15, abs=0.05 * CONTROL_STEP * 0.15)


def test_nothing_moves_without_torque() -> None:
    task = at(0.3, 0.5)
    step(task)
    np.testing.assert_array_equal(task.simulation.qpos, [[0.3, 0.5]])


def test_full_torque_drives_the_shoulder_to_100_rad_per_s() -> None:
    task = at(0.0, 0.0)
    for _ in range(1500):
        assert not step(task, 1.0, 0.0).failed.any()
    assert task.simulation.qvel[0, 0] == pytest.approx(100.0, rel=0.02)


@pytest.mark.parametrize("hold", [1, 10, 1000])
def test_saturated_torques_leave_all_stable(hold: int) -> None:
    task, rng = begun(8), np.random.default_rng(0)
    for index in range(300):
        if index % hold == 0:
            actions = rng.choice([-1.0, 1.0], (8, 2))
        assert not task.step(actions, []).failed.any()
        assert np.abs(task.simulation.qpos[:, 1]).max() < 3.25
    assert np.abs(task.simulation.qvel).max() < 200


def test_torques_that_always_add_speed_leave_all_stable() -> None:
    task = begun(8)
    for _ in range(300):
        assert not task.step(np.sign(task.simulation.qvel + 1e-9), []).failed.any()


def test_the_elbow_stops_at_3_rad_and_the_shoulder_nowhere() -> None:
    task = at(0.0, 2.9)
    for _ in range(60):
        step(task, 0.0, 0.2)
    assert 2.95 < task.simulation.qpos[0, 1] < 3.1
    task = at(0.0, 0.0)
    for _ in range(60):
        step(task, 1.0, 0.0)
    assert task.simulation.qpos[0, 0] > 10


def test_starts_and_targets_are_anywhere() -> None:
    task = begun(1000)
    qpos, targets = task.simulation.qpos, task.targets
    for values, most in ((qpos[:, 0], 3.14), (qpos[:, 1], 3.0), (targets[:, 0], 0.27), (targets[:, 1], 0.27)):
        assert np.abs(values).max() <= most
        assert values.min() < -0.98 * most and values.max() > 0.98 * most
        assert abs(values.mean()) < 0.06 * most
    assert 20 < (np.abs(qpos[:, 1]) == 3.0).sum() < 80  # 14 in 314 were drawn beyond the limit
    assert not task.simulation.qvel.any()


def test_an_episode_begins_in_its_row_alone() -> None:
    task = begun(3)
    step(task, 1.0, -1.0)
    qpos, targets = task.simulation.qpos.copy(), task.targets.copy()
    task.begin([1], [np.random.default_rng(7)])
    for now, before in ((task.simulation.qpos, qpos), (task.targets, targets)):
        np.testing.assert_array_equal(now[[0, 2]], before[[0, 2]])
        assert not np.any(now[1] == before[1])


def test_what_is_seen() -> None:
    """The fingertip is at 0.1 cos 0.5 + 0.11 cos(0.5 + 1.0) and the sines of that."""
    task = at(0.5, 1.0)
    task.simulation.qvel[:] = [8.0, -3.0]
    seen = task.observe()
    assert seen.shape == (1, 9) and seen.dtype == np.float32
    expected = [0.1, -0.2, 0.09554 - 0.1, 0.15767 + 0.2, 0.87758, 0.47943, 0.8, 1 / 3, -0.3]
    np.testing.assert_allclose(seen[0], expected, atol=2e-5)


def test_the_fingertip_and_the_target_are_where_mujoco_has_them() -> None:
    task = at(0.5, -2.0, 0.2, 0.05)
    model, data = task.simulation.model, mujoco.MjData(task.simulation.model)
    task.simulation.data(0, data)
    fingertip, target = (data.xpos[model.body(f"robot/{name}").id] for name in ("fingertip", "target"))
    np.testing.assert_allclose(task.fingertips[0], fingertip[:2], atol=1e-12)
    np.testing.assert_allclose(target, [0.2, 0.05, fingertip[2]])


def test_progress_adds_up_to_what_the_fingertip_came_closer() -> None:
    task, rng = begun(4), np.random.default_rng(1)

    def away() -> np.ndarray:
        return np.linalg.norm(task.observe()[:, 2:4].astype(np.float64), axis=1)

    before, total = away(), np.zeros(4)
    for _ in range(50):
        total += task.step(rng.uniform(-1, 1, (4, 2)), []).terms.progress
    np.testing.assert_allclose(total, 100 * (before - away()), atol=1e-4)
    assert np.abs(total).min() > 0.1


def test_progress_is_positive_towards_the_target() -> None:
    """Straight along x; the target is on the side that the shoulder turns to, or on the other."""
    for y, sign in ((0.2, 1.0), (-0.2, -1.0)):
        assert np.sign(step(at(0.0, 0.0, 0.0, y), 1.0, 1.0).terms.progress[0]) == sign


def test_power_and_stalling_cost_whether_it_drives_or_brakes() -> None:
    for action in ((0.5, -1.0), (-0.5, 1.0)):
        task = at(0.5, 1.0)
        task.simulation.qvel[:] = [8.0, -30.0]
        electricity = step(task, *action).terms.electricity[0]
        shoulder, elbow = task.simulation.qvel[0]
        assert shoulder > 3 and elbow < -10
        expected = -0.10 * (0.5 * 0.1 * shoulder + 1.0 * 0.1 * -elbow) - 0.01 * (0.5 + 1.0)
        assert electricity == pytest.approx(expected, abs=1e-12)


def test_turning_without_torque_costs_nothing() -> None:
    task = at(0.5, 1.0)
    task.simulation.qvel[:] = [8.0, -3.0]
    assert step(task).terms.electricity[0] == 0.0


def test_an_elbow_at_its_limit_costs_a_tenth() -> None:
    for elbow, cost in ((2.96, 0.0), (2.98, -0.1), (-2.96, 0.0), (-2.98, -0.1)):
        assert step(at(3.0, elbow)).terms.joints_at_limit[0] == cost


def test_no_episode_ends_before_its_150_steps() -> None:
    env = gymnasium.make("baselines_ppo.zoo:RoboReacher-v1")
    env.reset(seed=0)
    ends = [env.step(np.array([1.0, -1.0]))[2:4] for _ in range(150)]
    assert not any(terminated for terminated, _ in ends)
    assert [truncated for _, truncated in ends].index(True) == 149
    assert env.spec is not None and env.spec.reward_threshold == 18


def test_each_row_does_what_it_would_do_alone() -> None:
    many, alone = RobotVectorEnv("Reacher", 5, 40), RobotVectorEnv("Reacher", 1, 40)
    actions = np.random.default_rng(0).uniform(-1, 1, (60, 5, 2))
    for row in range(5):
        together, own = many.reset(seed=3)[0], alone.reset(seed=3 + row)[0]
        np.testing.assert_array_equal(together[row], own[0])
        for action in actions:
            for x, y in zip(many.step(action)[:3], alone.step(action[row : row + 1])[:3], strict=True):
                np.testing.assert_array_equal(x[row], y[0])


def test_the_target_comes_back_with_the_state() -> None:
    envs = RobotVectorEnv("Reacher", 3)
    envs.reset(seed=1)
    state, actions = envs.capture(), np.full((3, 2), 0.3)
    first = envs.step(actions)
    envs.reset(seed=9)
    envs.restore(state)
    again = envs.step(actions)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
