"""The states that a training visits: recorded, and made again by the simulator alone to the same bits."""

from __future__ import annotations

import time
from typing import Any

import gymnasium
import numpy as np
import pytest

from baselines_ppo.common.envs.lean_mujoco import lean
from baselines_ppo.run.bench import simulator
from baselines_ppo.run.bench.visited import recorded, seconds_of
from baselines_ppo.zoo.vector_env import RobotVectorEnv


@pytest.mark.parametrize("is_lean", [False, True])
def test_the_simulator_makes_each_recorded_step_again_to_the_same_bits(is_lean: bool) -> None:
    """With the environment's number of substeps, in two environments that take turns, over the begin of an episode."""
    envs = [gymnasium.make("Hopper-v4", disable_env_checker=True) for _ in range(2)]
    envs = [lean(env) for env in envs] if is_lean else envs
    reached = []
    with recorded() as steps:
        for k in range(40):
            for i, env in enumerate(envs):
                if k in (0, 20 + i):
                    env.reset(seed=k + i)
                    env.action_space.seed(k + i)
                env.step(env.action_space.sample())
                data = env.unwrapped.data  # type: ignore[attr-defined]
                reached.append((data.qpos.copy(), data.qvel.copy(), data.time))
    assert len(steps) == len(reached) == 80
    for step, (qpos, qvel, seconds) in [*zip(steps, reached, strict=True)][::-1]:  # in any order
        step.begin()
        step.advance()
        copy = step.begin.args[1]
        assert copy.qpos.tobytes() + copy.qvel.tobytes() == qpos.tobytes() + qvel.tobytes()
        assert copy.time == seconds
    assert seconds_of(steps) > 0
    envs[0].step(envs[0].action_space.sample())
    assert len(steps) == 80  # nothing is recorded any more


def test_the_zoo_makes_its_recorded_steps_again_too() -> None:
    envs, rng, reached = RobotVectorEnv("Hopper", 3), np.random.default_rng(0), []
    envs.reset(seed=0)
    with recorded() as steps:
        for _ in range(30):
            envs.task.step(rng.uniform(-1, 1, (3, envs.task.action_size)), envs.generators)  # no episode begins anew
            reached.append(envs.task.simulation.qpos.copy())
    assert len(steps) == 30
    left = envs.task.simulation.state.copy()
    for step, qpos in [*zip(steps, reached, strict=True)][::-1]:
        step.begin()
        step.advance()
        assert step.advance.args[0].qpos.tobytes() == qpos.tobytes()
    assert envs.task.simulation.state.tobytes() == left.tobytes()  # the training's own stays as it is


class SlowToBegin(gymnasium.Env[Any, Any]):
    """Each episode is one step long; what is not a step takes 20 ms."""

    observation_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        time.sleep(0.02)
        return np.zeros(1, np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        return np.zeros(1, np.float32), 0.0, True, False, {}


def test_resets_are_no_part_of_the_simulators_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator, "SIMULATED", 20)
    assert simulator.seconds_alone(SlowToBegin()) < 0.02


def test_an_environment_without_mujoco_has_no_such_steps() -> None:
    env = gymnasium.make("CartPole-v1")
    env.reset(seed=0)
    with recorded() as steps:
        env.step(0)
    assert steps == []
