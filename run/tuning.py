"""What `tune` does: flags become a configuration and a search space."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.job.launcher import launched_size
from baselines_ppo.experiments.tune import tune
from baselines_ppo.experiments.tuning.settings import Search
from baselines_ppo.run.parser import converter
from baselines_ppo.settings.config import TrainConfig, all_fields
from baselines_ppo.settings.fields import plain_type
from baselines_ppo.settings.presets import configure
from baselines_ppo.settings.search_spaces import (
    SEARCH_SPACES,
    Choice,
    Dimension,
    LogUniform,
    Uniform,
    check_field,
    kind_of,
)

WIDE = 10  # times its lower end, from which on a range is tried by factors
MOST_VALUES = 100  # of a range of whole numbers


def tune_command(options: dict[str, Any]) -> int:
    """Search as the flags say; returns the exit code."""
    if launched_size() > 1:
        raise UsageError("tune starts its own trainings; run it without mpirun")
    if "env" not in options:
        raise UsageError("which environment? give --env, such as --env Pendulum-v1")
    texts, preset, logdir = options.pop("space"), options.pop("preset"), options.pop("logdir")
    names = {item.name for item in fields(Search)}
    search = {name: value for name, value in options.items() if name in names}
    given = {name: value for name, value in options.items() if name not in names}
    config = configure(**{"alg": "ppo2", **given}, preset=preset)
    own = {item.name for section, item, _ in all_fields(config) if section is not None}
    space = [dimension_of(text, config) for text in texts]
    found = tune(config, space=space, fixed=sorted({*given} & own), logdir=logdir, **search)
    return found.exit_code


def dimension_of(text: str, config: TrainConfig) -> Dimension:
    """Return what --space says of a field: `learning_rate=1e-4..1e-2`, `gamma=0.9,0.99`, `hidden_sizes=64-64,256-128`.

    Of a range of whole numbers those are tried that are in the algorithm's own space, else all. A range whose upper end
    is ten times its lower one or more is tried by factors.

    Raises:
      UsageError: it says nothing of the kind, or of no field that can be tried.
    """
    name, equals, values = text.partition("=")
    name = name.strip().lstrip("-").replace("-", "_")
    if not equals or not values.strip():
        raise UsageError(
            f"--space is {text}, expected FIELD=LOW..HIGH or FIELD=A,B,C, such as learning_rate=1e-4..1e-2"
        )
    check_field(config, name)
    kind = kind_of(config, name)
    lower, dots, upper = values.partition("..")
    if not dots:
        return Choice(name, *(_value(text, kind, part) for part in values.split(",")))
    if plain_type(kind) not in (int, float):
        raise UsageError(f"--space {text}: {name} has no range; give its values, such as {name}=A,B")
    if upper.startswith("."):  # 1e-4...1e-2: nobody knows whose the third dot is
        raise UsageError(f"--space {text}: expected two dots between a lower and a higher number")
    low, high = _value(text, kind, lower), _value(text, kind, upper)
    if low is None or high is None or not low < high:
        raise UsageError(f"--space {text}: expected a lower and a higher number")
    if plain_type(kind) is int:
        return Choice(name, *_whole_numbers(text, name, low, high, config.alg))
    return (LogUniform if low > 0 and high / low >= WIDE else Uniform)(name, low, high)


def _whole_numbers(text: str, name: str, low: int, high: int, alg: str) -> Sequence[int]:
    """Return the whole numbers of a range that are tried: those of the algorithm's own space, else all.

    Raises:
      UsageError: there are too many.
    """
    own = next((dimension for dimension in SEARCH_SPACES.get(alg, ()) if dimension.field == name), None)
    known = [value for value in own.values if low <= value <= high] if isinstance(own, Choice) else []
    if len(known) > 1:
        return known
    if high - low >= MOST_VALUES:
        raise UsageError(f"--space {text}: these are too many values; name them, such as {name}={low},{high}")
    return range(low, high + 1)


def _value(text: str, kind: Any, part: str) -> Any:
    """Return a value of a field's type.

    Raises:
      UsageError: it is none.
    """
    part = part.strip()
    try:
        return converter(kind)(part.replace("-", ",") if plain_type(kind) is tuple else part)
    except (ValueError, argparse.ArgumentTypeError):
        raise UsageError(f"--space {text}: {part} is no {plain_type(kind).__name__}") from None
