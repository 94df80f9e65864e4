"""Every number that defines a training run: frozen, typed, checked once, and light enough for `--help`."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Iterator
from dataclasses import Field, asdict, dataclass, field, fields, replace
from typing import Any, Union, get_args, get_origin, get_type_hints

from baselines_ppo.common.failures import UsageError, nearest


def option(
    default: Any,
    help: str,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Return a dataclass field with its help and its range: low <= x <= high, x > above, or one of choices."""
    limits = {"low": low, "high": high, "above": above, "choices": choices}
    return field(default=default, metadata={"help": help, **limits})


@dataclass(frozen=True)
class RolloutConfig:
    """How experience is collected and normalised."""

    num_envs: int | None = option(8, "N, environments over all ranks; none: one per rank", low=1)
    num_steps: int = option(256, "T, steps per environment and iteration", low=1)
    gamma: float = option(0.99, "discount", low=0, high=1)
    gae_lambda: float = option(0.95, "lambda of arXiv:1506.02438", low=0, high=1)
    normalize_observations: bool = option(True, "by running mean and std, frozen within an iteration")
    clip_observations: float | None = option(10.0, "largest normalised observation", above=0)
    normalize_returns: bool = option(True, "divide rewards by the running std of the discounted return")
    clip_rewards: float | None = option(10.0, "largest normalised reward", above=0)


@dataclass(frozen=True)
class PolicyConfig:
    """The networks of policy and value function."""

    network: str = option("mlp", "kind of network", choices=("mlp",))
    hidden_sizes: tuple[int, ...] = option((64, 64), "units of each hidden layer, such as 256,128,64", low=1)
    activation: str = option("tanh", "after each hidden layer", choices=("tanh", "relu", "elu", "silu"))
    shared_trunk: bool = option(False, "policy and value function share their hidden layers")
    init_log_std: float = option(0.0, "of the first Gaussian policy, in units of half the action range")


@dataclass(frozen=True)
class PPO1Config:
    """Clipped PPO as in OpenAI Baselines ppo1; values from its run_mujoco.py."""

    num_minibatches: int = option(32, "K, per epoch; T / K steps of every environment make a minibatch", low=1)
    num_epochs: int = option(10, "E, passes over each iteration's experience", low=1)
    learning_rate: float = option(3e-4, "Adam's step size", above=0)
    clip_range: float = option(0.2, "epsilon of arXiv:1707.06347, equation 7", above=0)
    schedule: str = option("linear", "of both learning rate and clip range", choices=("constant", "linear"))
    entropy_coef: float = option(0.0, "weight of the entropy bonus", low=0)
    adam_epsilon: float = option(1e-5, "Adam's epsilon", above=0)


@dataclass(frozen=True)
class PPO2Config:
    """Clipped PPO as in OpenAI Baselines ppo2; values from its defaults.py, mujoco()."""

    num_minibatches: int = option(32, "K, per epoch; T / K steps of every environment make a minibatch", low=1)
    num_epochs: int = option(10, "E, passes over each iteration's experience", low=1)
    learning_rate: float = option(3e-4, "Adam's step size, or where the adaptive one begins", above=0)
    learning_rate_schedule: str = option(
        "linear", "adaptive: hold the KL near kl_target", choices=("constant", "linear", "adaptive")
    )
    kl_target: float = option(0.025, "KL since the start of the iteration that `adaptive` holds", above=0)
    target_kl: float | None = option(None, "end an iteration's epochs above this KL; none: never", above=0)
    clip_range: float = option(0.2, "epsilon of arXiv:1707.06347, equation 7", above=0)
    clip_range_schedule: str = option("constant", "of the clip range", choices=("constant", "linear"))
    value_coef: float = option(0.5, "weight of the value loss", low=0)
    value_clip_range: float | None = option(0.2, "how far a value moves from its old one; none: any", above=0)
    entropy_coef: float = option(0.0, "weight of the entropy bonus", low=0)
    max_grad_norm: float | None = option(0.5, "longest gradient over all parameters; none: any", above=0)
    normalize_advantages: str = option(
        "minibatch", "over what advantages are standardised", choices=("minibatch", "iteration")
    )
    normalize_value_targets: bool = option(False, "the value function predicts standardised targets")
    adam_epsilon: float = option(1e-5, "Adam's epsilon", above=0)


AlgorithmConfig = PPO1Config | PPO2Config


@dataclass(frozen=True)
class TrainConfig:
    """One training run."""

    env: str = option("", "Gymnasium environment id, such as Humanoid-v4")
    alg: str = option("ppo2", "algorithm", choices=("ppo1", "ppo2"))
    seed: int = option(0, "of everything random", low=0)
    num_timesteps: int = option(1_000_000, "environment steps over all ranks, such as 2.5e6", low=1)
    save_interval: float = option(120.0, "seconds between checkpoints; 0: after every iteration", low=0)
    log_interval: float = option(5.0, "seconds between tables on the screen", low=0)
    rollout: RolloutConfig = RolloutConfig()
    policy: PolicyConfig = PolicyConfig()
    algorithm: AlgorithmConfig = PPO2Config()

    def sections(self) -> dict[str, Any]:
        """Return the parts whose fields are flags of their own: rollout, policy and algorithm."""
        return {"rollout": self.rollout, "policy": self.policy, "algorithm": self.algorithm}

    @property
    def num_envs(self) -> int:
        """N, once `resolve` has set it."""
        assert self.rollout.num_envs is not None, "resolve the configuration first"
        return self.rollout.num_envs

    @property
    def steps_per_iteration(self) -> int:
        """T N, environment steps of one iteration over all ranks."""
        return self.num_envs * self.rollout.num_steps

    @property
    def minibatch_size(self) -> int:
        """M, transitions of one minibatch over all ranks."""
        return self.steps_per_iteration // self.algorithm.num_minibatches


# What `--preset none` means: the textbook values of each algorithm.
TEXTBOOK = {
    "ppo1": TrainConfig(
        alg="ppo1",
        rollout=RolloutConfig(num_envs=None, num_steps=2048, clip_observations=5.0, normalize_returns=False),
        algorithm=PPO1Config(),
    ),
    # Baselines collects 1 x 2048 steps; 8 x 256 is the same batch, and up to 8 ranks can share it.
    "ppo2": TrainConfig(alg="ppo2"),
}


def all_fields(config: TrainConfig) -> Iterator[tuple[str | None, Field[Any], Any]]:
    """Yield section (None for the run itself), field and value of everything that can be set."""
    for item in fields(config):
        if item.name not in config.sections():
            yield None, item, getattr(config, item.name)
    for name, section in config.sections().items():
        for item in fields(section):
            yield name, item, getattr(section, item.name)


def with_fields(config: TrainConfig, **values: Any) -> TrainConfig:
    """Return the configuration with some fields changed, whatever section they are in, all checked.

    Raises:
      UsageError: a field is unknown, or its value has the wrong type or is out of range.
    """
    sections = {item.name: section for section, item, _ in all_fields(config)}
    changes: dict[str | None, dict[str, Any]] = {}
    for name, value in values.items():
        if name not in sections:
            raise UsageError(f"unknown field {name} of {config.alg}{nearest(name, sections)}")
        changes.setdefault(sections[name], {})[name] = value
    parts = {
        section: replace(config.sections()[section], **change)
        for section, change in changes.items()
        if section is not None
    }
    changed = replace(config, **changes.get(None, {}), **parts)
    for section, item, value in all_fields(changed):
        check(item, field_type(changed, section, item), value)
    return changed


def resolve(config: TrainConfig, ranks: int) -> TrainConfig:
    """Return the configuration with the numbers that depend on the ranks filled in and checked.

    Raises:
      UsageError: the environments cannot be dealt to the ranks, or the steps to the minibatches.
    """
    if config.rollout.num_envs is None:
        config = with_fields(config, num_envs=ranks)
    if config.num_envs % ranks:
        lower, upper = config.num_envs // ranks * ranks, -(-config.num_envs // ranks) * ranks
        near = f"{lower} or {upper}" if lower else str(upper)
        raise UsageError(f"num_envs {config.num_envs} is not a multiple of {ranks} ranks; give --num-envs {near}")
    num_steps, num_minibatches = config.rollout.num_steps, config.algorithm.num_minibatches
    if num_steps % num_minibatches:
        divisors = [k for k in range(1, num_steps + 1) if num_steps % k == 0]
        closest = min(divisors, key=lambda k: abs(k - num_minibatches))
        raise UsageError(
            f"num_minibatches {num_minibatches} does not divide num_steps {num_steps}; "
            f"give --num-minibatches {closest}, or another --num-steps"
        )
    if config.minibatch_size < 2:
        raise UsageError("a minibatch of one transition cannot be standardised; give fewer --num-minibatches")
    return config


def to_json(config: TrainConfig) -> dict[str, Any]:
    """Return the configuration as strict JSON; `from_json` is its inverse."""
    return asdict(config)


def from_json(data: dict[str, Any]) -> TrainConfig:
    """Return the configuration that `to_json` wrote.

    Raises:
      UsageError: it has unknown fields or values.
    """
    flat = {name: value for name, value in data.items() if not isinstance(value, dict)}
    for name in ("rollout", "policy", "algorithm"):
        flat.update(data.get(name, {}))
    if flat.get("alg") not in TEXTBOOK:
        raise UsageError(f"unknown algorithm {flat.get('alg')}; choose from {', '.join(TEXTBOOK)}")
    if "hidden_sizes" in flat:
        flat["hidden_sizes"] = tuple(flat["hidden_sizes"])
    return with_fields(TEXTBOOK[flat["alg"]], **flat)


def field_type(config: TrainConfig, section: str | None, item: Field[Any]) -> Any:
    """Return the annotated type of a field."""
    return get_type_hints(type(config.sections()[section] if section else config))[item.name]


def is_optional(kind: Any) -> bool:
    """Return whether a type admits None."""
    return get_origin(kind) in (Union, types.UnionType) and type(None) in get_args(kind)


def plain_type(kind: Any) -> Any:
    """Return the type without its None, and without its element type: int, float, bool, str or tuple."""
    if is_optional(kind):
        kind = next(k for k in get_args(kind) if k is not type(None))
    return get_origin(kind) or kind


def check(item: Field[Any], kind: Any, value: Any) -> None:
    """Check one value against its field's type and range.

    Raises:
      UsageError: says which flag, what it is and what it may be.
    """
    limits, plain = item.metadata, plain_type(kind)
    flag = "--" + item.name.replace("_", "-")
    if value is None and is_optional(kind):
        return
    accepted: tuple[type, ...] = (int, float) if plain is float else (plain,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and plain is not bool):
        raise UsageError(f"{flag} is {value!r}, expected {plain.__name__}")
    if limits["choices"] and value not in limits["choices"]:
        raise UsageError(f"{flag} is {value!r}; choose from {', '.join(limits['choices'])}")
    rules: list[tuple[str, str, Callable[[Any, float], bool]]] = [
        ("low", "at least", lambda x, limit: x >= limit),
        ("high", "at most", lambda x, limit: x <= limit),
        ("above", "above", lambda x, limit: x > limit),
    ]
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(value, tuple) and type(number) is not int:
            raise UsageError(f"{flag} is {value}, expected whole numbers")
        if isinstance(number, float) and not math.isfinite(number):
            raise UsageError(f"{flag} is {value}, expected a finite number")
        for name, words, holds in rules:
            limit = limits[name]
            if limit is not None and not holds(number, limit):
                raise UsageError(f"{flag} is {value}, expected {words} {limit:g}")
