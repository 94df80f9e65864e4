"""A function of the user's that is called after each iteration, and what it may ask for."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from baselines_ppo.common.envs.keywords import names_a_file
from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.common.files.columns import EPISODES_SAY
from baselines_ppo.settings.changes import changed_on_the_way
from baselines_ppo.settings.config import TrainConfig


@dataclass
class Wishes:
    """What a callback has asked for."""

    stop: bool = False
    save: bool = False
    settings: dict[str, Any] = field(default_factory=dict)  # by field of the configuration
    attributes: dict[str, Any] = field(default_factory=dict)  # of the environments
    metrics: dict[str, float | None] = field(default_factory=dict)  # for the row of this iteration


@dataclass(frozen=True)
class TrainingProgress:
    """How far a training is: what its callback is given after each iteration, on rank 0.

    >>> from baselines_ppo import configure, train
    >>> def until_60(progress):
    ...     if progress.total_steps >= 60:
    ...         progress.stop()
    >>> config = configure("CartPole-v1", preset="none", num_envs=2, num_steps=32, num_timesteps=10_000)
    >>> train(config, logdir="stopped", callback=until_60).total_steps  # doctest: +ELLIPSIS
    ppo2 on CartPole-v1...
    64
    """

    iteration: int
    total_steps: int  # over all ranks
    row: Mapping[str, Any]  # of progress.csv, which is written when the callback returns
    folder: Path  # of the run
    config: TrainConfig
    _wishes: Wishes = field(default_factory=Wishes, repr=False)

    def stop(self) -> None:
        """End the training after this iteration, with a checkpoint; `train` returns with exit code 0."""
        self._wishes.stop = True

    def save(self) -> None:
        """Write a checkpoint of this iteration."""
        self._wishes.save = True

    def change(self, **settings: Any) -> None:
        """Change settings of the algorithm from the next iteration on, on all ranks; a resume goes on with them.

        They are those that `--override` takes, such as `learning_rate=1e-4`. Step sizes, clip ranges, `entropy_coef`
        and `num_epochs` may change in every iteration. With any other the update is compiled again, which takes
        seconds and some 50 MB each time.

        Raises:
          UsageError: such a setting may not be changed, or has no such value.
        """
        changed_on_the_way(self.config, {**self._wishes.settings, **settings})
        self._wishes.settings.update(settings)

    def set_environments(self, name: str, value: Any) -> None:
        """Set an attribute of all environments on all ranks, each when its next episode begins.

        A checkpoint holds it, so that a resume is exact. Evaluations and films keep the environment as it was made.

        Args:
          name: of an attribute that the environment or one of its wrappers has.
          value: what JSON holds: a number, a truth, a text, None, or lists and dictionaries of these.

        Raises:
          UsageError: the value is something else, or may lead to a file.
        """
        self._wishes.attributes[name] = plain_value(name, value)

    def log(self, **metrics: float | None) -> None:
        """Add figures of one's own to the row of this iteration: in progress.csv, in the table, in TensorBoard.

        Raises:
          UsageError: a name is taken by one of ours, or a figure is no number.
        """
        for name, value in metrics.items():
            if name in self.row or name in EPISODES_SAY or name.startswith("eval_"):
                raise UsageError(
                    f"the callback logs {name}, and rows have a column of this name, or may have; give another name"
                )
            self._wishes.metrics[name] = _figure(name, value)


Callback = Callable[[TrainingProgress], object]


def wishes_of(callback: Callback, config: TrainConfig, folder: Path, row: Mapping[str, Any]) -> Wishes:
    """Call the user's function; returns what it asked for.

    Raises:
      UsageError: it asked for something that there is not.
    """
    progress = TrainingProgress(row["iteration"], row["total_steps"], MappingProxyType(dict(row)), folder, config)
    callback(progress)
    return progress._wishes


def plain_value(name: str, value: Any) -> Any:
    """Return an attribute's value as JSON gives it back.

    Raises:
      UsageError: it is none that JSON holds, or may lead to a file.
    """
    if not str(name).isidentifier() or str(name).startswith("_"):
        raise UsageError(f"set_environments: {short(repr(name))} is no name of an attribute")
    value = value.tolist() if hasattr(value, "tolist") else value  # numpy's
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise UsageError(
            f"set_environments: {short(name)} is {short(repr(value))}, expected what JSON holds, such as a number"
        ) from None
    plain = json.loads(text)
    if names_a_file({name: plain}):
        raise UsageError(f"set_environments: {short(name)} may lead to a file; give it by env_kwargs to configure")
    return plain


def _figure(name: str, value: Any) -> float | None:
    try:
        number = None if value is None else value if type(value) in (int, float) else float(value)
        return None if number is None or math.isnan(number) else number
    except (TypeError, ValueError, OverflowError):  # a whole number may be beyond what a float holds
        raise UsageError(f"the callback logs {name}={short(repr(value))}, expected a number") from None
