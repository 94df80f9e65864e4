"""What follows from a configuration, the networks and the number of ranks: decided once, printed, and handed on."""

from __future__ import annotations

from typing import NamedTuple

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.shards import WHOLE, Shards, shards_over
from baselines_ppo.settings.config import TrainConfig

# Sharing out a minibatch costs a millisecond, most of it in TensorFlow. Below this many products of transitions and
# parameters, of about 6 operations each, computing all of its gradient on every rank is faster, on any number of ranks.
SMALL_MINIBATCH = 15_000_000

OWN, ALL = "own", "all"  # a rank's own steps, or those of all ranks


class Sharing(NamedTuple):
    """How the ranks compute the gradient of a minibatch.

    Each learns from its `own` steps, in its shards, and the gradients are averaged; or each learns from `all` steps,
    and nothing has to be averaged, because all ranks compute the same.
    """

    learns_from: str
    shards: Shards
    same_bits: bool = True  # as on one rank; else equal up to the rounding of sums


REPLICATED = Sharing(ALL, WHOLE)  # every rank computes all of it


class Plan(NamedTuple):
    """What all parts of a run have to know of each other."""

    config: TrainConfig  # in which the numbers that depend on the ranks are filled in
    network: ActorCritic
    ranks: int
    sharing: Sharing
    value_sharing: Sharing  # of the value function, where that is fitted apart

    @property
    def same_bits(self) -> bool:
        """Whether all is computed to the same bits as on one rank."""
        return self.sharing.same_bits and self.value_sharing.same_bits


def plan_of(config: TrainConfig, network: ActorCritic, ranks: int) -> Plan:
    """Return the plan of a run.

    Raises:
      UsageError: an iteration cannot be dealt into its minibatches; says which number could.
    """
    policy, values = sharings_of(config, network, ranks)
    check_minibatches(config, ranks if values.learns_from == OWN else 1, network.recurrent)
    return Plan(config, network, ranks, policy, values)


def sharings_of(config: TrainConfig, network: ActorCritic, ranks: int) -> tuple[Sharing, Sharing]:
    """Return how the ranks share the gradients, and those of the value function, where that is fitted apart."""
    algorithm, environments = config.algorithm, config.num_envs
    wanted = algorithm.split_minibatches
    # With memory a minibatch is made of whole environments, one of each K neighbours.
    dealt = environments // (config.num_minibatches or 1) if network.recurrent else environments
    if not algorithm.separate_networks:
        shared = _is_worth_sharing(config.minibatch_size, network.layout.size, network) if wanted is None else wanted
        sharing = _shared_out(dealt, ranks) if shared else REPLICATED
        return sharing, sharing
    size = algorithm.value_minibatch_size or config.minibatch_size
    shared = _is_worth_sharing(size, network.value_layout.size, network)
    return _shared_out(environments, ranks), _shared_out(dealt, ranks) if shared else REPLICATED


def _shared_out(environments: int, ranks: int) -> Sharing:
    """Return the sharing of minibatches that so many environments are part of."""
    return Sharing(OWN, shards_over(environments, ranks), shards_over(environments, 1).total % ranks == 0)


def _is_worth_sharing(transitions: int | None, parameters: int, network: ActorCritic) -> bool:
    """Return whether it is faster to share out the gradient of so many parameters over so many transitions."""
    return network.convolutional or (transitions or 0) * parameters > SMALL_MINIBATCH


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
    if config.steps_per_iteration // num_minibatches < 2:
        raise UsageError("a minibatch needs two transitions; give fewer --num-minibatches, or more --num-steps")


def closest_divisor(number: int, wanted: int) -> int:
    """Return the divisor of a number that is closest to a wanted one."""
    return min((k for k in range(1, number + 1) if number % k == 0), key=lambda k: abs(k - wanted))
