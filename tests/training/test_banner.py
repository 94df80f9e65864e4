"""What a run says of itself before it begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gymnasium import spaces

from baselines_ppo.banner import banner, seen
from baselines_ppo.common.policy.actions import action_of
from baselines_ppo.common.policy.observations import observation_of
from baselines_ppo.plan import plan_of
from baselines_ppo.settings.config import resolve
from baselines_ppo.settings.presets import configure
from baselines_ppo.wiring import actor_critic_of


@pytest.mark.parametrize(
    ("ranks", "split", "told"),
    [(1, True, False), (2, True, False), (4, True, False), (3, True, True), (3, False, False)],
)
def test_it_says_where_results_depend_on_the_number_of_ranks(ranks: int, split: bool, told: bool) -> None:
    """Of 12 environments there are 4 shards, which 3 ranks cannot share; unless each rank learns from all steps."""
    config = resolve(configure("X", preset="none", num_envs=12, num_steps=64, split_minibatches=split), ranks)
    observation = observation_of(spaces.Box(-1, 1, (3,)), "X")
    network = actor_critic_of(config, observation, action_of(spaces.Discrete(2), "X"))
    assert ("a training of its own" in banner(plan_of(config, network, ranks), Path("run"))) == told


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (spaces.Discrete(4, start=1), "which of 4 actions are allowed"),
        (spaces.MultiDiscrete([2, 3]), "which of 5 alternatives are allowed"),
        (spaces.Dict({"hand": spaces.Discrete(3), "on": spaces.MultiBinary(2)}), "which of 7 alternatives are allowed"),
    ],
)
def test_masks_are_of_actions_where_there_is_one_choice_else_of_alternatives(
    space: spaces.Space[Any], words: str
) -> None:
    """Of two choices of 2 and 3 there are 6 actions, of which a mask of 5 numbers is none."""
    action = action_of(space, "X")
    observation = observation_of(spaces.Box(-1, 1, (3,)), "X", action=action, masks_in_info=True)
    network = actor_critic_of(configure("X", preset="none"), observation, action)
    assert seen(network, True).endswith(f"masks: {words}")
