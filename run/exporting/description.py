"""What an exported agent says of itself: one form of JSON for all formats."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.policy.actions import Action, BoxAction, IntegerBoxAction, action_to_json
from baselines_ppo.common.policy.distributions import at_first
from baselines_ppo.common.policy.spaces.observation_json import observation_to_json
from baselines_ppo.run.exporting.inputs import STATE, inputs_of
from baselines_ppo.run.exporting.whole_policy import ACTION, NEXT_STATE

FORMAT = 1
GAUSSIAN = ("mean", "log_std")


def description_of(agent: Agent) -> dict[str, Any]:
    """Return what an agent was trained on, which arrays it takes, and which it gives, as strict JSON.

    A shape begins with null: any number of rows.
    """
    network = agent.policy.network
    memory = [_array(STATE, np.dtype(np.float32), (network.policy_state_size,))] if network.policy_state_size else []
    observations = [{**_array(x.name, x.dtype, x.shape), "part": x.part} for x in inputs_of(network.observation)]
    description = {
        "format": FORMAT,
        "baselines_ppo": importlib.import_module("baselines_ppo").__version__,  # it gives `export` itself
        "environment": agent.env_id,
        "wrapper": list(agent.wrappers),
        "env_kwargs": agent.env_kwargs,
        "agent_sha256": checkpoint.digest(agent.manifest),
        "observation_space": observation_to_json(network.observation),
        "action_space": action_to_json(network.action),
        "inputs": [*observations, *memory],
        "outputs": [*_results(network.action), *({**each, "name": NEXT_STATE} for each in memory)],
    }
    plain: dict[str, Any] = json.loads(json.dumps(description, allow_nan=False))  # as whoever reads the file has it
    return plain


def _results(action: Action) -> list[dict[str, Any]]:
    """Return the arrays that every agent with such actions gives."""
    distribution = action.distribution
    names = GAUSSIAN if isinstance(action, BoxAction | IntegerBoxAction) else ("logits",)
    output = np.zeros((1, distribution.network_size), np.float32)
    first = action.to_environment(distribution.mode(distribution.from_network(output, at_first(distribution))))
    given = [_array(name, np.dtype(np.float32), (distribution.network_size,)) for name in names]
    return [_array(ACTION, first.dtype, first.shape[1:]), *given]


def in_words(arrays: Sequence[dict[str, Any]]) -> str:
    """Return arrays of a description as people write them: observation [n, 376] float64."""
    shapes = (", ".join(["n", *map(str, each["shape"][1:])]) for each in arrays)
    return ", ".join(f"{each['name']} [{shape}] {each['dtype']}" for each, shape in zip(arrays, shapes, strict=True))


def _array(name: str, dtype: np.dtype, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"name": name, "dtype": dtype.name, "shape": [None, *shape]}
