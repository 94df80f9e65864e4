"""From a configuration to its actor-critic: which networks, of which sizes, for the spaces of an environment."""

from __future__ import annotations

import math
from dataclasses import replace

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.policy.actions import Action
from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.networks import NetworkSettings, find_network, network_of
from baselines_ppo.common.policy.observations import Observation, images_of, seen_in
from baselines_ppo.common.policy.spaces.images import large_enough
from baselines_ppo.settings.config import TrainConfig

MOST_INPUTS = 2_000  # that ten times as many units are made for

# Hidden layers and activation where the configuration leaves them to the network; Nature's for convolutions.
LAYERS = {"mlp": ((64, 64), "tanh"), "cnn": ((512,), "relu"), "cnn_lstm": ((512,), "relu"), "lstm": ((), "tanh")}
OF_A_USER = ((), "tanh")


def actor_critic_of(config: TrainConfig, observation: Observation, action: Action) -> ActorCritic:
    """Return the actor-critic that the configuration asks for.

    Raises:
      UsageError: the network is unknown, or does not go with the observations or the algorithm.
    """
    policy, algorithm = config.policy, config.algorithm
    name = _chosen(observation) if policy.network == "auto" else policy.network
    find_network(name)
    sizes, activation = LAYERS.get(name, OF_A_USER)
    settings = NetworkSettings(
        name=name,
        hidden_sizes=sizes if policy.hidden_sizes is None else policy.hidden_sizes,
        activation=policy.activation or activation,
        lstm_size=policy.lstm_size,
    )
    network = network_of(settings, observation)
    remembers, apart = network.step is not None, algorithm.separate_networks
    shared = policy.shared_trunk
    if shared is None:
        shared = (remembers or network.convolutional) and not apart
    if shared and apart:
        raise UsageError(f"{config.alg} fits policy and value function apart; leave out --shared-trunk")
    if remembers and algorithm.without_memory is not None:
        raise UsageError(f"{config.alg} takes networks without memory here, not {name}; {algorithm.without_memory}")
    if name == "mlp" and policy.hidden_sizes is None:
        inputs, outputs = math.prod(seen_in(observation).shape), action.distribution.network_size
        own = algorithm.layers_for(inputs, outputs)
        if own is not None:
            if inputs > MOST_INPUTS:
                raise UsageError(
                    f"{config.alg} sizes its networks by the observation, which has {inputs:,} numbers here; "
                    "give --hidden-sizes, or for images --wrapper none"
                )
            return ActorCritic(observation, action, *(replace(settings, hidden_sizes=sizes) for sizes in own))
    return ActorCritic(observation, action, settings, None if shared else settings)


def _chosen(observation: Observation) -> str:
    """Return the network that `auto` means."""
    images = images_of(observation)
    return "cnn" if images and all(large_enough(image.leaf.shape) for image in images) else "mlp"
