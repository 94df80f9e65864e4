"""The zoo's environments in the trainer: found by their short names, stepped as one, brought back by their state."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from baselines_ppo.common.envs.backends import make_backend
from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.envs.native_backend import NativeBackend
from baselines_ppo.common.envs.stored import check_stored_id
from baselines_ppo.common.envs.vec_env import VecEnv
from baselines_ppo.common.failures import LoadError, UsageError

HARDER = "RoboHumanoidFlagrunHarder-v1"


def envs_of(env_id: str, indices: range) -> VecEnv:
    """Return environments that have begun."""
    envs = VecEnv(make_backend(EnvironmentSpec(env_id), len(indices)), indices, seed=1, env_id=env_id, rank=0)
    envs.reset()
    return envs


def actions_of(indices: range, steps: int) -> np.ndarray:
    """Return actions [steps, n, 17], an environment's own whoever else is there."""
    return np.stack([np.random.default_rng(i).uniform(-1, 1, (steps, 17)) for i in indices], axis=1)


def test_short_names_are_found() -> None:
    for env_id in ("RoboAnt-v1", "baselines_ppo.zoo:RoboAnt-v1"):
        assert make_environment(EnvironmentSpec(env_id)).observation_space.shape == (28,)
        assert isinstance(make_backend(EnvironmentSpec(env_id), 2), NativeBackend)
        assert check_stored_id(env_id) == env_id
    with pytest.raises(LoadError):
        check_stored_id("elsewhere.zoo:RoboAnt-v1")
    with pytest.raises(UsageError, match="did you mean RoboAnt-v1"):
        make_environment(EnvironmentSpec("RoboAntt-v1"))
    with pytest.raises(UsageError, match="our own: RoboAnt-v1"):
        make_environment(EnvironmentSpec("RoboschoolAnt-v1"))


def test_somebody_elses_robo_is_theirs() -> None:
    gymnasium.register("RoboOther-v0", "gymnasium.envs.classic_control:CartPoleEnv")
    assert make_environment(EnvironmentSpec("RoboOther-v0")).observation_space.shape == (4,)


def test_a_run_goes_on_from_states_whoever_shares_the_rank() -> None:
    """Also what an environment remembers of earlier episodes, which no replay could bring back."""
    envs, actions = envs_of(HARDER, range(4)), actions_of(range(4), 500)
    backend = envs._backend
    assert isinstance(backend, NativeBackend)
    task = backend._envs.task
    lying = task.simulation.qpos[:, :24].copy()
    lying[:, 2], lying[:, 3:7] = 1.3, [1.0, 0.0, 0.0, 0.0]
    for t, each in enumerate(actions[:300]):
        if t % 8 == 0 and t < 140:  # held up, so that cubes are thrown
            task.simulation.qpos[:, :24], task.simulation.qvel[:, :23] = lying, 0.0
            task.look()
        envs.step(each)
    assert not task.state["cube_parked"].all()
    task.state["successes"][:, 0] = 1.0  # so that the starts to come are not as likely as each other
    records = envs.capture()
    assert all(len(record.actions) == 0 for record in records)
    assert max(record.episode for record in records) > 0
    parts = [envs_of(HARDER, indices) for indices in (range(1), range(1, 4))]
    assert parts[0].restore(records[:1]) == []
    assert parts[1].restore(records[1:]) == []
    for t, each in enumerate(actions[300:]):
        whole = envs.step(each)
        apart = [part.step(each[columns]) for part, columns in zip(parts, (slice(1), slice(1, 4)), strict=True)]
        for name, x, y, z in zip(whole._fields, whole, *apart, strict=True):
            assert x.tobytes() == np.concatenate([y, z]).tobytes(), f"{name} of step {t}"


def test_states_of_another_making_begin_new_episodes() -> None:
    envs = envs_of(HARDER, range(3))
    for each in actions_of(range(3), 5):
        envs.step(each)
    records = envs.capture()
    assert records[0].state is not None
    records[0].state["simulation"] = records[0].state["simulation"][:-1]
    again = envs_of(HARDER, range(3))
    assert again.restore(records) == [0, 1, 2]
    assert [record.episode for record in again.capture()] == [1, 1, 1]
    records = envs.capture()
    records[1].observation = records[1].observation + 1
    assert again.restore(records) == [1]


@pytest.mark.filterwarnings("ignore")
def test_an_unstable_simulation_is_the_end_of_an_episode_for_the_learner() -> None:
    envs = envs_of("RoboHumanoid-v1", range(2))
    backend = envs._backend
    assert isinstance(backend, NativeBackend)
    backend._envs.task.simulation.qvel[1, 4] = np.inf
    step = envs.step(np.zeros((2, 17), np.float32))
    assert step.terminated.tolist() == [False, True]
    assert np.isfinite(step.next_observations).all()
    assert np.isfinite(step.rewards).all()
