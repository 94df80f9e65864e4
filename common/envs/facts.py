"""What environments say of an episode beside its return: in the `info` of its last step, by names that many use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

# Name in `info` -> what the mean over episodes is called, in the table and everywhere else.
MEANS = {
    "is_success": "success_rate",
    "flags_reached": "flags_reached",
    "stood_up": "stood_up_rate",  # in time, of a robot that started lying; the next is in seconds
    "seconds_to_stand": "seconds_to_stand",
}

Facts = dict[str, float]  # of one episode, by name in `info`


def facts_of_rows(infos: Sequence[Any]) -> dict[str, np.ndarray]:
    """Return what the `info` of each of n environments says, by name, [n] float64; NaN where one says nothing."""
    known = {name: [_number(info, name) for info in infos] for name in MEANS}
    return {name: np.array(values) for name, values in known.items() if not np.isnan(values).all()}


def facts_of_vector(infos: Any, count: int) -> dict[str, np.ndarray]:
    """Return what the infos of a vector form with so many rows say, as `facts_of_rows` does.

    A name that begins with an underscore says for which rows its values count, as Gymnasium has it.
    """
    if not isinstance(infos, Mapping):
        return {}
    rows = []
    for row in range(count if MEANS.keys() & infos.keys() else 0):
        counts = [name for name in MEANS if name in infos and _at(infos.get(f"_{name}"), row, True)]
        rows.append({name: _at(infos[name], row, None) for name in counts})
    return facts_of_rows(rows)


def facts_at(facts: Mapping[str, np.ndarray], row: int) -> Facts:
    """Return what is known of one row."""
    return {name: float(values[row]) for name, values in facts.items() if not np.isnan(values[row])}


def means_of(episodes: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the means over those episodes of which each thing is known, by the names of `MEANS`."""
    known = list(episodes)
    values = {name: [facts[name] for facts in known if name in facts] for name in MEANS}
    return {MEANS[name]: float(np.mean(each)) for name, each in values.items() if each}


def _number(info: Any, name: str) -> float:
    """Return a finite number that an info holds; NaN where there is none, or something else has this name."""
    try:
        value = info.get(name) if isinstance(info, Mapping) else None
        array = np.asarray(value)
        single = array.size == 1 and array.dtype.kind in "biuf" and bool(np.isfinite(array).all())
        return float(array.reshape(-1)[0]) if single else np.nan
    except Exception:  # whatever another library's arrays raise
        return np.nan


def _at(values: Any, row: int, otherwise: Any) -> Any:
    try:
        return values[row]
    except (TypeError, LookupError):
        return otherwise
