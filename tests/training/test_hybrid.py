"""Trainings whose actions are Dicts and Tuples: every part is learned, and what is sent is what the space contains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import configure, evaluate, load, train
from tests.envs.masked_tasks import HYBRID

SHAPE: dict[str, Any] = {
    "preset": "none", "num_envs": 8, "num_steps": 32, "num_minibatches": 4, "num_epochs": 6, "learning_rate": 1e-2,
    "hidden_sizes": (32,), "num_timesteps": 60 * 256, "gamma": 0.0,
}  # fmt: skip
SLOW = pytest.mark.slow
# No policy reaches it that leaves a part to chance. That part then has at most 0.5, or 0.6 where it is a Box in
# [-1, 1]: of four parts in a Dict the return is at most 10 (1 - 0.5 / 4), of two Boxes 10 (1 - 0.4 / 2).
SOLVED = {"Dict": 8.75, "Tuple": 8.0, "Boxes": 8.0, "Choices": 8.75}


@pytest.mark.parametrize(
    ("kind", "alg"),
    [
        ("Dict", "ppo2"),
        *(pytest.param(kind, "ppo2", marks=SLOW) for kind in ("Tuple", "Boxes", "Choices")),
        *(pytest.param("Dict", alg, marks=SLOW) for alg in ("ppo1", "trpo")),
    ],
)
def test_every_part_of_an_action_is_learned(kind: str, alg: str, tmp_path: Path) -> None:
    """The task raises for what is not in its space."""
    given = {name: x for name, x in SHAPE.items() if not (alg == "trpo" and name == "learning_rate")}
    if alg == "ppo1":
        given |= {"learning_rate": 5e-3, "num_timesteps": 100 * 256}
    run = train(configure(f"tests.envs.masked_tasks:Parts{kind}-v0", alg, **given), logdir=tmp_path / "run")
    assert evaluate(run.folder, episodes=10).deterministic.mean > SOLVED[kind]
    agent = load(str(run.folder))
    shape = agent.policy.network.observation.shape
    alone = agent.act(np.zeros(shape))
    assert HYBRID[kind].contains(alone)
    batch = agent.act(np.zeros((3, *shape)))
    assert type(batch) is type(alone)
    assert repr(parts(batch, 2)) == repr(parts(alone, ...))


def parts(action: Any, row: Any) -> Any:
    """Return an action of plain lists, one of a batch where there is one."""
    if isinstance(action, dict):
        return {name: parts(part, row) for name, part in action.items()}
    if isinstance(action, tuple):
        return tuple(parts(part, row) for part in action)
    return np.asarray(action)[row].tolist()
