"""What `tune` tries: for each algorithm the fields that matter, each with its range."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Union

from baselines_ppo.common.failures import UsageError, nearest
from baselines_ppo.settings.config import TrainConfig, all_fields, field_type, with_fields
from baselines_ppo.settings.fields import plain_type, written

DIGITS = 3  # that drawn numbers are rounded to, so that one can read and type them


class Draws(Protocol):
    """What draws values and remembers them by name: a trial of Optuna."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return a number between two others."""

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Return a whole number between two others."""

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str:
        """Return one of some words."""


@dataclass(frozen=True)
class Uniform:
    """A number between two others, both possible."""

    field: str
    low: float
    high: float
    log = False

    def draw(self, trial: Draws) -> float:
        """Return the trial's value, of three digits."""
        drawn = trial.suggest_float(self.field, self.low, self.high, log=self.log)
        return min(max(float(f"{drawn:.{DIGITS}g}"), self.low), self.high)

    def code(self, value: Any) -> float | None:
        """Return what a trial has to draw for a value, or for the nearest that there is; None if nothing is near."""
        return min(max(float(value), self.low), self.high) if isinstance(value, int | float) else None

    def covering(self, value: Any) -> Uniform:
        """Return the range, made wide enough for a value."""
        if not isinstance(value, int | float) or (self.log and value <= 0):
            return self
        return type(self)(self.field, min(self.low, value), max(self.high, value))

    def ends(self) -> tuple[float, float]:
        """Return the values to check: where these are allowed, all are."""
        return self.low, self.high

    def words(self) -> str:
        """Return the range as one would type it."""
        return f"{self.low:g}..{self.high:g}"


class LogUniform(Uniform):
    """A number between two others above 0, each factor as likely wherever it is."""

    log = True


class Choice:
    """One of some values. Numbers have an order, which the sampler makes use of; words have none."""

    def __init__(self, field: str, *values: Any) -> None:
        self.field = field
        self.ordered = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        self.values = tuple(sorted(set(values))) if self.ordered else tuple(dict.fromkeys(values))

    def draw(self, trial: Draws) -> Any:
        """Return the trial's value."""
        if self.ordered:
            return self.values[trial.suggest_int(self.field, 0, len(self.values) - 1)]
        texts = [written(value) for value in self.values]
        return self.values[texts.index(trial.suggest_categorical(self.field, texts))]

    def code(self, value: Any) -> int | str | None:
        """Return what a trial has to draw for a value, or for the nearest that there is; None if nothing is near."""
        if not self.ordered:
            return written(value) if value in self.values else None
        if not isinstance(value, int | float):
            return None
        return self.values.index(min(self.values, key=lambda known: abs(known - value)))

    def covering(self, value: Any) -> Choice:
        """Return the values, and a further one."""
        known = value in self.values or (self.ordered and not isinstance(value, int | float))
        return self if known else Choice(self.field, *self.values, value)

    def ends(self) -> tuple[Any, ...]:
        """Return the values to check: where these are allowed, all are."""
        return self.values

    def words(self) -> str:
        """Return the values as one would type them."""
        return ",".join(written(value).replace(",", "-") for value in self.values)


Dimension = Union[Uniform, Choice]  # noqa: UP007  # what isinstance takes, in Python 3.10 too

SIZES = Choice("hidden_sizes", (32, 32), (64, 64), (128, 128), (256, 256), (256, 128, 64))
ACTIVATIONS = Choice("activation", "tanh", "relu", "elu", "silu")
LOG_STDS = Choice("init_log_std", -2.0, -1.5, -1.0, -0.5, 0.0, 0.5)
DISCOUNTS = (
    Choice("gamma", 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999),
    Choice("gae_lambda", 0.8, 0.9, 0.92, 0.95, 0.97, 0.98, 0.99, 1.0),
)
ENTROPY = Choice("entropy_coef", 0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
ENVIRONMENTS = Choice("num_envs", 4, 8, 16, 32)
STEPS = Choice("num_steps", 32, 64, 128, 256, 512, 1024)
MINIBATCHES = Choice("num_minibatches", 1, 2, 4, 8, 16, 32, 64)
EPOCHS = Choice("num_epochs", 1, 2, 3, 4, 5, 8, 10, 15, 20)
CLIP = Choice("clip_range", 0.05, 0.1, 0.2, 0.3, 0.4)

# By algorithm. RL Zoo's ranges for PPO and TRPO are the model (its hyperparams_opt.py).
SEARCH_SPACES: dict[str, tuple[Dimension, ...]] = {
    "ppo1": (
        LogUniform("learning_rate", 1e-5, 1e-2),
        Choice("schedule", "constant", "linear"),
        Choice("num_steps", 256, 512, 1024, 2048, 4096),
        Choice("num_minibatches", 4, 8, 16, 32, 64),
        EPOCHS,
        *DISCOUNTS,
        CLIP,
        ENTROPY,
        LOG_STDS,
        SIZES,
        ACTIVATIONS,
    ),
    "ppo2": (
        LogUniform("learning_rate", 1e-5, 1e-2),
        Choice("learning_rate_schedule", "constant", "linear", "adaptive"),
        ENVIRONMENTS,
        STEPS,
        MINIBATCHES,
        EPOCHS,
        *DISCOUNTS,
        CLIP,
        ENTROPY,
        Choice("max_grad_norm", 0.3, 0.5, 1.0, 2.0, 5.0),
        LOG_STDS,
        SIZES,
        ACTIVATIONS,
    ),
    "ppo_kl": (
        LogUniform("learning_rate", 1e-4, 1e-2),
        Choice("num_episodes", 20, 40),
        Choice("num_epochs", 5, 10, 20, 40),
        *DISCOUNTS,
        LogUniform("kl_target", 3e-4, 3e-2),
        LogUniform("value_learning_rate", 1e-3, 3e-2),
        Choice("value_epochs", 5, 10, 20),
        Choice("value_minibatch_size", 64, 128, 256, 512),
        LOG_STDS,
    ),
    "trpo": (
        LogUniform("kl_target", 1e-3, 1e-1),
        ENVIRONMENTS,
        STEPS,
        MINIBATCHES,
        EPOCHS,
        *DISCOUNTS,
        LogUniform("value_learning_rate", 1e-4, 1e-2),
        LogUniform("cg_damping", 1e-3, 0.3),
        Choice("cg_steps", 5, 10, 15, 20),
        LOG_STDS,
        SIZES,
        ACTIVATIONS,
    ),
}
# What changes nothing where actions are not continuous.
CONTINUOUS_ONLY = ("init_log_std", "noise_correlation")


def search_space(
    config: TrainConfig, given: Iterable[Dimension] = (), fixed: Iterable[str] = (), continuous: bool = True
) -> tuple[Dimension, ...]:
    """Return what is tried for a configuration: its algorithm's search space, in which its own values lie.

    Args:
      given: takes the place of the algorithm's own dimension of the same field, or is added, as it is.
      fixed: names of fields that stay as they are in the configuration.
      continuous: whether actions are.

    Raises:
      UsageError: a field is unknown, is no field that can be tried, or has values that are out of its range.

    >>> from baselines_ppo import configure
    >>> config = configure("Pendulum-v1", "trpo")
    >>> [dimension.field for dimension in search_space(config, [Uniform("gamma", 0.9, 1.0)])][:3]
    ['kl_target', 'num_envs', 'num_steps']
    """
    values = {item.name: value for section, item, value in all_fields(config) if section is not None}
    fixed = tuple(fixed)
    asked = {dimension.field: dimension for dimension in given}
    for name in (*asked, *fixed):
        check_field(config, name)
    if both := sorted({*asked} & {*fixed}):
        raise UsageError(f"{both[0]} is both fixed and to be tried; give one of the two")
    own = [
        dimension.covering(values[dimension.field])
        for dimension in SEARCH_SPACES.get(config.alg, ())
        if dimension.field not in (*asked, *fixed) and (continuous or dimension.field not in CONTINUOUS_ONLY)
    ]
    for dimension in asked.values():
        check_dimension(config, dimension)
        for value in dimension.ends():
            with_fields(config, **{dimension.field: value})
    space = (*own, *asked.values())
    if not space:
        raise UsageError(
            f"there is nothing to try for {config.alg}; add fields, such as --space learning_rate=1e-4..1e-2"
        )
    return tuple(sorted(space, key=lambda dimension: [*values].index(dimension.field)))


def check_dimension(config: TrainConfig, dimension: Dimension) -> None:
    """Check that there is something to draw, and that it is of the field's type.

    Raises:
      UsageError: there is not, or it is a range of a field that has none.
    """
    name = dimension.field
    if isinstance(dimension, Choice):
        if not dimension.values:
            raise UsageError(f"{name} has no values to try; give one or more")
    elif plain_type(kind_of(config, name)) is not float:
        raise UsageError(f"{name} has no range of real numbers; give its values, as Choice({name!r}, A, B)")
    elif not dimension.low < dimension.high or (dimension.log and dimension.low <= 0):
        least = ", above 0" if dimension.log else ""
        raise UsageError(f"{name} is tried from {dimension.low:g} to {dimension.high:g}, expected a rise{least}")


def kind_of(config: TrainConfig, name: str) -> Any:
    """Return the type of a field that there is."""
    return next(field_type(config, section, item) for section, item, _ in all_fields(config) if item.name == name)


def check_field(config: TrainConfig, name: str) -> None:
    """Check that a field can be tried.

    Raises:
      UsageError: it is unknown, or is not one of rollout, policy or algorithm.
    """
    sections = {item.name: section for section, item, _ in all_fields(config)}
    if sections.get(name, "none") == "none":
        known = [field for field, section in sections.items() if section is not None]
        raise UsageError(f"unknown field {name} of {config.alg}{nearest(name, known)}")
    if sections[name] is None:
        raise UsageError(f"{name} cannot be tried: it says what is trained or for how long, not how")
