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
from baselines_ppo.run.exporting.inputs import inputs_of
from baselines_ppo.run.exporting.names import NEXT_STATE, STATE
from baselines_ppo.run.exporting.outputs import parts_of_action

FORMAT = 1
GAUSSIAN = ("mean", "log_std")


def description_of(agent: Agent) -> dict[str, Any]:
    """Return what an agent was trained on, which arrays it takes, and which it gives, as strict JSON.

    A shape begins with null: any number of rows.
    """
    network = agent.policy.network
    inputs = [_array(each.name, each.dtype, each.shape, each.part) for each in inputs_of(network)]
    memory = [{**each, "name": NEXT_STATE} for each in inputs if each["name"] == STATE]
    description = {
        "format": FORMAT,
        "baselines_ppo": importlib.import_module("baselines_ppo").__version__,  # it gives `export` itself
        "environment": agent.env_id,
        "wrapper": list(agent.wrappers),
        "env_kwargs": agent.env_kwargs,
        "agent_sha256": checkpoint.digest(agent.manifest),
        "observation_space": observation_to_json(network.observation),
        "action_space": action_to_json(network.action),
        "inputs": inputs,
        "outputs": [*_results(network.action), *memory],
    }
    plain: dict[str, Any] = json.loads(json.dumps(description, allow_nan=False))  # as whoever reads the file has it
    return plain


def _results(action: Action) -> list[dict[str, Any]]:
    """Return the arrays that every agent with such actions gives."""
    distribution = action.distribution
    output = np.zeros((1, distribution.network_size), np.float32)
    parts = parts_of_action(action, distribution.from_network(output, at_first(distribution)))
    actions, given = [], []
    for part in parts:
        first = part.action.to_environment(part.action.distribution.mode(part.own))
        actions.append(_array(part.name, first.dtype, first.shape[1:], part.part))
        names = GAUSSIAN if isinstance(part.action, BoxAction | IntegerBoxAction) else ("logits",)
        shape = (part.action.distribution.network_size,)
        given += [_array(f"{name}{part.suffix}", np.dtype(np.float32), shape, part.part) for name in names]
    return [*actions, *given]


def in_words(arrays: Sequence[dict[str, Any]]) -> str:
    """Return arrays of a description as people write them: observation [n, 376] float64."""
    shapes = (", ".join(["n", *map(str, each["shape"][1:])]) for each in arrays)
    return ", ".join(f"{each['name']} [{shape}] {each['dtype']}" for each, shape in zip(arrays, shapes, strict=True))


def _array(name: str, dtype: np.dtype, shape: tuple[int, ...], part: str | None) -> dict[str, Any]:
    described: dict[str, Any] = {"name": name, "dtype": dtype.name, "shape": [None, *shape]}
    return described if part is None else {**described, "part": part}
