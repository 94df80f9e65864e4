"""What a run says of itself before it begins."""

from __future__ import annotations

from pathlib import Path

import pytest
from gymnasium import spaces

from baselines_ppo.banner import banner
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
    seen = observation_of(spaces.Box(-1, 1, (3,)), "X")
    network = actor_critic_of(config, seen, action_of(spaces.Discrete(2), "X"))
    assert ("a training of its own" in banner(plan_of(config, network, ranks), Path("run"))) == told
