"""Whatever an observation space is: what is in it reaches the learner as it is, what is outside is refused by name."""

from __future__ import annotations

import json
import re
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import HealthCheck, given, settings

from baselines_ppo.common.envs.backend_contract import Unusable
from baselines_ppo.common.envs.backends import SerialBackend
from baselines_ppo.common.envs.vec_env import VecEnv
from baselines_ppo.common.failures import DataError
from baselines_ppo.common.policy.observations import VECTOR, observation_of
from baselines_ppo.common.policy.spaces.observation_json import observation_from_json, observation_to_json
from tests.any_space import Space, spaces_and_observations, spaces_and_strangers

LARGEST = float(np.finfo(np.float32).max)
MANY = settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


class Showing(gymnasium.Env[Any, Any]):
    """Shows one thing for ever."""

    action_space = spaces.Discrete(2)

    def __init__(self, space: Space, shown: Any) -> None:
        self.observation_space, self.shown = space, shown

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.shown, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self.shown, 0.0, False, False, {}


def first_seen(space: Space, shown: Any) -> np.ndarray:
    """Return the first observation that a learner gets."""
    backend = SerialBackend(lambda: Showing(space, shown), 1, "X", taken_for=VECTOR)
    return VecEnv(backend, range(1), 0, "X", rank=0).reset()[0]


@MANY
@given(spaces_and_observations())
def test_what_is_in_a_space_reaches_the_learner_unchanged(drawn: tuple[Space, Any]) -> None:
    """Gymnasium's own way of flattening is the reference; float64 arrives as such, as a mean is subtracted first."""
    space, shown = drawn
    assert space.contains(shown)
    flattened: Any = spaces.flatten(space, shown)
    expected = np.asarray(flattened, np.float64)
    if np.abs(expected).max() > LARGEST:
        with pytest.raises(DataError, match=r"environment 0, episode 0 .*observation has .*, beyond what float32"):
            first_seen(space, shown)
        return
    seen = first_seen(space, shown)
    np.testing.assert_array_equal(seen, expected if seen.dtype == np.float64 else expected.astype(np.float32))
    assert seen.dtype == np.float64 or (expected == expected.astype(np.float32)).all()


@MANY
@given(spaces_and_strangers())
def test_whole_numbers_that_are_outside_of_a_space_are_refused_by_name(drawn: tuple[Space, Any, str]) -> None:
    space, shown, wrong = drawn
    assert not space.contains(shown)
    with pytest.raises(Unusable, match=rf"the observation is {re.escape(wrong)}\b.*, expected whole numbers from"):
        SerialBackend(lambda: Showing(space, shown), 1, "X", taken_for=VECTOR).reset([0], [0])


@MANY
@given(spaces_and_observations())
def test_a_batch_is_what_its_rows_are_and_descriptions_survive_json(drawn: tuple[Space, Any]) -> None:
    space, shown = drawn
    observation = observation_of(space, "X", VECTOR)
    stored = observation_from_json(json.loads(json.dumps(observation_to_json(observation), allow_nan=False)))
    assert stored == observation
    assert observation_of(space, "X", stored) == observation
    empty: Any = gymnasium.vector.utils.create_empty_array(space, 2)
    batch: Any = gymnasium.vector.utils.concatenate(space, [shown, shown], empty)
    alone = observation.encode(shown)
    np.testing.assert_array_equal(observation.encode(batch, (2,)), np.stack([alone, alone]))
    np.testing.assert_array_equal(stored.encode(batch, (2,)), np.stack([alone, alone]))
