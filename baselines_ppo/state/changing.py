"""A run that changes its settings on the way, as a resume with other settings would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from baselines_ppo.algorithm import make_learner
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
    policy = run.collector.policy
    plan = plan_of(config, policy.network, run.comm.size)
    algorithm = make_learner(plan, policy, run.comm, run.collector.envs.indices)
    algorithm.restore(run.algorithm.state(), frozenset(new))
    algorithm.restore_environments(run.algorithm.environment_state())
    run.config, run.algorithm = config, algorithm
    run.changed = {**{name: before[name] for name in new}, **run.changed}
    return [f"{name} {before[name]} -> {value}" for name, value in new.items()]
