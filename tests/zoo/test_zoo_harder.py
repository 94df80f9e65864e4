"""The humanoid that starts lying down, must get up, and has cubes thrown at it."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from baselines_ppo.common.failures import UsageError
from baselines_ppo.zoo.scene import CONTROL_STEP
from baselines_ppo.zoo.tasks.by_name import make_task
from baselines_ppo.zoo.tasks.harder import STARTS, WALK, FlagrunHarder, start_chances

FACE_DOWN, FACE_UP = STARTS.index("face_down"), STARTS.index("face_up")
STILL = np.zeros((1, 17))


def begun(count: int, start: str | None = None) -> tuple[FlagrunHarder, list[np.random.Generator]]:
    """Return robots, all with one of the starts if it is given."""
    task = FlagrunHarder(count, start)
    generators = [np.random.default_rng(i) for i in range(count)]
    task.begin(list(range(count)), generators)
    return task, generators


def test_starts_are_drawn_in_proportion_to_how_often_they_fail() -> None:
    nothing = np.full((3, 10), np.nan)
    np.testing.assert_allclose(start_chances(nothing), 1 / 3)
    known = nothing.copy()
    known[0, -4:] = [1, 1, 1, 1]  # fails 1 - 4/5
    known[1, -4:] = [0, 1, 0, 0]  # fails 1 - 1/5
    np.testing.assert_allclose(start_chances(known), np.array([0.2, 0.8, 1.0]) / 2.0)


def test_robots_start_upright_on_their_face_or_on_their_back() -> None:
    task, _ = begun(60)
    pose = task.body.pose
    assert set(task._start) == {WALK, FACE_DOWN, FACE_UP}
    assert (pose.height[task._start == WALK] > 1.1).all()
    for start, z in ((FACE_DOWN, 1.0), (FACE_UP, -1.0)):
        rows = np.flatnonzero(task._start == start)
        assert (pose.height[rows] < 0.5).all()
        for row in rows:
            rotation = np.zeros(9)
            mujoco.mju_quat2Mat(rotation, task.simulation.qpos[row, 3:7])
            forwards = rotation.reshape(3, 3)[:, 0]  # where the chest looks
            assert forwards[2] * z < -0.95


@pytest.mark.parametrize("start", STARTS)
def test_all_episodes_start_as_they_are_asked_to(start: str) -> None:
    task, generators = begun(5, start)
    for _ in range(5):
        assert set(task._start) == {STARTS.index(start)}
        task.begin([0, 3], [generators[0], generators[3]])


def test_a_start_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="expected one of upright, face_down, face_up"):
        FlagrunHarder(1, "sideways")
    with pytest.raises(TypeError, match="Ant got an unexpected keyword argument 'start'"):
        make_task("Ant", 1, start="upright")


@pytest.mark.parametrize("lying", [30, 245])
def test_who_stays_upright_for_a_second_has_stood_up_when_that_began(lying: int) -> None:
    """The robot is put on its feet again before each step; 4 s are 242 of them."""
    task, generators = begun(1, "face_down")
    for _ in range(lying):
        task._grounded[:] = 0
        task.step(STILL, generators)
    assert task.facts["stood_up"][0] == 0.0
    assert np.isnan(task.facts["seconds_to_stand"][0])
    for _ in range(60):
        task.body.stand(0, generators[0], 0.0)
        task.body.look()
        task.step(STILL, generators)
    assert task.facts["seconds_to_stand"][0] == pytest.approx(lying * CONTROL_STEP)
    assert task.facts["stood_up"][0] == float(lying == 30)
    task.begin([0], generators)
    assert np.isnan(task.facts["seconds_to_stand"][0])


def test_who_starts_upright_is_not_said_to_stand_up_and_succeeds_by_lasting() -> None:
    task, generators = begun(1, "upright")
    task.episode_steps = 70
    for step in range(70):
        assert task.facts["is_success"][0] == 0.0, step
        task.body.stand(0, generators[0], 0.0)
        task.body.look()
        task.step(STILL, generators)
    assert task.facts["is_success"][0] == 1.0
    assert np.isnan([task.facts["stood_up"][0], task.facts["seconds_to_stand"][0]]).all()


def test_who_started_upright_must_not_fall() -> None:
    task, generators = begun(1, "upright")
    heights = []
    for _ in range(200):
        outcome = task.step(STILL, generators)
        heights.append(task.body.pose.height[0])
        if outcome.terminated[0]:
            break
    assert heights[-1] < 0.8 <= min(heights[:-1])
    assert outcome.terms.alive[0] == -1.0


def test_who_lies_has_170_steps_to_get_up() -> None:
    task, generators = begun(1, "face_down")
    ended = [bool(task.step(STILL, generators).terminated[0]) for _ in range(170)]
    assert ended == [False] * 169 + [True]


def test_getting_up_is_rewarded_once_and_crawling_is_not() -> None:
    task, generators = begun(1, "face_down")
    first = task.step(STILL, generators).terms
    assert 0.5 <= first.alive[0] < 1.5
    task.simulation.qvel[0, 0] = 3.0
    task.look()
    actions = np.random.default_rng(0).uniform(-1, 1, (60, 1, 17))
    steps = [task.step(action, generators).terms for action in actions]
    assert [terms.progress[0] for terms in steps] == [0.0] * 60, "it slides towards its flag, on its belly"
    bonuses = [terms.alive[0] for terms in steps]
    assert np.ptp(bonuses) > 0.1
    assert sum(terms.rising[0] for terms in steps) == pytest.approx(100 * (bonuses[-1] - first.alive[0]))


def test_standing_gives_the_whole_bonus_and_leaning_takes_none_of_it() -> None:
    task, generators = begun(2, "upright")
    task.body.senses.heights[1] = 0.6  # a pelvis that hangs low behind
    np.testing.assert_allclose(task._bonus(), 2.0)
    assert task.step(np.zeros((2, 17)), generators).terms.rising == pytest.approx(0.0, abs=1e-9)


def test_electricity_is_cheaper_on_the_ground() -> None:
    actions = np.random.default_rng(0).uniform(-1, 1, (1, 17))
    for start, cost in (("upright", 1.0), ("face_down", 0.4)):
        task, generators = begun(1, start)
        terms = task.step(actions, generators).terms
        power = np.mean([abs(a * 0.1 * v) for a, v in zip(actions[0], task.simulation.qvel[0, 6:23], strict=True)])
        assert terms.electricity[0] == pytest.approx(-cost * power - 0.425 * np.mean(actions**2))


def test_not_falling_until_the_episode_is_cut_counts_as_success() -> None:
    task, generators = begun(1, "face_up")
    task.step(STILL, generators)
    task.begin([0], generators)
    assert np.isnan(task._successes).all(), "broken off, neither a success nor a failure"
    start = task._start[0]
    task._steps[0] = 999
    task.step(STILL, generators)
    task.begin([0], generators)
    assert task._successes[0, start, -1] == 1.0
    start = task._start[0]
    task._grounded[0] = 169
    task.simulation.qpos[0, 2] = 0.2
    task.look()
    assert task.step(STILL, generators).terminated[0]
    task.begin([0], generators)
    assert task._successes[0, start, -1] == 0.0


def test_cubes_come_every_thirtieth_step_to_those_who_stand() -> None:
    task, generators = begun(2, "upright")
    upright = task.simulation.qpos[:, :24].copy()
    thrown = []
    for step in range(1, 200):
        before = task.cubes._parked.copy()
        task.step(np.zeros((2, 17)), generators)
        place, robot = task.simulation.qpos[0, -7:-4], task.body.pose
        if place[2] - robot.height[0] == pytest.approx(1.0):
            thrown.append(step)
            assert np.hypot(*(place[:2] - robot.position[0])) == pytest.approx(4.0)
            assert 18 < np.linalg.norm(task.simulation.qvel[0, -6:-3]) < 32
        assert before[0] == (not thrown or thrown == [step])
        if step % 10 == 0:  # hold the robots up
            task.simulation.qpos[:, :24], task.simulation.qvel[:, :23] = upright, 0.0
            task.look()
    assert thrown == [120, 150, 180]


def test_a_parked_cube_stays_out_of_reach() -> None:
    task, generators = begun(1, "face_down")
    for _ in range(165):  # lying, while others are thrown at
        task.step(STILL, generators)
    np.testing.assert_array_equal(task.simulation.qpos[0, -7:-4], [0.0, 0.0, 20.0])


def test_cubes_hit_and_push() -> None:
    """A throw of 24 to 36 N s would move 42 kg by 0.69 m/s on average if every one hit and stuck."""
    count = 200
    velocities = []
    for throw in (False, True):
        task, generators = begun(count, "upright")
        if throw:
            for row in range(count):
                task.cubes.throw(row, task.body.pose, generators[row])
            direction = task.simulation.qvel[:, -6:-3] / np.linalg.norm(task.simulation.qvel[:, -6:-3], axis=1)[:, None]
        for _ in range(16):
            task.body.step(np.zeros((count, 17)))
            if not throw:
                task.cubes.hold()
        velocities.append(centre_velocities(task))
    pushed = ((velocities[1] - velocities[0]) * direction).sum(axis=1)
    assert (pushed > 0.05).mean() > 0.6, "most throws hit"
    assert 0.3 < pushed.mean() < 0.6


def centre_velocities(task: FlagrunHarder) -> np.ndarray:
    """Return the velocities of the robots' centres of mass, [n, 3] m/s."""
    model = task.simulation.model
    data, velocities = mujoco.MjData(model), []
    for row in range(len(task.simulation.qpos)):
        task.simulation.data(row, data)
        mujoco.mj_subtreeVel(model, data)
        velocities.append(data.subtree_linvel[model.body("robot/torso").id].copy())
    return np.array(velocities)


def test_cubes_are_aimed_at_where_the_robot_will_be() -> None:
    task, generators = begun(100, "upright")
    task.simulation.qvel[:, 0] = 5.0
    task.look()
    misses, times = [], np.linspace(0, 0.4, 400)[:, None]
    for row in range(100):
        task.cubes.throw(row, task.body.pose, generators[row])
        place, velocity = task.simulation.qpos[row, -7:-4], task.simulation.qvel[row, -6:-3]
        robot = np.array([*task.body.pose.position[row], task.body.pose.height[row]])
        apart = place + velocity * times - (robot + np.array([5.0, 0.0, 0.0]) * times)
        misses.append(np.linalg.norm(apart, axis=1).min())
    assert np.mean(misses) < 0.3, "half a metre if it aimed at where the robot is"


def test_who_gets_up_works_off_its_time_on_the_ground_step_by_step() -> None:
    task, generators = begun(1, "face_down")
    task._grounded[0] = 50
    standing, _ = begun(1, "upright")
    task.simulation.qpos[0, :24], task.simulation.qvel[0, :23] = standing.simulation.qpos[0, :24], 0.0
    task.look()
    task.step(STILL, generators)
    assert task._grounded[0] == 49


def test_the_bonus_is_seven_parts_torso_and_three_parts_pelvis() -> None:
    task, _ = begun(1, "face_down")
    task.simulation.qpos[0, 2] += 0.3 - task.body.pose.height[0]
    task.look()
    task.body.senses.heights[0] = 0.1
    assert task._bonus()[0] == pytest.approx(0.5 + 1.5 * (0.7 * 0.3 + 0.3 * 0.1) / 0.7)
