"""Carts that balance poles: masses, motion, starts, rewards and ends."""

from __future__ import annotations

from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest

from baselines_ppo.zoo.scene import CONTROL_STEP
from baselines_ppo.zoo.tasks.pendulums import InvertedDoublePendulum, InvertedPendulum, InvertedPendulumSwingup
from baselines_ppo.zoo.vector_env import RobotVectorEnv

CART, POLE, LIGHT_POLE = 10.472, 5.019, 4.199  # kg
GRAVITY = 9.8  # m/s^2
CLASSES = (InvertedPendulum, InvertedPendulumSwingup, InvertedDoublePendulum)
NAMES = ("InvertedPendulum", "InvertedPendulumSwingup", "InvertedDoublePendulum")


def begun(kind: Any, count: int = 1) -> Any:
    task = kind(count)
    task.begin(list(range(count)), [np.random.default_rng(row) for row in range(count)])
    return task


def at(kind: Any, *qpos: float) -> Any:
    """Return one at rest, where it is told to be."""
    task = begun(kind)
    task.simulation.qpos[:] = qpos
    return task


def push(task: Any, action: float = 0.0) -> Any:
    count = len(task.simulation.qpos)
    return task.step(np.full((count, 1), action), [np.random.default_rng(0)] * count)


def capsule(radius: float, length: float, density: float = 1000.0) -> tuple[float, float]:
    """Return the mass, and the moment of inertia about an axis through the centre and across."""
    cylinder, ball = density * np.pi * radius**2 * length, density * 4 / 3 * np.pi * radius**3
    across = cylinder * (length**2 / 12 + radius**2 / 4)
    # Half balls at the ends, whose centres of mass are 3/8 of the radius beyond them.
    ends = ball * ((length / 2) ** 2 + length * 3 / 8 * radius + 2 / 5 * radius**2)
    return cylinder + ball, across + ends


def energy(task: Any) -> float:
    """Return the energy in J above that of hanging at rest."""
    model, data = task.simulation.model, mujoco.MjData(task.simulation.model)

    def total(qpos: np.ndarray, qvel: np.ndarray) -> float:
        data.qpos[:], data.qvel[:] = qpos, qvel
        mujoco.mj_forward(model, data)
        mujoco.mj_energyPos(model, data)
        mujoco.mj_energyVel(model, data)
        return float(data.energy.sum())

    hanging = np.zeros(model.nq)
    hanging[1] = np.pi
    return total(task.simulation.qpos[0], task.simulation.qvel[0]) - total(hanging, np.zeros(model.nv))


def test_the_poles_and_the_cart_weigh_what_roboschools_do() -> None:
    model = InvertedPendulum(1).simulation.model
    assert model.body("robot/cart").mass[0] == pytest.approx(CART, abs=0.001)
    assert model.body("robot/pole").mass[0] == pytest.approx(POLE, abs=0.001)
    model = InvertedDoublePendulum(1).simulation.model
    assert model.body("robot/cart").mass[0] == pytest.approx(CART, abs=0.001)
    for pole in ("pole", "second_pole"):
        assert model.body(f"robot/{pole}").mass[0] == pytest.approx(LIGHT_POLE, abs=0.001)


def test_positive_angles_lean_towards_positive_x() -> None:
    for kind, leans in ((InvertedPendulum, {"pole": 0.5}), (InvertedDoublePendulum, {"pole": 0.5, "second_pole": 0.7})):
        task = at(kind, 0.0, 0.5, 0.2) if len(leans) == 2 else at(kind, 0.0, 0.5)
        model, data = task.simulation.model, mujoco.MjData(task.simulation.model)
        task.simulation.data(0, data)
        for pole, lean in leans.items():
            along = data.xmat[model.body(f"robot/{pole}").id].reshape(3, 3)[:, 2]
            np.testing.assert_allclose(along, [np.sin(lean), 0.0, np.cos(lean)], atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "force", "mass"),
    [(InvertedPendulum, 100.0, CART + POLE), (InvertedDoublePendulum, 200.0, CART + 2 * LIGHT_POLE)],
)
def test_the_action_is_the_force_on_all_of_it(kind: Any, force: float, mass: float) -> None:
    """However the poles turn meanwhile, their common centre of mass is accelerated by force / mass."""
    for action in (1.0, -0.5):
        task = begun(kind)
        push(task, action)
        model, data = task.simulation.model, mujoco.MjData(task.simulation.model)
        task.simulation.data(0, data)
        mujoco.mj_subtreeVel(model, data)
        speed = data.subtree_linvel[model.body("robot/cart").id, 0]
        assert speed == pytest.approx(action * force * CONTROL_STEP / mass, rel=1e-4)


def test_a_pole_left_alone_falls_as_the_linearised_equations_say() -> None:
    """Of (M + m) x'' + m l a'' = 0 and (I + m l^2) a'' + m l x'' = m g l a: a grows as cosh(rate t)."""
    (mass, inertia), arm = capsule(0.049, 0.6), 0.3
    rate = np.sqrt(mass * GRAVITY * arm / (inertia + mass * arm**2 * CART / (CART + mass)))
    assert rate == pytest.approx(5.465, abs=0.01)  # per s
    for start in (0.002, 0.01, -0.05):
        task = at(InvertedPendulum, 0.0, start)
        steps = next(step for step in range(200) if push(task).terminated[0])
        expected = np.arccosh(0.2 / abs(start)) / rate
        assert steps * CONTROL_STEP == pytest.approx(expected, rel=0.05, abs=CONTROL_STEP)
        assert np.sign(task.simulation.qpos[0, 1]) == np.sign(start)


def test_a_free_pole_keeps_its_energy_and_its_momentum() -> None:
    for start in (0.1, np.pi - 1.0):
        task = at(InvertedPendulumSwingup, 0.0, start)
        before, farthest = energy(task), 0.0
        for _ in range(600):
            push(task)
            farthest = max(farthest, abs(task.simulation.qpos[0, 0]))
        assert energy(task) == pytest.approx(before, rel=0.002)
        # With no force on it the centre of mass stays where it was, so the cart goes no further than this.
        assert farthest < 2 * 0.3 * POLE / (CART + POLE)


def test_two_free_poles_keep_their_energy() -> None:
    task = at(InvertedDoublePendulum, 0.0, 2.0, 1.0)
    before = energy(task)
    for _ in range(600):
        push(task)
    assert energy(task) == pytest.approx(before, rel=0.01)


@pytest.mark.parametrize("kind", CLASSES)
def test_the_rail_ends_after_one_metre(kind: Any) -> None:
    task = begun(kind)
    for direction in (1.0, -1.0):
        for _ in range(120):
            push(task, direction)
            assert abs(task.simulation.qpos[0, 0]) < 1.12
        assert direction * task.simulation.qpos[0, 0] > 0.9


@pytest.mark.parametrize("kind", CLASSES)
def test_saturated_pushes_leave_all_stable(kind: Any) -> None:
    task, rng = begun(kind, 8), np.random.default_rng(0)
    for step in range(400):
        if step < 200 or step % 10 == 0:
            actions = rng.choice([-1.0, 1.0], (8, 1))
        assert not task.step(actions, []).failed.any()
    assert np.abs(task.simulation.qvel).max() < 150


def test_episodes_begin_at_rest_within_a_tenth_of_a_radian() -> None:
    for kind, middle in (
        (InvertedPendulum, [0.0]),
        (InvertedPendulumSwingup, [np.pi]),
        (InvertedDoublePendulum, [0, 0]),
    ):
        task = begun(kind, 400)
        away = task.simulation.qpos[:, 1:] - middle
        assert np.all(np.abs(away) <= 0.1)
        np.testing.assert_allclose(away.min(axis=0), -0.1, atol=0.005)
        np.testing.assert_allclose(away.max(axis=0), 0.1, atol=0.005)
        assert not task.simulation.qpos[:, 0].any() and not task.simulation.qvel.any()


def test_an_episode_begins_in_its_row_alone() -> None:
    task = begun(InvertedDoublePendulum, 3)
    push(task, 1.0)
    before = task.simulation.qpos.copy()
    task.begin([1], [np.random.default_rng(7)])
    np.testing.assert_array_equal(task.simulation.qpos[[0, 2]], before[[0, 2]])
    assert task.simulation.qpos[1, 0] == 0.0 != before[1, 0]


def test_what_is_seen_of_one_pole() -> None:
    for kind in (InvertedPendulum, InvertedPendulumSwingup):
        task = at(kind, 0.3, 2.0)
        task.simulation.qvel[:] = [-0.7, 12.0]
        seen = task.observe()
        assert seen.shape == (1, 5) and seen.dtype == np.float32
        np.testing.assert_allclose(seen[0], [0.3, -0.7, -0.41615, 0.90930, 12.0], atol=1e-5)


def test_what_is_seen_of_two_poles() -> None:
    """The second leans by 0.5 + 0.25 rad: its centre is at 0.3 + 0.6 sin 0.5 + 0.3 sin 0.75 = 0.79215 m."""
    task = at(InvertedDoublePendulum, 0.3, 0.5, 0.25)
    task.simulation.qvel[:] = [-0.7, 12.0, -3.0]
    seen = task.observe()
    assert seen.shape == (1, 9) and seen.dtype == np.float32
    expected = [0.3, -0.7, 0.79215, 0.87758, 0.47943, 12.0, 0.96891, 0.24740, -3.0]
    np.testing.assert_allclose(seen[0], expected, atol=2e-5)


def test_the_second_centre_is_where_mujoco_has_it() -> None:
    task = at(InvertedDoublePendulum, 0.3, 0.5, 0.25)
    data = mujoco.MjData(task.simulation.model)
    task.simulation.data(0, data)
    rail, pole = (data.xipos[task.simulation.model.body(f"robot/{name}").id] for name in ("rail", "second_pole"))
    assert task.observe()[0, 2] == pytest.approx(pole[0], abs=1e-6)
    outcome = push(at(InvertedDoublePendulum, 0.3, 0.5, 0.25))
    height = pole[2] - rail[2]
    assert height == pytest.approx(0.6 * np.cos(0.5) + 0.3 * np.cos(0.75))
    # It fell a little during the step.
    assert outcome.terms.distance[0] == pytest.approx(-0.01 * pole[0] ** 2 - (height + 0.3 - 2) ** 2, abs=0.02)


def test_one_pole_earns_1_and_ends_beyond_a_fifth_of_a_radian() -> None:
    for angle, ends in ((0.0, False), (0.19, False), (0.21, True), (-0.19, False), (-0.21, True)):
        outcome = push(at(InvertedPendulum, 0.0, angle))
        assert outcome.terms == (1.0,)
        assert outcome.terminated.tolist() == [ends]


def test_swinging_up_starts_hanging_at_minus_1() -> None:
    task = begun(InvertedPendulumSwingup, 20)
    outcome = push(task)
    assert np.all(outcome.terms.upright < -0.99) and np.all(outcome.terms.upright >= -1.0)
    np.testing.assert_allclose(task.observe()[:, 2], outcome.terms.upright, atol=1e-6)


def test_swinging_up_earns_the_cosine_and_never_ends() -> None:
    for angle in (0.0, 1.0, np.pi / 2, 3.0, -2.0, 7.0):
        outcome = push(at(InvertedPendulumSwingup, 0.0, angle))
        assert outcome.terms.upright[0] == pytest.approx(np.cos(angle), abs=0.01)
        assert not outcome.terminated.any()


def test_two_poles_upright_earn_9_36() -> None:
    """The tip is 1.2 m up, 0.8 m below its aim: 10 - 0.64; half a metre aside costs 0.01 / 4."""
    outcome = push(at(InvertedDoublePendulum, 0.0, 0.0, 0.0))
    assert outcome.terms.alive.tolist() == [10.0]
    assert float(np.sum(outcome.terms)) == pytest.approx(9.36, abs=1e-9)
    outcome = push(at(InvertedDoublePendulum, 0.5, 0.0, 0.0))
    assert float(np.sum(outcome.terms)) == pytest.approx(9.3575, abs=1e-9)


def test_two_poles_end_when_the_second_centre_is_as_low_as_0_7() -> None:
    """Both as one lean: 0.9 cos a = 0.7 at a = 0.6797; the second alone: 0.6 + 0.3 cos b = 0.7 at b = 1.2310."""
    for first, second, ends in ((0.66, 0.0, False), (0.70, 0.0, True), (0.0, -1.20, False), (0.0, -1.26, True)):
        assert push(at(InvertedDoublePendulum, 0.0, first, second)).terminated.tolist() == [ends]


@pytest.mark.parametrize("name", NAMES)
def test_each_row_does_what_it_would_do_alone(name: str) -> None:
    many, alone = RobotVectorEnv(name, 5), RobotVectorEnv(name, 1)
    actions = np.random.default_rng(0).uniform(-1, 1, (80, 5, 1))
    for row in range(5):
        together, own = many.reset(seed=3)[0], alone.reset(seed=3 + row)[0]
        np.testing.assert_array_equal(together[row], own[0])
        for action in actions:
            for x, y in zip(many.step(action)[:3], alone.step(action[row : row + 1])[:3], strict=True):
                np.testing.assert_array_equal(x[row], y[0])


@pytest.mark.parametrize("name", NAMES)
def test_gymnasium_makes_it_with_roboschools_length_and_threshold(name: str) -> None:
    spec = gymnasium.spec(f"Robo{name}-v1")
    assert spec.max_episode_steps == 1000
    assert spec.reward_threshold == {"InvertedPendulum": 950, "InvertedPendulumSwingup": 800}.get(name, 9100)
