"""A new run that begins with what an agent has learned, and keeps how that agent came about."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from baselines_ppo.common.failures import short
from baselines_ppo.common.files.agent import agent_of
from baselines_ppo.common.files.checkpoint import Checkpoint
from baselines_ppo.common.moments import Moments
from baselines_ppo.common.policy.normalizer import EPSILON, Normalizer
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.state.run_state import RunState

MOST_STAGES = 50  # that are kept, the newest


def warm_start(run: RunState, source: Checkpoint, named: str) -> None:
    """Begin with the policy, value function and statistics of an agent; optimiser and counters begin anew.

    A log std other than 0 in the configuration takes the place of the agent's, which has all but ceased to explore.

    Args:
      named: the agent, as the user did.
    """
    agent, config, policy = agent_of(source), run.config, run.collector.policy
    if agent.env_id != config.env and run.comm.is_root:
        sys.stderr.write(f"warning: {source.path} was trained on {short(agent.env_id)}, this is {config.env}\n")
    policy.observations.moments = agent.policy.observations.moments
    _take_values(run, agent.policy, rewards_of(source))
    parameters, log_std = agent.policy.parameters, config.policy.init_log_std
    if log_std:
        parameters = agent.policy.network.with_log_std(parameters, log_std)
    run.algorithm.restore({**run.algorithm.state(), "parameters": parameters})
    run.stages = stages_of(source, named)


def rewards_of(source: Checkpoint) -> Normalizer | None:
    """Return what an agent's rewards were divided by, if they were."""
    names = [f"rewards/{key}" for key in ("mean", "variance", "count")]
    if not all(name in source.arrays for name in names):
        return None
    scaler = Normalizer(())
    scaler.restore({name.removeprefix("rewards/"): source.arrays[name] for name in names})
    return scaler


def _take_values(run: RunState, agent: Policy, rewards: Normalizer | None) -> None:
    """Let the values that an agent's network gives be in the unit of the run's rewards.

    Args:
      rewards: what the agent's were divided by, if they were.
    """
    policy, scaler = run.collector.policy, run.collector.reward_scaler
    moments, normalizes = agent.value_targets.moments, run.config.algorithm.normalize_value_targets
    if rewards is not None and scaler is not None:
        scaler.moments = rewards.moments
    elif rewards is not None:
        unit = float(np.sqrt(rewards.moments.variance + EPSILON))
        moments = Moments(moments.mean * unit, moments.variance * unit**2, moments.samples)
    if run.comm.is_root and ((scaler is not None and rewards is None) or (normalizes and not moments.samples)):
        sys.stderr.write(
            "warning: the agent's values were learned without --normalize-returns or --normalize-value-targets, which "
            "this run has; it learns values of another unit\n"
        )
    agent.value_targets.moments = moments
    if normalizes:
        policy.value_targets.moments = moments
    else:
        agent.absorb_value_targets()


def stages_of(source: Checkpoint, named: str) -> list[dict[str, Any]]:
    """Return the trainings that led to an agent, the first one first, as far as its own files say so.

    Each is the `agent` that it gave, as it was named when the next one began with it, and, where these are known, its
    configuration, its steps and its ranks.
    """
    last: dict[str, Any] = {"agent": without_place(named)}
    try:
        training = source.manifest if "lineage" in source.manifest else source.manifest["training"]
        ranks = max(int(stretch["ranks"]) for stretch in training["lineage"])
        last |= {"config": training["config"], "total_steps": int(training["total_steps"]), "ranks": ranks}
        before = list(training.get("stages", []))
    except (KeyError, TypeError, ValueError, AttributeError):  # a clone, or a file from a stranger
        before = []
    return [*before, last][-MOST_STAGES:]


def without_place(named: str) -> str:
    """Return an agent's name, or its path as far as it says something on another machine."""
    return Path(named).name if Path(named).is_absolute() else named
