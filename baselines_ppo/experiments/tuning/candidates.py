"""The settings of a trial: drawn, made to fit each other, and checked before anything is trained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any, NamedTuple

from baselines_ppo.common.envs.backends import SerialBackend, maker
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.policy.actions import Action
from baselines_ppo.common.policy.distributions import LOG_STD
from baselines_ppo.common.policy.observations import Observation
from baselines_ppo.environments import spec_of
from baselines_ppo.plan import closest_divisor, plan_of
from baselines_ppo.settings.config import TrainConfig, all_fields, resolve, with_fields
from baselines_ppo.wiring import actor_critic_of


class Spaces(NamedTuple):
    """What an environment gives and takes."""

    observation: Observation
    action: Action

    @property
    def continuous(self) -> bool:
        """Whether actions, or parts of them, are drawn from a Gaussian."""
        return any(parameter.name == LOG_STD for parameter in self.action.distribution.own_parameters())


def spaces_of(config: TrainConfig) -> Spaces:
    """Return the spaces of a configuration's environment, of which one is made and closed again.

    Raises:
      UsageError: it cannot be made, or a space is not supported.
    """
    spec = spec_of(config)
    with closing(SerialBackend(maker(spec), 1, config.env, taken_for=config.policy.observations)) as one:
        return Spaces(one.observation, one.action)


class Candidate(NamedTuple):
    """A configuration to try."""

    config: TrainConfig
    refused: str = ""  # why it cannot be trained, in one line; '' where it can


def candidate(config: TrainConfig, drawn: Mapping[str, Any], spaces: Spaces) -> Candidate:
    """Return a configuration with what was drawn for a trial.

    Drawn by themselves, num_minibatches would often not divide the steps: the divisor that is closest is taken.
    """
    try:
        chosen = with_fields(config, **drawn)
        if "num_minibatches" in drawn:
            chosen = with_fields(chosen, num_minibatches=_fitting(chosen, spaces))
        check_trainable(chosen, spaces)
    except UsageError as error:
        return Candidate(with_fields(config), str(error))
    return Candidate(chosen)


def check_trainable(config: TrainConfig, spaces: Spaces) -> None:
    """Check a configuration as a training on one rank would.

    Raises:
      UsageError: it would be refused.
    """
    resolved = resolve(config, 1)
    plan_of(resolved, actor_critic_of(resolved, *spaces), 1)


def _fitting(config: TrainConfig, spaces: Spaces) -> int:
    """Return the number of minibatches that is closest to the configuration's and can be dealt."""
    resolved = resolve(config, 1)
    recurrent = actor_critic_of(resolved, *spaces).recurrent
    dealt = resolved.num_envs if recurrent else resolved.rollout.num_steps
    return closest_divisor(dealt, resolved.num_minibatches or 1)


def in_json(values: dict[str, Any]) -> dict[str, Any]:
    """Return values as JSON keeps them, so that they can be compared with what was stored: lists for tuples."""
    return dict(json.loads(json.dumps(values)))


def settings_of(config: TrainConfig) -> dict[str, Any]:
    """Return every field of a configuration by its name, in the order of `--help`."""
    return {item.name: value for _, item, value in all_fields(config)}
