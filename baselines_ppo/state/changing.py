"""A run that changes its settings on the way, as a resume with other settings would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from baselines_ppo.algorithm import BUILT_IN, make_learner
from baselines_ppo.common.programs import GIVEN
from baselines_ppo.plan import plan_of
from baselines_ppo.settings.changes import changed_on_the_way
from baselines_ppo.settings.config import all_fields
from baselines_ppo.state.run_state import RunState


def change_settings(run: RunState, settings: Mapping[str, Any]) -> list[str]:
    """Let the run go on with other settings of its algorithm, on all ranks alike; returns what changed, in words.

    Raises:
      UsageError: see `changed_on_the_way`.
    """
    before = {item.name: value for _, item, value in all_fields(run.config)}
    config = changed_on_the_way(run.config, settings)
    new = {item.name: value for _, item, value in all_fields(config) if value != before[item.name]}
    if not new:
        return []
    policy, learner = run.collector.policy, run.algorithm
    if config.alg in BUILT_IN and new.keys() <= GIVEN:  # what was compiled is told of these with every call
        learner.config = config.algorithm  # type: ignore[attr-defined]  # all of ours have it
        learner.restore(learner.state(), frozenset(new))
    else:
        plan = plan_of(config, policy.network, run.comm.size)
        run.algorithm = make_learner(plan, policy, run.comm, run.collector.envs.indices)
        run.algorithm.restore(learner.state(), frozenset(new))
        run.algorithm.restore_environments(learner.environment_state())
    run.config = config
    run.changed = {**{name: before[name] for name in new}, **run.changed}
    return [f"{name} {before[name]} -> {value}" for name, value in new.items()]
