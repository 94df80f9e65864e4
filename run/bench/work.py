"""What is trained while its speed is measured, and the same work in the words of Stable-Baselines3."""

from __future__ import annotations

from typing import Any, NamedTuple

from baselines_ppo.common.envs.make import explained, is_atari, registered
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.files.pretrained import locate
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.settings.algorithms import PPO2Config
from baselines_ppo.settings.config import TrainConfig, resolve
from baselines_ppo.settings.presets import configure

NUM_ENVS = 8  # over all ranks, unless somebody says otherwise
STEPS = {"mlp": 2048, "cnn": 1024, "lstm": 1024}  # of an iteration, over all environments
SHAPE = {  # minibatches of 64 and of 256
    "mlp": {"num_minibatches": 32, "num_epochs": 10},
    "cnn": {"num_minibatches": 4, "num_epochs": 4},
    "lstm": {"num_minibatches": 4, "num_epochs": 4},
}
SIZES: dict[str, dict[str, Any]] = {  # Stable-Baselines3 has the same
    "mlp": {"hidden_sizes": (64, 64)},
    "cnn": {},  # Nature's
    "lstm": {"hidden_sizes": (), "lstm_size": 64},
}


class Work(NamedTuple):
    """A training whose speed is measured."""

    env: str
    preset: str | None  # "none": the textbook's; None: the environment's own
    fields: dict[str, Any]  # of the configuration, on top of the preset
    network: str  # mlp, cnn or lstm
    agent: str | None = None  # the policy to begin with

    @property
    def config(self) -> TrainConfig:
        """The configuration of the training."""
        return configure(self.env, "ppo2", preset=self.preset, **self.fields)

    @property
    def shape(self) -> str:
        """What an iteration is, in words."""
        config = self.config
        size = config.minibatch_size
        work = f"{config.num_envs} environments in all, {config.steps_per_iteration:,} steps per iteration"
        return f"{work}, {config.algorithm.describe(size)}"


def textbook_work(env: str, network: str | None, wrapper: tuple[str, ...], num_envs: int, ranks: int) -> Work:
    """Return work that another program can do too.

    Args:
      network: mlp, cnn or lstm; None: cnn for Atari, else mlp.

    Raises:
      UsageError: the environments cannot be dealt to so many ranks, or the steps to the environments.
    """
    with explained(env):
        atari = is_atari(registered(env))
    network = network or ("cnn" if atari else "mlp")
    steps, shape = STEPS[network], SHAPE[network]
    if num_envs < 1 or num_envs % ranks or steps % num_envs or _left(num_envs, network, ranks):
        fitting = [n for n in range(ranks, steps + 1, ranks) if not steps % n and not _left(n, network, ranks)]
        raise UsageError(
            f"--num-envs is {num_envs}, expected for {network} on {counted(ranks, 'rank')} "
            f"{', '.join(map(str, fitting)) or 'fewer ranks'}"
        )
    fields = {"num_envs": num_envs, "num_steps": steps // num_envs, "network": network, **shape, **SIZES[network]}
    return Work(env, None if atari else "none", {**fields, "wrapper": wrapper}, network)


def _left(num_envs: int, network: str, ranks: int) -> int:
    """Return what is left over where an iteration of so many environments is dealt into its minibatches."""
    # With memory a minibatch is made of whole environments.
    dealt = num_envs // ranks if network == "lstm" else STEPS[network] // num_envs
    return dealt % SHAPE[network]["num_minibatches"]


def preset_work(env: str, wrapper: tuple[str, ...], num_envs: int | None, agent: str | None, ranks: int) -> Work:
    """Return an environment's own preset as work.

    Args:
      agent: the policy to begin with; "zoo": the pretrained one of this environment.

    Raises:
      UsageError: the environments cannot be dealt to so many ranks.
      LoadError: there is no such agent.
    """
    fields: dict[str, Any] = {} if num_envs is None else {"num_envs": num_envs}
    if wrapper:
        fields["wrapper"] = wrapper
    begins = f"zoo:{env.rpartition(':')[2]}" if agent == "zoo" else agent
    if begins is not None:
        locate(begins)
    work = Work(env, None, fields, "mlp", begins)
    resolve(work.config, ranks)
    return work


def for_peer(work: Work) -> dict[str, Any]:
    """Return the same work for `peer.py`, in the names of Stable-Baselines3."""
    config, algorithm = work.config, work.config.algorithm
    assert isinstance(algorithm, PPO2Config)
    falling = algorithm.falling()

    def scheduled(name: str) -> Any:
        value = getattr(algorithm, name)
        return f"lin_{value}" if name in falling else value

    settings = {
        "n_steps": config.rollout.num_steps,
        "batch_size": config.minibatch_size,
        "n_epochs": algorithm.num_epochs,
        "gamma": config.rollout.gamma,
        "gae_lambda": config.rollout.gae_lambda,
        "learning_rate": scheduled("learning_rate"),
        "clip_range": scheduled("clip_range"),
        "clip_range_vf": algorithm.value_clip_range,
        "ent_coef": algorithm.entropy_coef,
        "vf_coef": algorithm.value_coef,
        "max_grad_norm": algorithm.max_grad_norm,
        "policy_kwargs": {
            "mlp": {"net_arch": [64, 64]},
            "cnn": {},
            "lstm": {"net_arch": [], "lstm_hidden_size": 64, "shared_lstm": True, "enable_critic_lstm": False},
        }[work.network],
    }
    images = work.network == "cnn"
    return {
        "env": work.env,
        "wrapper": config.wrapper,
        "n_envs": config.num_envs,
        "policy": {"mlp": "MlpPolicy", "cnn": "CnnPolicy", "lstm": "MlpLstmPolicy"}[work.network],
        "normalize": {
            "norm_obs": config.rollout.normalize_observations and not images,
            "norm_reward": config.rollout.normalize_returns,
        },
        "clip_rewards": config.rollout.clip_raw_rewards,
        "settings": settings,
    }
