"""Environments that forbid actions: what is given to learn and to act from, and what is said where that cannot be."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import gymnasium
import numpy as np
import pytest

from baselines_ppo.common.envs.backends import SerialBackend, make_backend, maker
from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.envs.treatment import AS_USUAL, Treatment, treatment_from_json
from baselines_ppo.common.envs.trial import MASKS, try_out_spec
from baselines_ppo.common.envs.vec_env import VecEnv
from baselines_ppo.common.failures import DataError
from baselines_ppo.common.policy.observations import MaskedObservation
from baselines_ppo.experiments.references import _played
from baselines_ppo.run.bench.simulator import environments_rate
from tests import environments
from tests.envs import masked_tasks

ARMS = f"{masked_tasks.__name__}:"
MASKED = AS_USUAL._replace(masks=True)


def vec_env(name: str, treatment: Treatment = MASKED, count: int = 2) -> VecEnv:
    spec = EnvironmentSpec(f"{ARMS}{name}-v0")
    return VecEnv(make_backend(spec, count, treatment), range(count), 0, spec.env_id, 0)


ALLOWED = {"Switches": [0, 1, 0], "TwoArms": [0, 0]}  # at all times; of the others the first arm is


@pytest.mark.parametrize("name", ["Arms", "ArmsInDict", "TwoArms", "Switches"])
def test_what_is_allowed_lies_behind_what_is_seen(name: str) -> None:
    envs, one = vec_env(name), gymnasium.make(f"{ARMS}{name}-v0").unwrapped
    assert isinstance(one, masked_tasks.Arms)
    assert isinstance(envs.observation, MaskedObservation)
    width = envs.observation.mask_size
    observations = envs.reset()
    last = 1 - observations[:, 4]
    assert observations.shape == (2, 1 + width)
    for _ in range(10):
        before = observations[:, 1:]
        assert before.any(axis=1).all()
        if name.startswith("Arms"):  # the best arm is allowed in every other step
            assert (before[:, :3] == 1).all()
            np.testing.assert_array_equal(before[:, 3], 1 - last)
            last = before[:, 3]
        step = envs.step(np.array([ALLOWED.get(name, 5)] * 2))
        observations = step.observations
    assert step.truncated.all()  # and new episodes have begun, with masks of their own
    assert observations[:, 1:].any(axis=1).all()


def test_masks_in_infos_are_found_out_and_those_that_come_too_late_are_told() -> None:
    trial = try_out_spec(EnvironmentSpec(f"{ARMS}Arms-v0"))
    assert trial.treatment == MASKED
    assert trial.told == (f"{ARMS}Arms-v0: {MASKS}",)
    for name in ("ArmsInDict", "PartsDict"):
        assert try_out_spec(EnvironmentSpec(f"{ARMS}{name}-v0")).treatment == AS_USUAL
    late = try_out_spec(EnvironmentSpec(f"{ARMS}Late-v0"))
    assert not late.treatment.masks
    assert "return the action_mask of reset too" in late.told[0]


class Late(masked_tasks.Arms):
    """Says nothing at reset."""

    def told(self) -> dict[str, Any]:
        return super().told() if self.steps else {}

    def allowed(self) -> np.ndarray:
        return np.ones((1, len(masked_tasks.PAID)), np.int8)


gymnasium.register("Late-v0", f"{__name__}:Late")


def test_the_taxi_gives_masks_and_drives_only_where_that_changes_something() -> None:
    spec = EnvironmentSpec("Taxi-v4")
    trial = try_out_spec(spec)
    assert trial.treatment.masks
    backend = make_backend(spec, 1, trial.treatment)
    seen, rng = backend.reset([0], [3]), np.random.default_rng(0)
    for _ in range(50):
        assert seen.shape == (1, 500 + 6)
        place, allowed = seen[0, :500], np.flatnonzero(seen[0, 500:])
        seen = backend.step(np.array([rng.choice(allowed)]), [0]).observations
        assert (seen[0, :500] != place).any()


def test_a_state_without_a_choice_ends_the_run_and_says_where() -> None:
    for name, words in (("Stuck", "the action_mask allows nothing"), ("Silent", "its info has no action_mask")):
        envs = vec_env(name)
        envs.reset()
        with pytest.raises(
            DataError, match=rf"{name}-v0, rank 0, environment 0, episode 0 \(seed \d+\), step 3: {words}"
        ):
            for _ in range(9):
                envs.step(np.array([5, 5]))


def test_a_treatment_of_before_there_were_masks_is_read_as_one_without() -> None:
    stored = {"streams": ["random"], "warm": False, "fresh": True, "repeats": True}
    assert treatment_from_json(stored) == Treatment(streams=("random",), fresh=True)
    assert treatment_from_json({**MASKED._asdict(), "streams": []}) == MASKED
    assert treatment_from_json({**stored, "masks": "yes"}) is None
    assert treatment_from_json({"streams": [], "masks": True}) is None


class Two(gymnasium.vector.VectorEnv[Any, Any, Any]):
    """Arms as a vector form: the best is forbidden in every other step of each episode."""

    def __init__(self, num_envs: int = 1) -> None:
        self.num_envs, self.metadata = num_envs, {"autoreset_mode": gymnasium.vector.AutoresetMode.DISABLED}
        self.single_observation_space = masked_tasks.NOTHING
        self.single_action_space = gymnasium.spaces.Discrete(4)
        self.observation_space = gymnasium.vector.utils.batch_space(masked_tasks.NOTHING, num_envs)
        self.action_space = gymnasium.vector.utils.batch_space(self.single_action_space, num_envs)
        self.steps, self.shown = np.zeros(num_envs, np.int64), np.zeros((num_envs, 1))

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        begun = np.ones(self.num_envs, bool) if options is None else options["reset_mask"]
        self.steps[begun] = 0
        self.shown[begun, 0] = np.asarray(seed) % 97 / 97
        return self.shown.copy(), self.info()

    def step(self, actions: Any) -> Any:
        if (self.info()["action_mask"][np.arange(self.num_envs), actions] == 0).any():
            raise ValueError(f"{actions} are forbidden")
        self.steps += 1
        self.shown = np.sin(self.shown + np.asarray(actions)[:, None])
        over = self.steps == 10
        return self.shown.copy(), np.ones(self.num_envs), over, np.zeros_like(over), self.info()

    def info(self) -> dict[str, Any]:
        mask = np.ones((self.num_envs, 4), np.int8)
        mask[:, -1] = self.steps % 2
        mask[self.steps == 10] = 0
        return {"action_mask": mask, "_action_mask": self.steps < 10}


gymnasium.register("Two-v0", f"{__name__}:One", vector_entry_point=f"{__name__}:Two")


def test_a_vector_form_gives_its_masks_too() -> None:
    spec = EnvironmentSpec(f"{__name__}:Two-v0")
    backend = make_backend(spec, 3)
    assert not isinstance(backend, SerialBackend)
    envs = VecEnv(backend, range(3), 0, spec.env_id, 0)
    observations = envs.reset()
    for t in range(25):
        np.testing.assert_array_equal(observations[:, 1:], [[1, 1, 1, t % 10 % 2]] * 3)
        observations = envs.step(np.full(3, 3 * (t % 10 % 2))).observations


def test_rows_of_a_vector_form_that_nobody_waits_for_do_nothing_forbidden() -> None:
    """It steps all rows, and raises where one of them does what is forbidden."""
    spec = EnvironmentSpec(f"{__name__}:Two-v0")
    envs = VecEnv(make_backend(spec, 3), range(3), 0, spec.env_id, 0)
    envs.reset()
    for t in range(25):
        envs.step(np.array([3 * (t % 10 % 2), 3, 3]), np.array([0]))


@pytest.mark.parametrize("name", ["Arms", "ArmsInDict", "TwoArms", "AimedArms", "Switches"])
def test_what_is_measured_with_random_actions_takes_no_forbidden_ones(name: str) -> None:
    """These raise for those: in the trial, in a benchmark, and of a random agent."""
    envs = vec_env(name)
    envs.reset()
    assert environments_rate(envs) > 0.0
    env_id = f"{ARMS}{name}-v0"
    assert not [told for told in try_out_spec(EnvironmentSpec(env_id)).told if "could not be tried out" in told]
    with closing(make_environment(EnvironmentSpec(env_id))) as environment:
        assert np.isfinite(_played(environment, 0))


def test_others_are_as_they_were() -> None:
    """What says nothing of actions has no mask, and its steps are looked at no further."""
    backend = SerialBackend(maker(EnvironmentSpec(f"{environments.__name__}:Forever-v0")), 1, "Forever-v0", MASKED)
    assert backend.observation.shape == (3,)  # a constant and two actions: it was said to give masks
    plain = SerialBackend(maker(EnvironmentSpec(f"{environments.__name__}:Forever-v0")), 1, "Forever-v0")
    assert plain.observation.shape == (1,)
    plain.reset([0], [0])
    assert not plain.gives_masks
