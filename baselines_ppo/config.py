"""Every number that defines a training run: frozen, typed, checked once, and light enough for `--help`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, asdict, dataclass, fields, replace
from typing import Any, get_type_hints

from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.common.keywords import one_spelling
from baselines_ppo.elsewhere import meant_field
from baselines_ppo.fields import check, option


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
        None, "after each hidden layer; none: the network's own", choices=("tanh", "relu", "elu", "silu")
    )
    lstm_size: int = option(128, "units of the LSTM's cell", low=1)
    shared_trunk: bool | None = option(None, "one network for policy and value function; none: if cnn or lstm")
    init_log_std: float = option(0.0, "of the first Gaussian policy, in units of half the action range")


@dataclass(frozen=True)
class PPO1Config:
    """Clipped PPO as in OpenAI Baselines ppo1; values from its run_mujoco.py."""

    num_minibatches: int = option(32, "K, per epoch; T / K steps of every environment make a minibatch", low=1)
    split_minibatches: bool | None = option(None, "share out each among the ranks; none: where they are large")
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
    split_minibatches: bool | None = option(None, "share out each among the ranks; none: where they are large")
    num_epochs: int = option(10, "E, passes over each iteration's experience", low=1)
    learning_rate: float = option(3e-4, "Adam's step size, or where the adaptive one begins", above=0)
    learning_rate_schedule: str = option(
        "linear", "adaptive: hold the KL near kl_target", choices=("constant", "linear", "adaptive")
    )
    kl_target: float = option(0.025, "KL since the start of the iteration that `adaptive` and `kl_coef` hold", above=0)
    target_kl: float | None = option(None, "end an iteration's epochs above this KL; none: never", above=0)
    clip_range: float = option(0.2, "epsilon of arXiv:1707.06347, equation 7", above=0)
    clip_range_schedule: str = option("constant", "of the clip range", choices=("constant", "linear"))
    kl_coef: float = option(0.0, "first weight of a KL penalty beside the clip, then held to kl_target", low=0)
    value_coef: float = option(0.5, "weight of the value loss", low=0)
    value_clip_range: float | None = option(0.2, "how far a value moves from its old one; none: any", above=0)
    entropy_coef: float = option(0.0, "weight of the entropy bonus", low=0)
    max_grad_norm: float | None = option(0.5, "longest gradient over all parameters; none: any", above=0)
    normalize_advantages: str = option(
        "minibatch", "over what advantages are standardised", choices=("minibatch", "iteration")
    )
    normalize_value_targets: bool = option(False, "the value function predicts standardised targets")
    adam_epsilon: float = option(1e-5, "Adam's epsilon", above=0)


@dataclass(frozen=True)
class PPOKLConfig:
    """PPO with an adaptive KL penalty; values from Coady's "AI Gym Workout", one setting for ten robots."""

    num_episodes: int | None = option(20, "per iteration over all environments; none: num_steps count", low=1)
    num_epochs: int = option(20, "E, most passes of the policy over each iteration's experience", low=1)
    learning_rate: float = option(9e-4, "Adam's step size for the policy, before the root below divides it", above=0)
    kl_target: float = option(0.003, "KL since the start of the iteration that the penalty holds", above=0)
    kl_coef: float = option(1.0, "beta, the first weight of the penalty", above=0)
    hinge_coef: float = option(50.0, "eta, weight of the squared KL above twice its target", low=0)
    value_epochs: int = option(10, "passes of the value function over this iteration and the one before", low=1)
    value_minibatch_size: int = option(256, "transitions of its minibatches over all ranks", low=2)
    value_learning_rate: float = option(1e-2, "Adam's step size for the value function, before the root", above=0)
    scale_learning_rates: bool = option(
        True, "divide step sizes by the root of the middle layer's units; log std's, times the number of actions"
    )
    adam_epsilon: float = option(1e-5, "Adam's epsilon", above=0)


@dataclass(frozen=True)
class TRPOConfig:
    """Trust region policy optimisation; values from OpenAI Baselines trpo_mpi, the value function's from RL Zoo."""

    kl_target: float = option(0.01, "delta, largest KL of a step", above=0)
    cg_steps: int = option(10, "of conjugate gradient", low=1)
    cg_damping: float = option(0.1, "added to the Fisher matrix's diagonal", low=0)
    entropy_coef: float = option(0.0, "weight of the entropy bonus", low=0)
    line_search_steps: int = option(10, "step lengths that are tried", low=1)
    line_search_factor: float = option(0.8, "each step length by the one before", above=0, high=1)
    num_minibatches: int = option(16, "K, of the value function, per epoch", low=1)
    num_epochs: int = option(20, "E, passes of the value function over each iteration's experience", low=1)
    value_learning_rate: float = option(1e-3, "Adam's step size for the value function", above=0)
    adam_epsilon: float = option(1e-5, "Adam's epsilon", above=0)


AlgorithmConfig = PPO1Config | PPO2Config | PPOKLConfig | TRPOConfig


@dataclass(frozen=True)
class TrainConfig:
    """One training run."""

    env: str = option("", "Gymnasium environment id, such as Humanoid-v4")
    env_kwargs: str = option("", "of the environment, as JSON such as '{\"frame_skip\": 2}'")
    wrapper: tuple[str, ...] = option((), "around each, module:Class or module:Class(key=value), the innermost first")
    env_restarts: int = option(0, "how often each environment that raises is made again", low=0)
    alg: str = option("ppo2", "algorithm", choices=("ppo1", "ppo2", "ppo_kl", "trpo"))
    seed: int = option(0, "of everything random", low=0)
    num_timesteps: int = option(
        1_000_000, "environment steps over all ranks, such as 2.5e6; whole iterations are made", low=1
    )
    save_interval: float = option(120.0, "seconds between checkpoints; 0: after every iteration", low=0)
    log_interval: float = option(5.0, "seconds between tables on the screen", low=0)
    timeout: float = option(600.0, "seconds without a sign of life of a rank until the job ends", above=0)
    grace: float = option(25.0, "seconds from a stop signal until the job ends, whatever it does", above=0)
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
    def num_episodes(self) -> int | None:
        """Episodes of one iteration over all ranks, where they are counted; None where steps are."""
        return self.algorithm.num_episodes if isinstance(self.algorithm, PPOKLConfig) else None

    @property
    def steps_per_iteration(self) -> int:
        """T N, environment steps of one iteration over all ranks, where episodes are not counted."""
        return self.num_envs * self.rollout.num_steps

    @property
    def num_minibatches(self) -> int | None:
        """K, where an epoch is dealt into a fixed number of minibatches."""
        return None if isinstance(self.algorithm, PPOKLConfig) else self.algorithm.num_minibatches

    @property
    def minibatch_size(self) -> int:
        """M, transitions of one of K minibatches over all ranks."""
        assert self.num_minibatches is not None, "this algorithm has no fixed number of minibatches"
        return self.steps_per_iteration // self.num_minibatches


# What `--preset none` means: the textbook values of each algorithm.
TEXTBOOK = {
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
            raise UsageError(f"unknown field {name} of {config.alg}{meant_field(name, sections)}")
        changes.setdefault(sections[name], {})[name] = one_spelling(name, value)
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


def check_minibatches(config: TrainConfig, ranks: int, recurrent: bool) -> None:
    """Check that an iteration can be dealt into its minibatches, which so many ranks share out.

    Raises:
      UsageError: it cannot; says which number could.
    """
    num_minibatches = config.num_minibatches
    if num_minibatches is None:
        return
    what, dealt, other = "the steps of an environment", config.rollout.num_steps, "another --num-steps"
    if recurrent:  # sequences are not cut
        what, dealt, other = "the environments of a rank", config.num_envs // ranks, "fewer ranks or more --num-envs"
    if dealt % num_minibatches:
        raise UsageError(
            f"num_minibatches {num_minibatches} does not divide {what}, {dealt}; "
            f"give --num-minibatches {closest_divisor(dealt, num_minibatches)}, or {other}"
        )
    if config.minibatch_size < 2:
        raise UsageError("a minibatch of one transition cannot be standardised; give fewer --num-minibatches")


def closest_divisor(number: int, wanted: int) -> int:
    """Return the divisor of a number that is closest to a wanted one."""
    return min((k for k in range(1, number + 1) if number % k == 0), key=lambda k: abs(k - wanted))


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
            raise UsageError(f"unknown algorithm {flat.get('alg')}; choose from {', '.join(TEXTBOOK)}")
        flat = {name: tuple(value) if isinstance(value, list) else value for name, value in flat.items()}
        return with_fields(TEXTBOOK[flat["alg"]], **flat)
    except UsageError as error:
        raise UsageError(short(error)) from None
    except Exception as error:  # a file from a stranger may be wrong in any way
        raise UsageError(f"not a configuration: {type(error).__name__} {short(error)}") from None


def field_type(config: TrainConfig, section: str | None, item: Field[Any]) -> Any:
    """Return the annotated type of a field."""
    return get_type_hints(type(config.sections()[section] if section else config))[item.name]
