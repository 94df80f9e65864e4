"""Robots in one scene do what they would do alone."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from baselines_ppo.common.failures import DataError
from baselines_ppo.zoo.body import body_of
from baselines_ppo.zoo.race import LANE, Race
from baselines_ppo.zoo.robot import ANT, HALF_CHEETAH, HOPPER, HUMANOID, WALKER2D


def begun(*robots: object, seed: int = 0) -> Race:
    race = Race(robots)  # type: ignore[arg-type]
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


def test_the_camera_goes_with_the_leader() -> None:
    race = begun(HOPPER, HUMANOID, ANT)
    np.testing.assert_allclose(race.centre, 0.0, atol=0.1)
    hopper, humanoid, _ = race.bodies
    race.simulation.qpos[0, humanoid._root_qpos][:2] = 30.0, -1.0
    humanoid.look()
    assert race.distances.tolist() == [0.0, 30.0, 0.0]
    np.testing.assert_allclose(race.centre, [30.0, -1.0], atol=1e-3)
    race.simulation.qpos[0, hopper._root_qpos][0] = 40.0
    hopper.look()
    np.testing.assert_allclose(race.centre, [40.0, -LANE], atol=1e-3)  # its lane, though it knows no y


def test_a_race_that_becomes_unstable_is_told() -> None:
    race = begun(HOPPER)
    race.simulation.qvel[0, 0] = 1e6
    with pytest.raises(DataError, match="has become unstable"):
        race.step([np.zeros(3)])
