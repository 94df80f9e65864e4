"""The lean forms of Gymnasium's robots: the same bits as theirs, in every number that is learned from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest

from baselines_ppo.common.envs.lean_mujoco import LeanRobot, lean
from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment, registered

ROBOTS = ("HalfCheetah", "Swimmer", "Hopper", "Walker2d", "Ant", "Humanoid")


@pytest.mark.parametrize("version", ["v4", "v5"])
@pytest.mark.parametrize("name", ROBOTS)
def test_a_lean_robot_gives_gymnasiums_own_bits(name: str, version: str) -> None:
    """Weak actions let episodes last, strong ones end them; the time limit ends those that never fall."""
    own, other = (
        make_environment(EnvironmentSpec(f"{name}-{version}")),
        lean(make_environment(EnvironmentSpec(f"{name}-{version}"))),
    )
    assert isinstance(other, LeanRobot)
    space = own.action_space
    assert isinstance(space, gymnasium.spaces.Box)
    rng, falls = np.random.default_rng(0), 0
    for episode in range(12):
        expected, got = own.reset(seed=episode)[0], other.reset(seed=episode)[0]
        strength = 1.0 if episode % 2 else 0.1
        for step in range(300):
            assert got.dtype == expected.dtype
            np.testing.assert_array_equal(got, expected, err_msg=f"step {step}")
            action = (strength * rng.uniform(space.low, space.high)).astype(np.float32)
            expected, reward, terminated, truncated, _ = own.step(action)
            got, *others, _ = other.step(action)
            assert others == [reward, terminated, truncated]
            if terminated:
                falls += 1
                np.testing.assert_array_equal(got, expected)
                break
    assert (falls > 0) == (name not in ("HalfCheetah", "Swimmer"))
    own.close()
    other.close()


def test_an_attribute_that_a_callback_sets_counts_here_too() -> None:
    robots = gymnasium.make("HalfCheetah-v4"), lean(gymnasium.make("HalfCheetah-v4"))
    steps = []
    for robot in robots:
        robot.set_wrapper_attr("frame_skip", 2)
        robot.reset(seed=0)
        steps.append([robot.step(np.full(6, 0.5, np.float32))[:2] for _ in range(5)])
    for (expected, reward), (got, own_reward) in zip(*steps, strict=True):
        np.testing.assert_array_equal(got, expected)
        assert own_reward == reward


def test_a_warning_of_mujoco_is_shown_once_whatever_time_it_names(capsys: pytest.CaptureFixture[str]) -> None:
    registered("InvertedPendulum-v4")
    body = "<body><freejoint/><geom size='1'/></body>"
    model = mujoco.MjModel.from_xml_string(f"<mujoco><worldbody>{body}</worldbody></mujoco>")
    data = mujoco.MjData(model)
    for _ in range(3):
        data.time, data.qvel[0] = data.time + 1.0, np.nan
        mujoco.mj_forward(model, data)
        mujoco.mj_checkVel(model, data)
    assert capsys.readouterr().err.count("MuJoCo: ") == 1


def test_the_time_limit_holds_in_every_episode() -> None:
    robot = lean(make_environment(EnvironmentSpec("Swimmer-v4")))
    short = lean(gymnasium.make("Swimmer-v4", max_episode_steps=10))
    for environment, limit in ((robot, 1000), (robot, 1000), (short, 10)):
        environment.reset(seed=0)
        ends = [environment.step(np.zeros(2, np.float32))[3] for _ in range(limit)]
        assert ends.index(True) == limit - 1


@pytest.mark.parametrize(
    "environment",
    [
        lambda: make_environment(EnvironmentSpec("Reacher-v4")),
        lambda: make_environment(EnvironmentSpec("CartPole-v1")),
        lambda: gymnasium.make("Ant-v4", use_contact_forces=True),
    ],
    ids=["another robot", "no robot", "other settings"],
)
def test_all_else_stays_as_it_is(environment: Callable[[], Any]) -> None:
    made = environment()
    assert lean(made) is made
