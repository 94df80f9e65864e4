"""A trained agent: a policy, its statistics and its environment, loaded from data alone, acting in numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from baselines_ppo.common.failures import DataError, LoadError, UsageError, short
from baselines_ppo.common.files.checkpoint import Checkpoint, find
from baselines_ppo.common.files.remembered import is_remembered
from baselines_ppo.common.policy.actions import action_at, as_sent
from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.given_arrays import WrongShapeError, unlearnable
from baselines_ppo.common.policy.networks import NETWORKS, find_network
from baselines_ppo.common.policy.observations import MaskedObservation, Observation, mask_of
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.policy.spaces.masks import MASK, nothing_allowed, untrained_actions
from baselines_ppo.common.policy.spaces.observation_json import observation_from_json
from baselines_ppo.common.policy.spaces.vectors import GroupObservation


class Agent:
    """A trained policy: it takes raw observations and returns the environment's actions."""

    def __init__(self, policy: Policy, env_id: str, path: Path, manifest: dict[str, Any]) -> None:
        self.policy, self.env_id, self.path, self.manifest = policy, env_id, path, manifest
        self.wrappers = tuple(map(str, manifest.get("wrapper", ())))
        self.env_kwargs = str(manifest.get("env_kwargs", ""))  # JSON
        self._states = policy.initial_states(0)

    def act(
        self,
        observation: Any,
        deterministic: bool = True,
        rng: np.random.Generator | None = None,
        mask: Any = None,
    ) -> Any:
        """Return the environment action for one raw observation, or actions [n, ...] for a batch of them.

        Of a Dict or a Tuple of actions it returns one with its parts, each of them [n, ...] for a batch.

        Args:
          observation: as the environment gives it, or a batch as a vector environment gives it. An observation gives
            the same bits alone and in a batch.
          deterministic: whether to return the most likely action, or to sample one from the policy.
          rng: where the noise of a sampled action comes from; by default a new generator at each call.
          mask: which actions are allowed, `info["action_mask"]`, if the agent was trained with such masks and they are
            not in the observation; of a batch one of [n, ...].

        A policy with memory remembers what it saw in earlier calls; see `reset`.

        Raises:
          DataError: the observation or the mask has another shape than those the agent was trained on, or other
            numbers; the mask is missing, or allows nothing.

        >>> import baselines_ppo, gymnasium
        >>> agent, environment = baselines_ppo.load("zoo:CartPole-v1"), gymnasium.make("CartPole-v1")
        >>> observation, _ = environment.reset(seed=0)
        >>> environment.action_space.contains(agent.act(observation))
        True
        """
        network, encoded = self.policy.network, self._encoded(self._with_mask(observation, mask))
        alone = encoded.ndim == len(network.observation.shape)
        batch = encoded[None] if alone else encoded
        if (found := unlearnable(batch)) is not None:
            raise DataError(f"the observation{'' if alone else f' in row {found[0]}'} has {found[1]}")
        if network.masked and (found := nothing_allowed(network.action, batch[:, mask_of(network.observation)])):
            raise DataError(f"{found[1]}{'' if alone else f' in row {found[0]}'}")
        sent = as_sent(network.action, self.act_encoded(batch, deterministic, rng))
        return action_at(network.action, sent, 0) if alone else sent

    def act_encoded(
        self, batch: np.ndarray, deterministic: bool = True, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Return environment actions [n, ...] for observations [n, ...] that are arrays already; see `act`."""
        distribution = self.policy.distribution
        noise = None if deterministic else distribution.noise(rng or np.random.default_rng(), len(batch))
        return self.act_with_noise(batch, noise)

    def act_with_noise(self, batch: np.ndarray, noise: np.ndarray | None) -> np.ndarray:
        """Return environment actions [n, ...] for arrays [n, ...], drawn with noise [n, ...]; None: the most likely."""
        if len(self._states) != len(batch):
            self._states = self.policy.initial_states(len(batch))
        normalized = self.policy.normalize(batch)
        if noise is None:
            actions, self._states = self.policy.mode(normalized, self._states)
        else:
            actions, _, self._states, _ = self.policy.sample(normalized, self._states, noise)
        return self.policy.network.action.to_environment(actions)

    def reset(self, rows: np.ndarray | None = None) -> None:
        """Forget what was seen, as an episode begins: everything, or only in these rows of a batch, [n] bool.

        Raises:
          DataError: rows are something else, such as their numbers.
        """
        if rows is None:
            self._states = self.policy.initial_states(0)
            return
        chosen = np.asarray(rows)
        if chosen.dtype != bool or chosen.ndim != 1:
            raise DataError(f"rows are {short(repr(rows))}, expected True or False for each row of a batch")
        if len(chosen) == len(self._states):  # otherwise nothing of such a batch was seen yet
            self._states = self._states * ~chosen[:, None]

    def _with_mask(self, observation: Any, mask: Any) -> Any:
        """Return an observation with its mask, if the agent was trained with masks."""
        described = self.policy.network.observation
        if not isinstance(described, MaskedObservation):
            if mask is not None:
                raise DataError("the agent was trained without masks of actions; leave mask out")
            return observation
        if mask is not None:
            return described.joined(observation, mask)
        if not described.holds_mask(observation):
            raise DataError(
                "the agent was trained with masks of actions, and there is none: give act(observation, mask=...), such "
                f'as info["{MASK}"]'
            )
        return observation

    def _encoded(self, observation: Any) -> np.ndarray:
        """Return one observation [...] or a batch of them [n, ...] as an array."""
        space = self.policy.network.observation
        try:
            return space.encode(observation)
        except ValueError as error:
            reason, count = error, _batch_size(observation, space)
        try:
            if count is not None:
                return space.encode(observation, (count,))
        except WrongShapeError:
            pass
        except ValueError as error:  # it is a batch, of wrong numbers
            reason = error
        raise DataError(f"the observation is {reason}, or a batch of such")


def _batch_size(observation: Any, space: Observation) -> int | None:
    """Return the length of the first axis of an observation or of its first part; None if it has none."""
    try:
        if isinstance(space, MaskedObservation):
            observation, space = space.apart(observation)[0], space.seen
        while isinstance(space, GroupObservation):
            observation = observation[0 if space.names is None else space.names[0]]
            space = space.parts[0]
        return len(observation)
    except (TypeError, LookupError, ValueError):  # a number, an array of no dimensions, no such part
        return None


def load_agent(path: str | Path) -> Agent:
    """Return the agent at a run folder (its newest valid checkpoint), a checkpoint, an agent folder or zoo:NAME.

    Raises:
      LoadError: there is none, or it is damaged or incomplete.
    """
    checkpoint, _ = find(path)
    return agent_of(checkpoint)


def observation_in(checkpoint: Checkpoint) -> Observation:
    """Return what the agent in a checkpoint takes its observations for.

    Raises:
      LoadError: the checkpoint does not say.
    """
    try:
        return observation_from_json(checkpoint.manifest["policy"]["observation"])
    except Exception as error:  # a file from a stranger may be wrong in any way
        raise LoadError(f"{checkpoint.path}: not an agent: {type(error).__name__} {short(error)}") from None


def _import_networks(policy: dict[str, Any]) -> None:
    """Import the user's own networks that an agent asks for, if the user has named their module before."""
    for key in ("policy_network", "value_network"):
        name = str((policy[key] or {}).get("name"))
        if name not in NETWORKS and is_remembered(name.partition(":")[0]):
            find_network(name)


def agent_of(checkpoint: Checkpoint) -> Agent:
    """Return the agent that a checkpoint holds.

    Raises:
      LoadError: the checkpoint does not fit together.
    """
    manifest, arrays = checkpoint.manifest, checkpoint.arrays
    try:
        _import_networks(manifest["policy"])
        network = ActorCritic.from_json(manifest["policy"])
        parameters = arrays["parameters"]
        if parameters.shape != (network.layout.size,):
            raise LoadError(f"{checkpoint.path}: {parameters.size} parameters, its network has {network.layout.size}")
        policy = Policy(network, parameters, manifest["clip_observations"])
        for name, normalizer in (
            ("observations", policy.observations),
            ("value_targets", policy.value_targets),
        ):
            normalizer.restore({key: arrays[f"{name}/{key}"] for key in ("mean", "variance", "count")})
        agent = Agent(policy, str(manifest["env"]), checkpoint.path, manifest)
        _try_out(agent)
        return agent
    except UsageError as error:  # its network is none of ours
        raise LoadError(f"{checkpoint.path}: {short(error)}") from None
    except LoadError:
        raise
    except Exception as error:  # a file from a stranger may be wrong in any way
        raise LoadError(f"{checkpoint.path}: not an agent: {type(error).__name__} {short(error)}") from None


def _try_out(agent: Agent) -> None:
    """Let an agent act once: one that was put together wrongly cannot, or shows it.

    Raises:
      ValueError: its numbers are not finite, or its actions not those of its action space.
    """
    policy = agent.policy
    network, moments = policy.network, (policy.observations.moments, policy.value_targets.moments)
    if not all(np.isfinite(x).all() for x in (policy.parameters, *(part for each in moments for part in each))):
        raise ValueError("its parameters or statistics are not finite")
    if policy.parameters.dtype != np.float32:
        raise ValueError(f"its parameters are {policy.parameters.dtype}")
    seen = np.zeros((1, *network.observation.shape), network.observation.dtype)
    with np.errstate(all="raise", under="ignore"):
        actions = agent.act_encoded(seen)
    expected = (1, *untrained_actions(network.action, None, None).shape[1:])
    if actions.shape != expected or not np.isfinite(actions).all():
        raise ValueError(f"it acts with {actions.shape}, expected {expected} finite numbers")
    action_at(network.action, as_sent(network.action, actions), 0)
    agent.reset()
