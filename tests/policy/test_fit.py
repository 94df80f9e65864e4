"""What differs between an agent and an environment, or a run, is said in words, each thing once."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from baselines_ppo.common.failures import LoadError
from baselines_ppo.common.policy.actions import action_from_json, action_of, action_to_json
from baselines_ppo.common.policy.fit import check_network, difference
from baselines_ppo.common.policy.observations import observation_of
from baselines_ppo.run.cli import parser
from baselines_ppo.settings.config import TrainConfig
from baselines_ppo.settings.presets import configure
from baselines_ppo.wiring import actor_critic_of

Space = spaces.Space[Any]
SEEN, TWO = spaces.Box(-1, 1, (3,)), spaces.Box(-1, 1, (2,))


def said(stored: tuple[Space, Space], found: tuple[Space, Space]) -> str | None:
    one, other = ((observation_of(seen, "X"), action_of(acted, "X")) for seen, acted in (stored, found))
    return difference(one, other)


@pytest.mark.parametrize(
    ("stored", "found", "words"),
    [
        (TWO, spaces.Box(-2, 2, (2,)), "action bounds -1..1, here -2..2"),
        (TWO, spaces.Box(-np.inf, 1, (2,)), "action bounds -1..1, here -inf..1"),
        (TWO, spaces.Box(-1, np.array([1, 4.5], np.float32)), "action bounds -1..1, here -1..4.5 in number 2"),
        (TWO, spaces.Box(-1, 2, (5,)), "action shape [2], here [5]"),
        (TWO, spaces.Box(-1, 1, (2,), np.float64), "action type float32, here float64"),
        (TWO, spaces.Box(-1, 1, (2,), np.int32), "action Box, here Box of whole numbers"),
        (spaces.Discrete(3, start=-1), spaces.Discrete(3), "action start -1, here 0"),
        (spaces.Discrete(3), spaces.Discrete(7), "action number of choices 3, here 7"),
        (spaces.MultiDiscrete([2, 9]), spaces.MultiDiscrete([9, 2]), "action numbers of choices [2, 9], here [9, 2]"),
        (spaces.MultiBinary(6), spaces.MultiBinary([2, 3]), "action shape [6], here [2, 3]"),
        (spaces.MultiBinary(6), spaces.Discrete(6), "action MultiBinary, here Discrete"),
    ],
)
def test_actions_that_differ_are_named(stored: Space, found: Space, words: str) -> None:
    assert said((SEEN, stored), (SEEN, found)) == words
    assert said((SEEN, stored), (SEEN, stored)) is None


@pytest.mark.parametrize(
    ("stored", "found", "words"),
    [
        (SEEN, spaces.Box(-1, 1, (4,)), "observation shape [3], here [4]"),
        (SEEN, spaces.Box(-1, 1, (3,), np.float64), "observation type float32, here float64"),
        (
            spaces.Tuple((TWO, SEEN)),
            spaces.Tuple((SEEN, TWO)),
            "observation part 1 shape [2], here [3]; observation part 2 shape [3], here [2]",
        ),
        (
            spaces.Dict({"at": SEEN, "to": spaces.Discrete(2)}),
            spaces.Dict({"at": SEEN, "to": spaces.Discrete(2, start=1)}),
            "observation part to start 0, here 1",
        ),
        (spaces.Dict({"at": SEEN}), spaces.Dict({"by": SEEN}), "observation parts [at], here [by]"),
        (spaces.Tuple((SEEN, SEEN)), spaces.Tuple((SEEN,)), "observation number of parts 2, here 1"),
    ],
)
def test_observations_that_differ_are_named(stored: Space, found: Space, words: str) -> None:
    assert said((stored, TWO), (found, TWO)) == words
    assert said((stored, TWO), (stored, TWO)) is None


def test_what_an_earlier_version_did_not_store_is_not_compared() -> None:
    observation, action = observation_of(SEEN, "X"), action_of(spaces.Box(-1, 1, (2,), np.float64), "X")
    old = {name: x for name, x in action_to_json(action).items() if name not in ("dtype", "shape")}
    assert difference((observation, action_from_json(old)), (observation, action)) is None


@pytest.mark.parametrize(
    ("theirs", "ours", "words"),
    [
        ({}, {"hidden_sizes": (256, 128, 64)}, "hidden layers 64-64, here 256-128-64; give .*--hidden-sizes 64,64"),
        ({"activation": "elu"}, {}, "activation elu, here tanh; give .*--activation elu"),
        ({"network": "lstm", "lstm_size": 8}, {"network": "lstm"}, "LSTM of 8, here .*; give .*--lstm-size 8"),
        ({"network": "lstm"}, {}, "network lstm, here mlp; .*give --network lstm"),
        ({"hidden_sizes": ()}, {}, "hidden layers empty, here 64-64; give .*--hidden-sizes empty"),
        ({"shared_trunk": True}, {}, "with one network, here with a network each; give .*--shared-trunk true"),
    ],
)
def test_networks_that_differ_are_named_with_the_flags_that_give_them(
    theirs: dict[str, Any], ours: dict[str, Any], words: str
) -> None:
    def network_of(change: dict[str, Any]) -> Any:
        config: TrainConfig = configure("X", "ppo2", **change)
        return actor_critic_of(config, observation_of(SEEN, "X"), action_of(TWO, "X"))

    stored, here = network_of(theirs), network_of(ours)
    with pytest.raises(LoadError, match=words) as raised:
        check_network(Path("agent"), stored, here)
    assert "NetworkSettings" not in str(raised.value)
    typed = shlex.split(str(raised.value).partition(" give ")[2].partition(";")[0])
    given = vars(parser("train", ["--env", "X", *typed]).parse_args(["--env", "X", *typed]))
    cured = {name: x for name, x in given.items() if f"--{name.replace('_', '-')}" in typed}
    check_network(Path("agent"), stored, network_of(cured))
    check_network(Path("agent"), stored, stored)
    check_network(Path("agent"), network_of({"lstm_size": 8}), network_of({}))  # of which no network here makes use
