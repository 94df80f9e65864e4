"""What a run says before it begins: algorithm, sizes over all ranks, and where it is logged."""

from __future__ import annotations

from pathlib import Path

from baselines_ppo.common.actor_critic import ActorCritic
from baselines_ppo.common.keywords import keywords_of
from baselines_ppo.common.networks import NetworkSettings
from baselines_ppo.config import PPOKLConfig, TrainConfig, TRPOConfig
from baselines_ppo.wiring import OWN


def banner(config: TrainConfig, ranks: int, network: ActorCritic, path: Path) -> str:
    """Return what is about to happen, in a few lines."""
    given = "".join(f" {name}={value}" for name, value in keywords_of(config.env_kwargs).items())
    around = f" in {', '.join(name.partition(':')[2] for name in config.wrapper)}" if config.wrapper else ""
    return (
        f"{config.alg} on {config.env}{given}{around}: {ranks} {'rank' if ranks == 1 else 'ranks'}, "
        f"{config.num_envs} environments, seed {config.seed}\n"
        f"each iteration: {_experience(config)}, {_updates(config)}, all over all ranks\n"
        f"{_networks(network)}, {network.layout.size:,} parameters\n"
        f"until {config.num_timesteps:,} steps; logs and checkpoints in {path}"
    )


def _experience(config: TrainConfig) -> str:
    if config.num_episodes is not None:
        return f"{config.num_episodes} episodes"
    return f"{config.num_envs} x {config.rollout.num_steps} = {config.steps_per_iteration:,} steps"


def _updates(config: TrainConfig) -> str:
    algorithm = config.algorithm
    if isinstance(algorithm, PPOKLConfig):
        return (
            f"at most {algorithm.num_epochs} updates of all of them, {algorithm.value_epochs} epochs of "
            f"{algorithm.value_minibatch_size:,} for the value function"
        )
    count = algorithm.num_epochs * algorithm.num_minibatches
    updates = (
        f"{count} updates of {config.minibatch_size:,} "
        f"({algorithm.num_epochs} epochs x {algorithm.num_minibatches} minibatches)"
    )
    return f"one natural step, {updates} of the value function" if isinstance(algorithm, TRPOConfig) else updates


def _networks(network: ActorCritic) -> str:
    policy, value = network.policy_network, network.value_network
    if value is None or value == policy:
        return f"policy and value function{' sharing' if value is None else ':'} {_layers(policy)}"
    return f"policy: {_layers(policy)}, value function: {_layers(value)}"


def _layers(settings: NetworkSettings) -> str:
    """Return a network in words, such as mlp 64-64 tanh; of a user's own no more than is known: its name."""
    if settings.name not in OWN:
        return settings.name
    cell = [f"LSTM {settings.lstm_size}"] if "lstm" in settings.name else []
    hidden = ["-".join(map(str, settings.hidden_sizes)), settings.activation] if settings.hidden_sizes else []
    return " ".join([settings.name, *hidden, *cell])
