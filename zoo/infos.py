"""What environments tell beside the reward, in Gymnasium's form for vectors: values, and in which rows they count."""

from __future__ import annotations

from typing import Any

import numpy as np

from baselines_ppo.zoo.task import Task


def masked(infos: dict[str, Any], mask: np.ndarray) -> dict[str, Any]:
    """Return infos with Gymnasium's masks [n] bool, which say in which rows they count."""
    return {**infos, **{f"_{name}": mask.copy() for name in infos}}


def named(terms: Any) -> dict[str, np.ndarray]:
    """Return the terms of rewards by the names that they have in infos."""
    return {f"reward_{name}": values for name, values in terms._asdict().items()}


def told_by(task: Task, mask: np.ndarray | None = None) -> dict[str, Any]:
    """Return the facts that a task itself tells, which count where they are known, and within a mask [n] bool."""
    infos: dict[str, Any] = {}
    for name, values in task.facts.items():
        known = ~np.isnan(values)
        infos |= masked({name: np.nan_to_num(values)}, known if mask is None else known & mask)
    return infos
