"""Robots in one scene do what they would do alone."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from baselines_ppo.common.failures import DataError
from baselines_ppo.zoo.bodies.body import body_of
from baselines_ppo.zoo.bodies.robot import ANT, HALF_CHEETAH, HOPPER, HUMANOID, WALKER2D
from baselines_ppo.zoo.race import LANE, Race


def begun(*robots: object, seed: int = 0, aspect: float = 4 / 3) -> Race:
    race = Race(robots, aspect)  # type: ignore[arg-type]
    race.begin(np.random.default_rng(seed))
    return race


def test_everybody_starts_in_its_lane() -> None:
    race = begun(HUMANOID, HOPPER, ANT)
    data = mujoco.MjData(race.simulation.model)
    race.simulation.data(0, data)
    assert [data.body(f"lane{i}/torso").xpos[1] for i in range(3)] == [-LANE, 0.0, LANE]
    assert [observation.shape for observation in race.observe()] == [(44,), (15,), (28,)]
    for observation, robot in zip(race.observe(), (HUMANOID, HOPPER, ANT), strict=True):
        if not robot.most_yaw:
            assert observation[1:3].tolist() == [0.0, 1.0]  # straight ahead


def test_robots_in_lanes_move_as_they_do_alone() -> None:
    race = begun(HUMANOID, WALKER2D, HALF_CHEETAH)
    alone = [body_of(robot, 1) for robot in (HUMANOID, WALKER2D, HALF_CHEETAH)]
    for own, theirs in zip(alone, race.bodies, strict=True):
        own.simulation.qpos[0] = np.concatenate(
            [race.simulation.qpos[0, theirs._root_qpos], race.simulation.qpos[0, theirs._qpos]]
        )
    rng = np.random.default_rng(0)
    for _ in range(15):
        actions = [rng.uniform(-1, 1, body.num_joints) for body in alone]
        race.step(actions)
        for own, action in zip(alone, actions, strict=True):
            own.step(action[None])
        for own, theirs, running in zip(alone, race.bodies, race.running, strict=True):
            if running:
                np.testing.assert_allclose(theirs.pose.height, own.pose.height, atol=1e-4)
                np.testing.assert_allclose(theirs.pose.position[:, 0], own.pose.position[:, 0], atol=1e-4)
                np.testing.assert_array_equal(theirs.senses.feet, own.senses.feet)
    assert race.running.sum() >= 2
    np.testing.assert_allclose(race.distances, [body.pose.position[0, 0] for body in alone], atol=1e-3)


def test_who_falls_is_out_and_gets_no_torque() -> None:
    race = begun(HOPPER, ANT)
    still = [np.ones(3), np.zeros(8)]
    while race.running[0]:
        race.step(still)
    race.step(still)
    assert race.running.tolist() == [False, True]
    assert not race.simulation.ctrl[0, :3].any()
    race.begin(np.random.default_rng(1))
    assert race.running.all()


@pytest.mark.parametrize("aspect", [0.5, 1.0, 16 / 9])
def test_all_who_run_are_in_the_picture_however_far_apart_they_are(aspect: float) -> None:
    race = begun(HOPPER, HUMANOID, ANT, aspect=aspect)
    for places in ([0.0, 0.0, 0.0], [3.0, 30.0, 20.0], [90.0, 15.0, -2.0]):
        put(race, places)
        sides = across(race, aspect)
        assert np.abs(sides).max() < 1.0
        assert np.abs(sides).max() > 0.4  # and no farther away than that takes


def test_who_has_fallen_leaves_the_picture_and_not_all_at_once() -> None:
    race = begun(HOPPER, HUMANOID, ANT)
    still = [np.zeros(body.num_joints) for body in race.bodies]
    put(race, [40.0, 0.0, 0.0])
    race.simulation.qpos[0, race.bodies[0]._root_qpos][2] = 1.5  # rad: it lies
    distances = []
    for _ in range(300):
        race.step(still)
        race.running[1:], race._weights[1:] = True, 1.0  # they stand, whatever they do
        distances.append(camera(race)[0])
    assert not race.running[0]
    assert distances[0] > 40.0
    assert distances[-1] < 10.0  # it has gone back to those who run
    assert np.abs(np.diff(distances)).max() < 2.0
    assert np.abs(across(race, 4 / 3)[1:]).max() < 1.0


def put(race: Race, places: list[float]) -> None:
    """Put each robot somewhere on its lane, in m."""
    for body, x in zip(race.bodies, places, strict=True):
        race.simulation.qpos[0, body._root_qpos][0] = x
        body.look()
    np.testing.assert_array_equal(race.distances, places)


def camera(race: Race) -> np.ndarray:
    """Return where the camera is, in m."""
    view = race.view
    azimuth, elevation = np.radians([view["azimuth"], view["elevation"]])
    ahead = [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
    return np.asarray(view["lookat"] - view["distance"] * np.array(ahead))


def across(race: Race, aspect: float) -> np.ndarray:
    """Return where the picture of MuJoCo's own camera shows each torso, [robots, 2]: -1 and 1 are its sides."""
    model, view = race.simulation.model, race.view
    data, scene = mujoco.MjData(model), mujoco.MjvScene(model, 100)
    race.simulation.data(0, data)
    seen = mujoco.MjvCamera()
    for name, value in view.items():
        setattr(seen, name, value)
    mujoco.mjv_updateScene(model, data, mujoco.MjvOption(), None, seen, mujoco.mjtCatBit.mjCAT_ALL, scene)
    eyes = scene.camera  # of both, of which the middle counts
    ahead, up = np.array(eyes[0].forward), np.array(eyes[0].up)
    way = data.xpos[[body.view["trackbodyid"] for body in race.bodies]] - (np.array(eyes[0].pos) + eyes[1].pos) / 2
    half = eyes[0].frustum_top / eyes[0].frustum_near
    return np.stack([way @ np.cross(ahead, up) / aspect, way @ up], axis=1) / (half * (way @ ahead)[:, None])


def test_a_race_that_becomes_unstable_is_told() -> None:
    race = begun(HOPPER)
    race.simulation.qvel[0, 0] = 1e6
    with pytest.raises(DataError, match="has become unstable"):
        race.step([np.zeros(3)])
