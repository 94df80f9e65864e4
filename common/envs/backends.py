"""Two ways of stepping n environments: one after the other, or in an environment's own vector form."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, nullcontext
from typing import Any

import gymnasium
import numpy as np

from baselines_ppo.common.envs.backend_contract import Backend, Outcome, Unusable, told
from baselines_ppo.common.envs.facts import facts_of_rows
from baselines_ppo.common.envs.foreign import close_unheard, pass_on
from baselines_ppo.common.envs.interface import checked_environment, checked_reset, checked_step, layers, refuse_shared
from baselines_ppo.common.envs.lean_mujoco import lean
from baselines_ppo.common.envs.make import EnvironmentSpec, MakeEnvironment, explained, make_environment
from baselines_ppo.common.envs.masking import Masking, mask_in
from baselines_ppo.common.envs.native_backend import native_backend
from baselines_ppo.common.envs.treatment import AS_USUAL, OwnStreams, Treatment
from baselines_ppo.common.failures import UsageError, nearest, short
from baselines_ppo.common.policy.actions import action_at, action_of, as_sent
from baselines_ppo.common.policy.observations import AUTO, MaskedObservation, Observation, observation_of


class SerialBackend:
    """Environments in this process, one after the other."""

    captures = False

    def __init__(
        self,
        make: MakeEnvironment,
        count: int,
        env_id: str,
        treatment: Treatment = AS_USUAL,
        seeds: Sequence[int] | None = None,
        taken_for: str | Observation = AUTO,
    ) -> None:
        """Make the environments.

        Args:
          seeds: of what each draws from global streams while it is made, where it does.
          taken_for: see `observation_of`.

        Raises:
          UsageError: making one failed, or gave none, or the same twice; or one of its spaces is not supported.
        """
        self._make, self._env_id, self._treatment = make, env_id, treatment
        self._seeds = [0] * count if seeds is None else list(seeds)
        self._own_streams = [OwnStreams(treatment.streams, seed) if treatment.streams else None for seed in self._seeds]
        self._used = [bool(treatment.streams)] * count  # by an episode; or made with another seed than an episode's
        self._attributes: list[Mapping[str, Any]] = [{}] * count  # that are set when an episode begins
        self._infos: list[Any] = [None] * count  # of each row's last step
        self.environments: list[gymnasium.Env[Any, Any]] = []
        self.gives_masks = False  # whether the info of a reset had a mask of actions that is not used
        self._taken_for = taken_for
        with ExitStack() as refused:
            refused.callback(close_unheard, self.close)
            for row in range(count):
                self.environments.append(self._made(row))
            refuse_shared(self.environments, env_id)
            self.action = action_of(self.environments[0].action_space, env_id)
            self._describe(treatment.masks)
            refused.pop_all()

    def reset(self, rows: Sequence[int], seeds: Sequence[int]) -> np.ndarray:
        observations = self._empty(len(rows))
        for k, (row, seed) in enumerate(zip(rows, seeds, strict=True)):
            self._seed_streams(row, seed)
            if self._treatment.fresh:
                if self._used[row]:
                    self._replace(row)
                self._used[row] = True
            try:
                with self._own_streams[row] or nullcontext():
                    for name, value in self._attributes[row].items():
                        self.environments[row].set_wrapper_attr(name, copy.deepcopy(value))
                    result = self.environments[row].reset(seed=seed)
            except BaseException as error:
                pass_on(error)
                raise Unusable(row, told("reset", error), raised=True) from error
            try:
                observation, info = checked_reset(result)
            except ValueError as error:
                raise Unusable(row, str(error)) from None
            self.gives_masks |= self._could_mask and mask_in(info) is not None
            observations[k] = self._encoded(row, observation, info)
        return observations

    def step(self, actions: np.ndarray, rows: Sequence[int]) -> Outcome:
        count = len(self.environments)
        observations, rewards = self._empty(count), np.zeros(count)
        terminated, truncated = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
        raised, environments, own, sent = {}, self.environments, self._own_streams, as_sent(self.action, actions)
        for row in rows:
            streams = own[row]
            try:
                if streams is None:
                    result = environments[row].step(action_at(self.action, sent, row))
                else:
                    with streams:
                        result = environments[row].step(action_at(self.action, sent, row))
            except BaseException as error:
                pass_on(error)
                raised[row] = told("step", error)
                continue
            try:
                observation, rewards[row], terminated[row], truncated[row], info = checked_step(result)
            except ValueError as error:
                raise Unusable(row, str(error)) from None
            self._infos[row] = info
            ended = self._masking is not None and bool(terminated[row] or truncated[row])
            observations[row] = self._encoded(row, observation, info, ended)
        return Outcome(observations, rewards, terminated, truncated, raised)

    def make_again(self, row: int) -> None:
        self._seed_streams(row, self._seeds[row])
        self._replace(row)
        self._used[row] = bool(self._treatment.streams)

    def capture(self) -> None:
        return None

    def restore(self, rows: Sequence[int], states: Sequence[dict[str, np.ndarray]]) -> np.ndarray:
        raise ValueError("these environments have no states that could be restored")

    def episode_facts(self) -> dict[str, np.ndarray]:
        return facts_of_rows(self._infos)

    def set_attributes(self, rows: Sequence[int], attributes: Sequence[Mapping[str, Any]]) -> None:
        for row, own in zip(rows, attributes, strict=True):
            if unknown := [name for name in own if not self.environments[row].has_wrapper_attr(name)]:
                known = {name for layer in layers(self.environments[row]) for name in vars(layer) if name[:1] != "_"}
                hint = nearest(unknown[0], sorted(known))
                raise UsageError(f"environment {self._env_id} has no attribute {short(unknown[0])} to set{hint}")
            self._attributes[row] = own

    def streams_drawn(self) -> tuple[str, ...]:
        """Return the global streams, of those that the environments have states of their own of, that were used."""
        own = [streams.drawn for streams in self._own_streams if streams is not None]
        return tuple(sorted(set().union(*own)))

    def close(self) -> None:
        """Close all environments; the first error that any of them raises is raised when all have been tried."""
        errors = []
        for environment in self.environments:
            try:
                environment.close()
            except BaseException as error:
                pass_on(error)
                errors.append(error)
        if errors:
            raise errors[0]

    def _made(self, row: int) -> gymnasium.Env[Any, Any]:
        """Return a new environment."""
        with explained(self._env_id), self._own_streams[row] or nullcontext():
            environment = checked_environment(self._make(), self._env_id)
            if self._treatment.warm:
                environment.reset(seed=0)
            return environment

    def _replace(self, row: int) -> None:
        close_unheard(self.environments[row].close)  # it may be broken
        self.environments[row] = self._made(row)

    def _seed_streams(self, row: int, seed: int) -> None:
        streams = self._own_streams[row]
        if streams is not None:
            streams.seed(seed)

    def _empty(self, count: int) -> np.ndarray:
        return np.zeros((count, *self.observation.shape), self.observation.dtype)

    @property
    def forgets_masks(self) -> bool:
        """Whether the infos of last steps had masks of actions, those of resets none."""
        return self._could_mask and not self.gives_masks and any(mask_in(info) is not None for info in self._infos)

    def use_masks(self) -> None:
        """Take the masks that are in the infos, from the next reset on."""
        self._describe(masks_in_info=True)

    def _describe(self, masks_in_info: bool) -> None:
        space = self.environments[0].observation_space
        self.observation = observation_of(space, self._env_id, self._taken_for, self.action, masks_in_info)
        described = self.observation
        self._masking = Masking(described) if isinstance(described, MaskedObservation) else None
        self._could_mask = self._masking is None and bool(self.action.distribution.choice_sizes)

    def _encoded(self, row: int, observation: Any, info: Any, ended: bool = False) -> np.ndarray:
        if self._masking is not None:
            return self._masking.encoded(row, observation, info, ended)
        try:
            return self.observation.encode(observation)
        except ValueError as error:
            raise Unusable(row, f"the observation is {error}") from None


def make_backend(
    spec: EnvironmentSpec,
    count: int,
    treatment: Treatment = AS_USUAL,
    seeds: Sequence[int] | None = None,
    taken_for: str | Observation = AUTO,
) -> Backend:
    """Return so many environments: in their own vector form if they have one that keeps our promises, else one by one.

    In wrappers they are always one by one; so are those that are not ours with keywords of their own.

    Args:
      treatment, seeds: of environments that are stepped one by one, see `SerialBackend`.
      taken_for: see `observation_of`.

    Raises:
      UsageError: the environment, a wrapper or a space is not supported.
    """
    return native_backend(spec, count, taken_for) or SerialBackend(
        maker(spec), count, spec.env_id, treatment, seeds, taken_for
    )


def maker(spec: EnvironmentSpec) -> MakeEnvironment:
    """Return the function that makes one environment, in its lean form where it is as registered."""
    if spec.as_registered:
        return lambda: lean(make_environment(spec))
    return functools.partial(make_environment, spec)
