"""What a run says before it begins: algorithm, sizes over all ranks, and where it is logged."""

from __future__ import annotations

from pathlib import Path

from baselines_ppo.common.envs.keywords import keywords_of
from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.networks import BUILT_IN, NetworkSettings
from baselines_ppo.common.policy.observations import MaskedObservation, parts_of
from baselines_ppo.common.policy.spaces.images import ImageObservation
from baselines_ppo.common.policy.spaces.vectors import (
    DiscreteObservation,
    Leaf,
    MultiBinaryObservation,
    MultiDiscreteObservation,
)
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.plan import ALL, Plan
from baselines_ppo.settings.config import TrainConfig

MOST_PARTS = 12  # of an observation, that are told one by one


def banner(plan: Plan, path: Path) -> str:
    """Return what is about to happen, in a few lines."""
    config, network, ranks = plan.config, plan.network, plan.ranks
    given = "".join(f" {name}={value}" for name, value in keywords_of(config.env_kwargs).items())
    around = f" in {', '.join(name.partition(':')[2] for name in config.wrapper)}" if config.wrapper else ""
    updates = config.algorithm.describe(config.minibatch_size)
    return (
        f"{config.alg} on {config.env}{given}{around}: {counted(ranks, 'rank')}, "
        f"{counted(config.num_envs, 'environment')}, seed {config.seed}\n"
        f"each iteration: {_experience(config)}, {updates}, all over all ranks\n"
        f"{_shares(plan)}"
        f"{seen(network, config.rollout.normalize_observations)}\n"
        f"{_networks(network)}, {network.layout.size:,} parameters\n"
        f"until {config.num_timesteps:,} steps; logs and checkpoints in {path}"
    )


def _shares(plan: Plan) -> str:
    """Return who computes what, where there are several ranks."""
    if plan.ranks == 1:
        return ""
    if plan.sharing.learns_from == ALL:
        return "every rank learns from the steps of all: sharing out such small minibatches would take longer\n"
    shared = "every rank learns from its own steps; each gradient is averaged over the ranks\n"
    if plan.value_sharing.learns_from == ALL:
        shared = "the policy's gradient is averaged over the ranks; every rank fits the value function to all steps\n"
    if plan.same_bits:
        return shared
    return f"{shared}with this number of ranks, roundings differ from those of one rank: it is a training of its own\n"


def _experience(config: TrainConfig) -> str:
    if config.num_episodes is not None:
        return counted(config.num_episodes, "episode")
    return f"{config.num_envs} x {config.rollout.num_steps} = {config.steps_per_iteration:,} steps"


def seen(network: ActorCritic, normalized: bool) -> str:
    """Return what each part of an observation is taken for, and how large it is, in words."""
    parts = list(parts_of(network.observation))
    told = [f"{part.name or 'observation'}: {_part(part.leaf, network, normalized)}" for part in parts[:MOST_PARTS]]
    if len(parts) > MOST_PARTS:
        told.append(f"and {len(parts) - MOST_PARTS} more")
    if isinstance(network.observation, MaskedObservation):
        what = "actions" if len(network.action.distribution.choice_sizes) == 1 else "alternatives"
        told.append(f"masks: which of {network.observation.mask_size:,} {what} are allowed")
    return "; ".join(told)


def _part(leaf: Leaf, network: ActorCritic, normalized: bool) -> str:
    if isinstance(leaf, ImageObservation):
        return f"{_image(leaf)}{'' if network.convolutional else f', flattened for {network.policy_network.name}'}"
    if isinstance(leaf, DiscreteObservation):
        return f"one of {leaf.size:,} states"
    if isinstance(leaf, MultiDiscreteObservation):
        return f"{len(leaf.sizes):,} states, as {leaf.shape[0]:,} zeros and ones"
    if isinstance(leaf, MultiBinaryObservation):
        return f"{leaf.shape[0]:,} zeros and ones"
    count = leaf.shape[0]
    shape = f"{_sizes(leaf.box)} = " if len(leaf.box) > 1 else ""
    words = "whole number" if leaf.dtype.startswith(("int", "uint")) else "number"
    return f"{shape}{count:,} {words}{'' if count == 1 else 's'}{', normalised' if normalized else ''}"


def _image(leaf: ImageObservation) -> str:
    """Return an image in words, such as image 84 x 84 x 4 (channels first), bytes."""
    layout = "" if leaf.box == leaf.shape else f" (from {_sizes(leaf.box)})"
    if len(leaf.box) == 3 and leaf.rows:
        layout = " (channels first)"
    kind = "bytes" if leaf.as_bytes else f"{leaf.dtype} from {leaf.low:g} to {leaf.high:g}"
    return f"image {_sizes(leaf.shape)}{layout}, {kind}"


def _sizes(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _networks(network: ActorCritic) -> str:
    policy, value = network.policy_network, network.value_network
    if value is None or value == policy:
        return f"policy and value function{' sharing' if value is None else ':'} {_layers(policy)}"
    return f"policy: {_layers(policy)}, value function: {_layers(value)}"


def _layers(settings: NetworkSettings) -> str:
    """Return a network in words, such as mlp 64-64 tanh; of a user's own no more than is known: its name."""
    if settings.name not in BUILT_IN:
        return settings.name
    cell = [f"LSTM {settings.lstm_size}"] if "lstm" in settings.name else []
    hidden = ["-".join(map(str, settings.hidden_sizes)), settings.activation] if settings.hidden_sizes else []
    return " ".join([settings.name, *hidden, *cell])
