"""Robots at the limits: unstable simulations, actions out of range, wrong settings."""

from __future__ import annotations

import json
import re
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.failures import UsageError
from baselines_ppo.run.cli import main
from tests.zoo.test_zoo import NAMES, assert_same, make, run


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (lambda shape: np.full(shape, np.nan), "environment 0 is not finite"),
        (lambda shape: np.zeros((shape[0] + 1, shape[1])), "expected"),
        (lambda shape: np.zeros(shape[1]), "expected"),
    ],
)
def test_actions_that_are_none_are_refused(name: str, wrong: Any, complaint: str) -> None:
    envs = make(name, 2)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match=complaint):
        envs.step(wrong((2, envs.task.action_size)))


def test_actions_beyond_their_range_are_clipped() -> None:
    envs, other = make("Ant", 2), make("Ant", 2)
    envs.reset(seed=0)
    other.reset(seed=0)
    assert_same(run(envs, np.full((5, 2, 8), 7.0)), run(other, np.ones((5, 2, 8))))


@pytest.mark.filterwarnings("ignore")
def test_an_unstable_simulation_ends_that_episode_alone() -> None:
    envs, other = (make("Humanoid", 3, autoreset_mode="Disabled") for _ in range(2))
    for each in (envs, other):
        each.reset(seed=0)
        each.step(np.zeros((3, 17)))
    envs.task.simulation.qvel[1, 3] = 1e12
    observations, rewards, terminated, truncated, infos = envs.step(np.zeros((3, 17)))
    expected = other.step(np.zeros((3, 17)))
    assert terminated.tolist() == [False, True, False]
    assert infos["simulation_failed"].tolist() == [False, True, False]
    assert envs.simulation_failures == 1
    assert not truncated.any()
    assert rewards[1] == 0.0
    assert np.isfinite(observations).all()
    np.testing.assert_array_equal(observations[[0, 2]], expected[0][[0, 2]])
    envs.reset(seed=[9], options={"reset_mask": np.array([False, True, False])})
    assert not envs.step(np.zeros((3, 17)))[2].any()


@pytest.mark.parametrize("name", ["HumanoidFlagrun", "HumanoidFlagrunHarder"])
def test_an_unstable_simulation_has_reached_no_flag(name: str) -> None:
    """It is put to where the model begins, which may be where the flag stands."""
    envs = make(name, 2, autoreset_mode="Disabled")
    envs.reset(seed=0)
    task: Any = envs.task
    for row in (0, 1):
        task.flags.put(row, 0.0, 0.0)
        envs.task.simulation.qpos[row, :2] = 10.0
    envs.task.look()
    envs.task.simulation.qvel[0, 0] = 1e4
    infos = envs.step(np.zeros((2, 17)))[4]
    assert infos["simulation_failed"].tolist() == [True, False]
    assert task.flags.reached.tolist() == [0, 0]


def test_next_step_autoreset_is_refused() -> None:
    with pytest.raises(ValueError, match="same-step and disabled"):
        make("Ant", 1, autoreset_mode=AutoresetMode.NEXT_STEP)


def test_a_state_of_another_size_is_refused_and_changes_nothing() -> None:
    envs = make("HumanoidFlagrun", 3)
    envs.reset(seed=0)
    before = envs.capture()
    with pytest.raises(ValueError, match="expected"):
        envs.restore(make("HumanoidFlagrun", 1).capture())
    envs.step(np.ones((3, 17)))
    before, changed = envs.capture(), {name: x for name, x in before.items() if name != "generator"}
    with pytest.raises(KeyError):
        envs.restore(changed)
    with pytest.raises(ValueError, match="generator is"):
        envs.restore({**changed, "generator": before["generator"][:2]})
    for name, values in envs.capture().items():
        np.testing.assert_array_equal(values, before[name])


def test_a_joint_that_is_about_to_explode_ends_its_episode_unpaid() -> None:
    envs = make("Humanoid", 2, autoreset_mode="Disabled")
    envs.reset(seed=0)
    envs.task.simulation.qvel[1, 12] = 1000.0
    _, rewards, terminated, _, infos = envs.step(np.zeros((2, 17)))
    assert infos["simulation_failed"].tolist() == [False, True]
    assert terminated.tolist() == [False, True]
    assert rewards[1] == 0.0


def test_seeds_of_any_size_no_limit_and_wrong_settings() -> None:
    assert np.isfinite(make("Ant", 2).reset(seed=2**63)[0]).all()
    envs = make("Ant", 2, max_episode_steps=-1)
    envs.reset(seed=0)
    assert not any(step[3].any() for step in run(envs, np.zeros((5, 2, 8))))
    with pytest.raises(ValueError, match="render_mode is 'foo'"):
        make("Ant", 1, render_mode="foo")


def test_whoever_gets_to_the_limit_that_was_given_has_succeeded_alone_and_as_one_of_many() -> None:
    keywords: dict[str, Any] = {"start": "upright", "max_episode_steps": 5}
    alone = make_environment(EnvironmentSpec("RoboHumanoidFlagrunHarder-v1", keywords=keywords))
    many: Any = gymnasium.make_vec("baselines_ppo.zoo:RoboHumanoidFlagrunHarder-v1", num_envs=1, **keywords)
    np.testing.assert_array_equal(many.reset(seed=[0])[0][0], alone.reset(seed=0)[0])
    for step in range(5):
        _, _, terminated, truncated, info = alone.step(np.zeros(17, np.float32))
        _, _, _, cut, infos = many.step(np.zeros((1, 17), np.float32))
        said = infos["final_info"]["is_success"][0] if cut[0] else infos["is_success"][0]
        assert info["is_success"] == said == float(step == 4)
        assert (terminated, truncated, cut[0]) == (False, step == 4, step == 4)
    alone.reset()  # many have begun anew already; what came of an episode decides how others start
    robots: list[Any] = [alone.unwrapped, many.unwrapped]
    np.testing.assert_array_equal(*(each.capture()["successes"] for each in robots))


HARDER, DUEL = "RoboHumanoidFlagrunHarder-v1", "RoboPongDuel-v1"
WRONG: list[tuple[str, dict[str, Any], str]] = [
    (HARDER, {"strength": 0}, "strength is 0, expected 1 to 3"),
    (HARDER, {"strength": "strong"}, "strength is 'strong', expected a finite number"),
    (HARDER, {"strength": True}, "strength is True, expected a finite number"),
    (HARDER, {"turning": 10**400}, "expected a finite number"),
    (HARDER, {"lying_cost": [1]}, "lying_cost is [1], expected a finite number"),
    (HARDER, {"fallen": 2}, "fallen is 2, expected true or false"),
    (HARDER, {"start": "nowhere"}, "start is 'nowhere', expected one of upright"),
    (HARDER, {"start": 3}, "start is 3, expected a word"),
    (DUEL, {"opponent": 3}, "opponent is 3, expected a word"),
]


@pytest.mark.parametrize(("env", "keywords", "complaint"), WRONG)
def test_a_wrong_keyword_is_an_error_that_a_user_can_act_on(env: str, keywords: dict[str, Any], complaint: str) -> None:
    typed = ["--env", env, "--num-timesteps", "8", "--env-kwargs", json.dumps(keywords)]
    with pytest.raises(UsageError, match=re.escape(complaint)):
        main(typed)
    with pytest.raises(UsageError, match=re.escape(complaint)):
        gymnasium.make(env, **keywords)


def test_a_keyword_that_is_null_is_as_if_it_were_not_given() -> None:
    nothing = dict.fromkeys(("start", "fallen", "strength", "turning", "lying_cost"))
    (given, _), (plain, _) = (gymnasium.make(HARDER, **keywords).reset(seed=3) for keywords in (nothing, {}))
    np.testing.assert_array_equal(given, plain)
