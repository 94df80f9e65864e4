"""What environments say of an episode in the info of its last step, whoever says it and in whichever form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from baselines_ppo.common.envs.backends import SerialBackend
from baselines_ppo.common.envs.facts import facts_at, facts_of_rows, facts_of_vector, means_of
from baselines_ppo.common.envs.vec_env import VecEnv
from tests.training.windy import Windy


class Mute:
    """An array of another library, which is on another device."""

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("copy it to the host first")


NUMBERS: list[tuple[Any, float | None]] = [
    (True, 1.0), (np.bool_(False), 0.0), (1, 1.0), (np.float32(0.5), 0.5), (np.array([True]), 1.0),
]  # fmt: skip
STRANGE: list[tuple[Any, float | None]] = [(None, None), ("yes", None), (float("nan"), None), ([1, 0], None)]


@pytest.mark.parametrize(("said", "known"), [*NUMBERS, *STRANGE, (Mute(), None), ({}, None)])
def test_what_is_one_number_is_known_and_all_else_is_not(said: Any, known: float | None) -> None:
    facts = facts_at(facts_of_rows([{"is_success": said}]), 0)
    assert facts == ({} if known is None else {"is_success": known})


def test_an_info_may_be_anything_and_other_names_in_it_do_not_matter() -> None:
    facts = facts_of_rows([None, {}, "info", {"is_success": True, "flag": 3, "flags_reached": 2}])
    assert [facts_at(facts, row) for row in range(4)] == [{}, {}, {}, {"is_success": 1.0, "flags_reached": 2.0}]


def test_a_vector_form_says_for_which_rows_its_infos_count() -> None:
    infos = {"is_success": np.array([True, True, False]), "_is_success": np.array([True, False, True]), "other": 1}
    facts = facts_of_vector(infos, 3)
    assert [facts_at(facts, row) for row in range(3)] == [{"is_success": 1.0}, {}, {"is_success": 0.0}]
    assert facts_of_vector({}, 3) == facts_of_vector(None, 3) == {}


def test_means_are_over_those_episodes_of_which_a_thing_is_known() -> None:
    episodes = [{"is_success": 1.0, "flags_reached": 3.0}, {}, {"is_success": 0.0}]
    assert means_of(episodes) == {"success_rate": 0.5, "flags_reached": 3.0}
    assert means_of([{}, {}]) == means_of([]) == {}


def test_an_episode_has_what_its_own_last_step_said_and_not_that_of_another() -> None:
    """Each environment's is compared with the place where its own episode ended."""
    envs = VecEnv(SerialBackend(Windy, 8, "X"), range(8), 0, "X", 0)
    envs.reset()
    seen = 0
    for _ in range(40):
        step = envs.step(np.zeros((8, 1), np.float32))
        for row in np.flatnonzero(step.truncated):
            inside = abs(step.next_observations[row, 0]) < 0.5
            assert facts_at(envs.ended.facts, int(row)) == {"is_success": float(inside)}
            seen += 1
    assert seen > 20
