"""What helps the humanoid of Harder to learn to get up: starts as after a fall, strength, and a reward for turning."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from baselines_ppo.common.failures import UsageError
from baselines_ppo.zoo.tasks.harder import FALLEN, STARTS, WALK, FlagrunHarder
from baselines_ppo.zoo.tasks.strengths import Strengths

FACE_DOWN, FACE_UP = STARTS.index("face_down"), STARTS.index("face_up")
ACTIONS = np.random.default_rng(0).uniform(-0.5, 0.5, (40, 3, 17))


def begun(count: int, **settings: object) -> tuple[FlagrunHarder, list[np.random.Generator]]:
    task = FlagrunHarder(count, **settings)  # type: ignore[arg-type]
    generators = [np.random.default_rng(i) for i in range(count)]
    task.begin(list(range(count)), generators)
    return task, generators


def chests(task: FlagrunHarder) -> np.ndarray:
    """Return how far each robot's chest looks up, [n] -1 to 1."""
    rotations = np.zeros((len(task.simulation.qpos), 9))
    for rotation, quaternion in zip(rotations, task.simulation.qpos[:, 3:7], strict=True):
        mujoco.mju_quat2Mat(rotation, quaternion)
    return rotations[:, 6]


def test_the_fallen_lie_on_all_sides_with_limbs_anyhow_and_stay_on_the_ground() -> None:
    task, generators = begun(200, start="fallen")
    up, bent = chests(task), np.abs(task.simulation.qpos[:, 7:24])
    assert min((up < -0.5).mean(), (up > 0.5).mean(), (np.abs(up) < 0.5).mean()) > 0.15
    assert bent.max(axis=1).max() > 1.5 > 0.3 > bent.max(axis=1).min()
    lowest = [task.body._solids.lowest(data) for data in placed(task)]
    np.testing.assert_allclose(lowest, 0.01, atol=1e-6)
    for _ in range(60):
        task.step(np.zeros((200, 17)), generators)
    assert not task.upright.any()
    assert task.simulation.qvel.std() < 2.0  # none was thrown into the air by limbs inside each other or the floor


def placed(task: FlagrunHarder) -> list[mujoco.MjData]:
    made = [mujoco.MjData(task.simulation.model) for _ in task.simulation.qpos]
    for row, data in enumerate(made):
        task.simulation.data(row, data)
    return made


def test_the_fallen_are_drawn_only_if_they_are_asked_for() -> None:
    assert set(begun(100)[0]._start) == {WALK, FACE_DOWN, FACE_UP}
    assert set(begun(100, fallen=True)[0]._start) == {WALK, FACE_DOWN, FACE_UP, FALLEN}


@pytest.mark.parametrize(("start", "times"), [("face_up", 2.0), ("upright", 1.0)])
def test_who_starts_on_the_ground_is_stronger_and_who_starts_upright_is_not(start: str, times: float) -> None:
    """Twice as strong is to do twice as much."""
    (strong, generators), (natural, others) = begun(3, start=start, strength=2.0), begun(3, start=start)
    for actions in ACTIONS:
        strong.step(actions, generators)
        natural.step(times * actions, others)
    np.testing.assert_allclose(strong.simulation.qpos, natural.simulation.qpos, atol=1e-9)


def test_strength_falls_as_robots_stand_up_and_comes_back_as_they_fail() -> None:
    strengths = Strengths(2, 1.5)
    for _ in range(10):
        strengths.remember(0, FACE_UP, stood_up=True)
    np.testing.assert_allclose(strengths.now[0], [1.0, 1.5, 1.2, 1.5])
    strengths.remember(0, FACE_UP, stood_up=False)
    assert strengths.now[0, FACE_UP] == pytest.approx(1.22)
    for _ in range(100):
        strengths.remember(0, FACE_UP, stood_up=True)
        strengths.remember(1, FACE_UP, stood_up=False)
        strengths.remember(1, WALK, stood_up=True)
    assert strengths.now[:, FACE_UP].tolist() == [1.0, 1.5]
    assert strengths.now[1, WALK] == 1.0


def test_an_episode_that_ends_on_the_ground_is_a_failure_to_stand_up() -> None:
    task, generators = begun(1, start="face_up", strength=1.5)
    task._strengths.now[0, FACE_UP] = 1.2
    while not task.step(np.zeros((1, 17)), generators).terminated[0]:
        pass
    task.begin([0], generators)
    assert task._strengths.now[0, FACE_UP] == pytest.approx(1.22)


def test_turning_the_chest_to_the_ground_is_rewarded_once() -> None:
    """It turns back and forth; only where it began and where it is at last count."""
    (paid, generators), (unpaid, others) = (begun(30, start="fallen", turning=turning) for turning in (10.0, 0.0))
    for _ in range(60):  # until they lie
        paid.step(np.zeros((30, 17)), generators)
        unpaid.step(np.zeros((30, 17)), others)
    before, lies, extra = chests(paid), paid.body.pose.height < 0.3, np.zeros(30)
    for actions in np.random.default_rng(1).uniform(-1, 1, (20, 30, 17)).repeat(6, axis=0):
        extra += paid.step(actions, generators).terms.rising - unpaid.step(actions, others).terms.rising
    after, lies = chests(paid), lies & (paid.body.pose.height < 0.3)
    assert lies.sum() > 10
    assert np.abs(after - before)[lies].max() > 0.5
    np.testing.assert_allclose(extra[lies], 10.0 * (before - after)[lies] / 2, atol=1e-6)


def test_electricity_on_the_ground_costs_what_it_is_to_cost() -> None:
    costs = []
    for settings in ({}, {"lying_cost": 0.1}, {"lying_cost": 0.0}):
        task, generators = begun(1, start="face_up", **settings)
        costs.append(task.step(2 * ACTIONS[0][:1], generators).terms.electricity[0])
    assert costs[2] > costs[1] > costs[0]
    assert (costs[2] - costs[0]) == pytest.approx(4 * (costs[2] - costs[1]))


@pytest.mark.parametrize("strength", [0.9, 3.1, np.nan])
def test_a_strength_out_of_range_is_refused(strength: float) -> None:
    with pytest.raises(UsageError, match=r"expected 1 to 3"):
        FlagrunHarder(1, strength=strength)
