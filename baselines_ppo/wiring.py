"""From a configuration to its actor-critic: which networks, of which sizes, for the spaces of an environment."""

from __future__ import annotations

import math
from dataclasses import replace

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.policy.actions import Action
from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.images import large_enough
from baselines_ppo.common.policy.networks import NetworkSettings, find_network, network_of
from baselines_ppo.common.policy.observations import Observation, images_of
from baselines_ppo.common.shards import WHOLE, Shards, shards_over
from baselines_ppo.settings.config import TrainConfig

MOST_INPUTS = 2_000  # that ten times as many units are made for

# Sharing out a minibatch costs a millisecond, most of it in TensorFlow. Below this many products of transitions and
# parameters, of about 6 operations each, computing all of its gradient on every rank is faster, however many there are.
SMALL_MINIBATCH = 15_000_000

# Hidden layers and activation where the configuration leaves them to the network; Nature's for convolutions.
OWN = {"mlp": ((64, 64), "tanh"), "cnn": ((512,), "relu"), "cnn_lstm": ((512,), "relu"), "lstm": ((), "tanh")}
OWN_OF_A_USER = ((), "tanh")


def actor_critic_of(config: TrainConfig, observation: Observation, action: Action) -> ActorCritic:
    """Return the actor-critic that the configuration asks for.

    Raises:
      UsageError: the network is unknown, or does not go with the observations or the algorithm.
    """
    policy, algorithm = config.policy, config.algorithm
    name = _chosen(observation) if policy.network == "auto" else policy.network
    find_network(name)
    sizes, activation = OWN.get(name, OWN_OF_A_USER)
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
    if remembers and not algorithm.takes_memory:
        raise UsageError(f"{config.alg} takes networks without memory, not {name}; use ppo1, ppo2 or trpo")
    if name == "mlp" and policy.hidden_sizes is None:
        inputs, outputs = math.prod(observation.shape), action.distribution.network_size
        own = algorithm.layers_for(inputs, outputs)
        if own is not None:
            if inputs > MOST_INPUTS:
                raise UsageError(
                    f"{config.alg} sizes its networks by the observation, which has {inputs:,} numbers here; "
                    "give --hidden-sizes, or for images --wrapper none"
                )
            return ActorCritic(observation, action, *(replace(settings, hidden_sizes=sizes) for sizes in own))
    return ActorCritic(observation, action, settings, None if shared else settings)


def splits_minibatches(config: TrainConfig, network: ActorCritic) -> bool:
    """Return whether the ranks share out each minibatch and average its gradient, or each learns from all of it."""
    split = config.algorithm.split_minibatches
    if split is not None:
        return split
    return is_worth_sharing(config.minibatch_size or 0, network.layout.size, network)


def is_worth_sharing(transitions: int, parameters: int, network: ActorCritic) -> bool:
    """Return whether it is faster to share out the gradient of so many parameters over so many transitions."""
    return network.convolutional or transitions * parameters > SMALL_MINIBATCH


def shards_of(config: TrainConfig, network: ActorCritic, environments: int, ranks: int) -> Shards:
    """Return the shards in which a minibatch of so many environments is learned from.

    With memory it is made of whole environments, one of each K neighbours.
    """
    if not splits_minibatches(config, network):
        return WHOLE
    dealt = environments // (config.num_minibatches or 1) if network.recurrent else environments
    return shards_over(dealt, ranks)


def ranks_are_alike(config: TrainConfig, network: ActorCritic, ranks: int) -> bool:
    """Return whether so many ranks compute the same bits as one."""
    return not splits_minibatches(config, network) or shards_of(config, network, config.num_envs, 1).total % ranks == 0


def _chosen(observation: Observation) -> str:
    """Return the network that `auto` means."""
    images = images_of(observation)
    return "cnn" if images and all(large_enough(image.leaf.shape) for image in images) else "mlp"
