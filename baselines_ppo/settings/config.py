"""Every number that defines a training run: frozen, typed, checked once, and light enough for `--help`."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Iterator
from dataclasses import Field, asdict, dataclass, field, fields, replace
from typing import Any, get_type_hints

from baselines_ppo.common.envs.keywords import one_spelling
from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.common.screen.choice import PROGRESS
from baselines_ppo.common.trackers.names import AUTO, TRACKERS
from baselines_ppo.settings.algorithms import AlgorithmConfig, PPO1Config, PPO2Config, PPOKLConfig, TRPOConfig
from baselines_ppo.settings.elsewhere import meant_field
from baselines_ppo.settings.fields import REGISTERED_BY, as_number_of, check, option

PLAIN_NAME = re.compile(r"[\w+][\w.+-]{0,99}")  # of a run: a part of its folder's


@dataclass(frozen=True)
class RolloutConfig:
    """How experience is collected and normalised."""

    num_envs: int | None = option(8, "N, environments over all ranks; none: one per rank", low=1)
    num_steps: int = option(256, "T, steps per environment and iteration", low=1)
    gamma: float = option(0.99, "discount", low=0, high=1)
    gae_lambda: float = option(0.95, "lambda of arXiv:1506.02438", low=0, high=1)
    noise_correlation: float = option(
        0.0,
        "of an action's noise with that of the step before in an iteration, where actions are numbers, as in "
        "arXiv:2312.11091: it explores slow movements",
        low=0,
        high=0.999,
    )
    normalize_observations: bool = option(
        True, "by their running mean and std, which stay as they are within an iteration"
    )
    clip_observations: float | None = option(10.0, "largest normalised observation", above=0)
    normalize_returns: bool = option(True, "divide rewards by the running std of the discounted return")
    clip_rewards: float | None = option(10.0, "largest normalised reward", above=0)
    clip_raw_rewards: float | None = option(None, "largest reward before it is normalised; Atari: 1", above=0)


@dataclass(frozen=True)
class PolicyConfig:
    """The networks of policy and value function."""

    observations: str = option(
        "auto", "what arrays are taken for; auto: by their bounds and sizes", choices=("auto", "image", "vector")
    )
    network: str = option("auto", "mlp, cnn, lstm, cnn_lstm or module:function; auto: cnn for images, else mlp")
    hidden_sizes: tuple[int, ...] | None = option(
        None, "units of each hidden layer, such as 256,128,64; empty: no layers; none: the network's own", low=1
    )
    activation: str | None = option(
        None, "function after each hidden layer; none: the network's own", choices=("tanh", "relu", "elu", "silu")
    )
    lstm_size: int = option(128, "units of the LSTM's cell", low=1)
    shared_trunk: bool | None = option(None, "one network for policy and value function; none: if cnn or lstm")
    init_log_std: float = option(
        0.0,
        "log std of the first Gaussian policy, in units of half the action range; 0 keeps that of a loaded agent",
    )


@dataclass(frozen=True)
class TrainConfig:
    """One training run."""

    env: str = option("", "Gymnasium environment id, such as Humanoid-v4")
    env_kwargs: str = option("", "arguments of the environment, as JSON such as '{\"frame_skip\": 2}'")
    wrapper: tuple[str, ...] = option(
        (), "wrappers of each environment, the innermost first: module:Class or module:Class(key=value)"
    )
    env_restarts: int = option(0, "how often each environment that raises is made again", low=0)
    alg: str = option("ppo2", "algorithm", choices=lambda: tuple(TEXTBOOK))
    seed: int = option(0, "seed of everything random", low=0)
    num_timesteps: int = option(
        1_000_000, "environment steps over all ranks, such as 2.5e6; whole iterations are made", low=1
    )
    save_interval: float = option(120.0, "seconds between checkpoints; 0: after every iteration", low=0)
    eval_interval: int | None = option(None, "iterations between evaluations on the way; none: no evaluation", low=1)
    eval_episodes: int = option(10, "of each evaluation, over all ranks", low=1)
    film_interval: int | None = option(None, "iterations between films of an episode; none: no films", low=1)
    name: str = option("", "of the run: its folder is runs/<env>/<name>-<seed>, and trackers show it")
    progress: str = option(
        "auto",
        "on the screen; auto: a live table on a terminal, a bar in a notebook, else a line now and then",
        choices=PROGRESS,
    )
    log_interval: float = option(5.0, "seconds between lines or tables in files and pipes", low=0)
    track: tuple[str, ...] = option(
        (AUTO,), "what keeps the curves; auto: TensorBoard, where it is installed", choices=TRACKERS
    )
    timeout: float = option(600.0, "seconds without a sign of life of a rank until the job ends", above=0)
    grace: float = option(25.0, "seconds from a stop signal until the job ends, whatever it does but save", above=0)
    rollout: RolloutConfig = RolloutConfig()
    policy: PolicyConfig = PolicyConfig()
    algorithm: AlgorithmConfig = field(default_factory=PPO2Config)

    def sections(self) -> dict[str, Any]:
        """Return the parts whose fields are flags of their own: rollout, policy and algorithm."""
        return {"rollout": self.rollout, "policy": self.policy, "algorithm": self.algorithm}

    @property
    def num_envs(self) -> int:
        """N, once `resolve` has set it."""
        assert self.rollout.num_envs is not None, "resolve the configuration first"
        return self.rollout.num_envs

    @property
    def num_episodes(self) -> int | None:
        """Episodes of one iteration over all ranks, where they are counted; None where steps are."""
        return self.algorithm.num_episodes

    @property
    def steps_per_iteration(self) -> int:
        """T N, environment steps of one iteration over all ranks, where episodes are not counted."""
        return self.num_envs * self.rollout.num_steps

    @property
    def num_minibatches(self) -> int | None:
        """K, where an epoch is dealt into a fixed number of minibatches."""
        return self.algorithm.num_minibatches

    @property
    def minibatch_size(self) -> int | None:
        """M, transitions of one of K minibatches over all ranks, where there are K."""
        return None if self.num_minibatches is None else self.steps_per_iteration // self.num_minibatches


# What `--preset none` means: the textbook values of each algorithm.
TEXTBOOK: dict[str, TrainConfig] = {
    "ppo1": TrainConfig(
        alg="ppo1",
        rollout=RolloutConfig(num_envs=None, num_steps=2048, clip_observations=5.0, normalize_returns=False),
        algorithm=PPO1Config(),
    ),
    # Baselines collects 1 x 2048 steps; 8 x 256 is the same batch, and up to 8 ranks can share it.
    "ppo2": TrainConfig(alg="ppo2"),
    # One episode of each of 20 environments; time left is seen because the value of a state depends on it.
    "ppo_kl": TrainConfig(
        alg="ppo_kl",
        wrapper=("gymnasium.wrappers:TimeAwareObservation",),
        rollout=RolloutConfig(num_envs=20, gamma=0.995, gae_lambda=0.98, clip_rewards=None),
        policy=PolicyConfig(init_log_std=-0.5),
        algorithm=PPOKLConfig(),
    ),
    "trpo": TrainConfig(
        alg="trpo",
        rollout=RolloutConfig(num_envs=8, num_steps=256, gae_lambda=0.97),
        algorithm=TRPOConfig(),
    ),
}


def imported_algorithm(named: str) -> str:
    """Return the name of an algorithm; of MODULE:NAME it is NAME, after MODULE was imported, which registers it.

    Raises:
      UsageError: there is no such module, or it registers no such algorithm.
    """
    module, colon, name = named.rpartition(":")
    if not colon:
        return named
    if not module or module.startswith("."):
        raise UsageError(f"--alg {named}: expected NAME or MODULE:NAME")
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise UsageError(f"--alg {named}: {error}") from None
    if name not in TEXTBOOK:
        raise UsageError(f"--alg {named}: {module} does not register {name}; known: {', '.join(TEXTBOOK)}")
    REGISTERED_BY[name] = module
    return name


def all_fields(config: TrainConfig) -> Iterator[tuple[str | None, Field[Any], Any]]:
    """Yield section (None for the run itself), field and value of everything that can be set."""
    for item in fields(config):
        if item.name not in config.sections():
            yield None, item, getattr(config, item.name)
    for name, section in config.sections().items():
        for item in fields(section):
            yield name, item, getattr(section, item.name)


def renamed(config: TrainConfig) -> dict[str, str]:
    """Return today's names of fields by those that they had in former versions."""
    return {item.metadata["was"]: item.name for _, item, _ in all_fields(config) if item.metadata.get("was")}


def with_fields(config: TrainConfig, **values: Any) -> TrainConfig:
    """Return the configuration with some fields changed, whatever section they are in, all checked.

    Raises:
      UsageError: a field is unknown, or its value has the wrong type or is out of range.
    """
    sections = {item.name: section for section, item, _ in all_fields(config)}
    kinds = {item.name: field_type(config, section, item) for section, item, _ in all_fields(config)}
    changes: dict[str | None, dict[str, Any]] = {}
    today = renamed(config)
    for given, value in values.items():
        name = today.get(given, given)
        if name not in sections:
            raise UsageError(f"unknown field {name} of {config.alg}{meant_field(name, sections)}")
        value = one_spelling(name, tuple(value) if isinstance(value, list) else value)
        changes.setdefault(sections[name], {})[name] = as_number_of(kinds[name], value)
    parts = {
        section: replace(config.sections()[section], **change)
        for section, change in changes.items()
        if section is not None
    }
    changed = replace(config, **changes.get(None, {}), **parts)
    for section, item, value in all_fields(changed):
        check(item, field_type(changed, section, item), value)
    return changed


def _check_name(name: str) -> None:
    """Check that a run's name can be a part of its folder's.

    Raises:
      UsageError: it cannot.
    """
    if name and not PLAIN_NAME.fullmatch(name):
        raise UsageError(f"--name is {short(repr(name))}, expected letters, digits and . _ + - such as small-steps")


def resolve(config: TrainConfig, ranks: int) -> TrainConfig:
    """Return the configuration with the numbers that depend on the ranks filled in and checked.

    Raises:
      UsageError: the environments cannot be dealt to the ranks, or the steps to the minibatches.
    """
    _check_name(config.name)
    if config.rollout.num_envs is None:
        config = with_fields(config, num_envs=ranks)
    if config.num_envs % ranks:
        lower, upper = config.num_envs // ranks * ranks, -(-config.num_envs // ranks) * ranks
        near = f"{lower} or {upper}" if lower else str(upper)
        if config.num_episodes is not None:
            near = f"{upper} --num-episodes {-(-config.num_episodes // upper) * upper}"
        raise UsageError(f"num_envs {config.num_envs} is not a multiple of {ranks} ranks; give --num-envs {near}")
    if config.num_episodes is not None and config.rollout.num_steps != TEXTBOOK[config.alg].rollout.num_steps:
        raise UsageError("--num-steps is not used while episodes are counted; add --num-episodes none")
    if config.num_episodes is not None and config.num_episodes % config.num_envs:
        raise UsageError(
            f"num_episodes {config.num_episodes} is not a multiple of num_envs {config.num_envs}; each environment "
            f"makes as many: give --num-episodes {-(-config.num_episodes // config.num_envs) * config.num_envs}"
        )
    return config


def to_json(config: TrainConfig) -> dict[str, Any]:
    """Return the configuration as strict JSON; `from_json` is its inverse."""
    return asdict(config)


def from_json(data: dict[str, Any]) -> TrainConfig:
    """Return the configuration that `to_json` wrote.

    Raises:
      UsageError: it has unknown fields or values, or is no configuration at all.
    """
    try:
        flat = {name: value for name, value in data.items() if not isinstance(value, dict)}
        for name in ("rollout", "policy", "algorithm"):
            flat.update(data.get(name, {}))
        if flat.get("alg") not in TEXTBOOK:
            known = ", ".join(TEXTBOOK)
            raise UsageError(f"unknown algorithm {flat.get('alg')}; known are {known}; name yours by --alg MODULE:NAME")
        flat = {name: tuple(value) if isinstance(value, list) else value for name, value in flat.items()}
        return with_fields(TEXTBOOK[flat["alg"]], **flat)
    except UsageError as error:
        raise UsageError(short(error)) from None
    except Exception as error:  # a file from a stranger may be wrong in any way
        raise UsageError(f"not a configuration: {type(error).__name__} {short(error)}") from None


def field_type(config: TrainConfig, section: str | None, item: Field[Any]) -> Any:
    """Return the annotated type of a field."""
    kind: type = type(config.sections()[section] if section else config)
    return _field_types(kind)[item.name]


@functools.cache  # Python compiles each annotation anew, and a sweep has hundreds of configurations
def _field_types(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
