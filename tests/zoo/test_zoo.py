"""What holds for every environment of the zoo."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import warnings
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from baselines_ppo.zoo import REGISTERED
from baselines_ppo.zoo.vector_env import RobotVectorEnv
from tests.conftest import ROOT

NAMES = list(REGISTERED)


def full_id(name: str) -> str:
    return f"baselines_ppo.zoo:Robo{name}-v1"


def make(name: str, count: int, **settings: Any) -> RobotVectorEnv:
    envs: Any = gymnasium.make_vec(full_id(name), count, **settings)
    return envs


def actions_of(envs: RobotVectorEnv, steps: int, seed: int = 0) -> np.ndarray:
    shape = (steps, envs.num_envs, envs.task.action_size)
    return np.random.default_rng(seed).uniform(-1, 1, shape)


def run(envs: RobotVectorEnv, actions: np.ndarray) -> list[tuple[np.ndarray, ...]]:
    return [tuple(np.copy(x) for x in envs.step(step)[:4]) for step in actions]


def assert_same(one: list[tuple[np.ndarray, ...]], other: list[tuple[np.ndarray, ...]]) -> None:
    for step, (a, b) in enumerate(zip(one, other, strict=True)):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y, err_msg=f"step {step}")


@pytest.mark.parametrize("name", NAMES)
def test_gymnasium_finds_nothing_wrong(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*(infinity|no render fps|frames).*")
        env = gymnasium.make(full_id(name))
        check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("name", NAMES)
def test_seeds_decide_everything(name: str) -> None:
    one, other, third = make(name, 3), make(name, 3), make(name, 3)
    actions = actions_of(one, 150)
    first = [envs.reset(seed=seed)[0] for envs, seed in ((one, 5), (other, [5, 6, 7]), (third, 8))]
    np.testing.assert_array_equal(first[0], first[1])
    assert not np.array_equal(first[0], first[2])
    assert_same(run(one, actions), run(other, actions))


@pytest.mark.parametrize("name", NAMES)
def test_one_alone_does_what_it_does_among_many(name: str) -> None:
    many = make(name, 5, autoreset_mode="Disabled")
    actions = actions_of(many, 60)
    observations, _ = many.reset(seed=3)
    together = run(many, actions)
    alone = gymnasium.make(full_id(name))
    observation, _ = alone.reset(seed=3 + 4)
    np.testing.assert_array_equal(observation, observations[4])
    for step in range(60):
        result = alone.step(actions[step, 4])
        for x, y in zip(result[:4], together[step], strict=True):
            np.testing.assert_array_equal(x, y[4])
        if result[2]:
            break


@pytest.mark.parametrize("name", NAMES)
def test_captured_state_goes_on_bit_for_bit(name: str) -> None:
    envs, fresh = make(name, 3, max_episode_steps=200), make(name, 3, max_episode_steps=200)
    actions = actions_of(envs, 620)
    envs.reset(seed=1)
    run(envs, actions[:120])
    state = envs.capture()
    expected = run(envs, actions[120:])
    fresh.reset(seed=99)
    run(fresh, actions[:7])
    observations = fresh.restore(state)
    assert observations.shape == (3, envs.task.observation_size)
    assert_same(run(fresh, actions[120:]), expected)


@pytest.mark.parametrize("name", NAMES)
def test_rows_begin_anew_without_touching_the_others(name: str) -> None:
    envs, reference = (make(name, 3, autoreset_mode="Disabled") for _ in range(2))
    actions = actions_of(envs, 12)
    for each in (envs, reference):
        each.reset(seed=2)
        run(each, actions[:5])
    mask = np.array([False, True, False])
    observations, _ = envs.reset(seed=np.array([2]), options={"reset_mask": mask})
    np.testing.assert_array_equal(observations[1], make(name, 1).reset(seed=2)[0][0])
    for a, b in zip(run(envs, actions[5:]), run(reference, actions[5:]), strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x[[0, 2]], y[[0, 2]])


@pytest.mark.parametrize("name", NAMES)
def test_episodes_are_cut_at_their_limit_and_begin_anew_in_the_same_step(name: str) -> None:
    envs = make(name, 2, max_episode_steps=6)
    envs.reset(seed=0)
    still = np.zeros((2, envs.task.action_size))
    results = [envs.step(still) for _ in range(6)]
    assert not any(result[3].any() for result in results[:5])
    observations, _, terminated, truncated, infos = results[5]
    if terminated.any():
        pytest.skip("ends sooner")
    assert truncated.all()
    for row in range(2):
        assert infos["final_obs"][row].shape == observations[row].shape
        assert not np.array_equal(infos["final_obs"][row], observations[row])
    assert not envs.step(still)[3].any()


@pytest.mark.parametrize("name", NAMES)
def test_spaces_hold_what_comes(name: str) -> None:
    envs = make(name, 4)
    observations, _ = envs.reset(seed=0)
    assert envs.observation_space.contains(observations)
    for step in actions_of(envs, 100):
        observations, rewards, *_, infos = envs.step(step)
        assert envs.observation_space.contains(observations)
        assert np.isfinite(rewards).all()
        if "final_obs" not in infos:
            parts = [values for key, values in infos.items() if key.startswith("reward_")]
            np.testing.assert_allclose(np.sum(parts, axis=0), rewards, rtol=0, atol=1e-12)


DRAWN = """
import gymnasium, numpy as np
env = gymnasium.make("baselines_ppo.zoo:RoboAnt-v1", render_mode="rgb_array", width=160, height=120)
env.reset(seed=0)
qpos = env.unwrapped.vector.task.simulation.qpos
pictures = [env.render().astype(np.int64)]
for axis, way in ((0, 10.0), (2, 1.5)):  # ten squares of the floor; up
    qpos[0, axis] += way
    pictures.append(env.render().astype(np.int64))
env.close()
here, there, above = pictures
print(here.shape, here.std(), np.abs(there - here).mean(), np.abs(above - here).mean())
"""


def test_the_camera_follows_the_robot() -> None:
    """In a process of its own: Mesa's software renderer crashes where TensorFlow is loaded."""
    drawn = subprocess.run([sys.executable, "-c", DRAWN], capture_output=True, text=True, cwd=ROOT)
    if "FatalError" in drawn.stderr or "ImportError" in drawn.stderr:
        pytest.skip("nothing to draw with")
    assert drawn.returncode == 0, drawn.stderr
    shape, rest = drawn.stdout.split(")")
    contrast, moved, lifted = map(float, rest.split())
    assert shape == "(120, 160, 3"
    assert contrast > 10
    assert moved < 2.0
    assert lifted > 4.0


@pytest.mark.parametrize("name", ["Hopper", "HumanoidFlagrun"])
def test_same_step_autoreset_is_that_of_gymnasiums_own_vector_form(name: str) -> None:
    """Episodes end at different times; what ended, and what began in its place, are the same bits."""
    envs = make(name, 3, max_episode_steps=40)
    make_one = partial(gymnasium.make, full_id(name), max_episode_steps=40, disable_env_checker=True)
    reference = gymnasium.vector.SyncVectorEnv([make_one] * 3, autoreset_mode=AutoresetMode.SAME_STEP)
    np.testing.assert_array_equal(envs.reset(seed=[3, 30, 300])[0], reference.reset(seed=[3, 30, 300])[0])
    lone_ends = 0
    for step in actions_of(envs, 150).astype(np.float32):
        ours, theirs = envs.step(step), reference.step(step)
        for x, y in zip(ours[:4], theirs[:4], strict=True):
            np.testing.assert_array_equal(x, y)
        ended = ours[2] | ours[3]
        lone_ends += ended.sum() == 1
        assert ("final_obs" in ours[4]) == bool(ended.any())
        for key in ("final_obs", "_final_obs", "_final_info") if ended.any() else ():
            for x, y in zip(ours[4][key], theirs[4][key], strict=True):
                np.testing.assert_array_equal(x, y)
        if ended.any():
            np.testing.assert_array_equal(ours[4]["final_info"]["_reward_alive"], ended)
    assert lone_ends > 3


def test_what_is_returned_is_the_users_to_change() -> None:
    envs, other = make("Ant", 2), make("Ant", 2)
    for each in (envs, other):
        each.reset(seed=0)
    for x in envs.step(np.zeros((2, 8)))[4].values():
        x[:] = 0
    other.step(np.zeros((2, 8)))
    np.testing.assert_array_equal(envs.reset(seed=4)[0], other.reset(seed=4)[0])
    assert_same(run(envs, actions_of(envs, 5)), run(other, actions_of(envs, 5)))


@pytest.mark.parametrize("name", NAMES)
def test_environments_can_be_copied_as_gymnasiums_can(name: str) -> None:
    """They come out made anew."""
    envs, env = make(name, 2), gymnasium.make(full_id(name)).unwrapped
    expected = envs.reset(seed=1)[0]
    for copied in (copy.deepcopy(envs), pickle.loads(pickle.dumps(envs))):
        np.testing.assert_array_equal(copied.reset(seed=1)[0], expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(env)).reset(seed=1)[0], expected[0])


def test_some_rows_may_begin_without_a_seed() -> None:
    envs, other = make("Ant", 2, autoreset_mode="Disabled"), make("Ant", 2, autoreset_mode="Disabled")
    envs.reset(seed=[1, 2])
    other.reset(seed=[1, 2])
    mixed, streams = envs.reset(seed=[None, 9])[0], other.reset(seed=None)[0]
    np.testing.assert_array_equal(mixed[0], streams[0])
    assert not np.array_equal(mixed[1], streams[1])


def test_targets_are_set_for_the_robot_that_is_meant() -> None:
    envs = make("HumanoidFlagrun", 3)
    envs.reset(seed=0)
    envs.set_target(1, -3.0, 4.0)
    assert envs.task.flags.places[1].tolist() == [-3.0, 4.0]  # type: ignore[union-attr]
    assert (envs.task.flags.places[[0, 2]] != [-3.0, 4.0]).all()  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="no flag"):
        make("Ant", 1).set_target(0, 1.0, 1.0)
