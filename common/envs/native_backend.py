"""Stepping n environments in a vector form of their own, where that keeps our promises."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium.envs.registration import load_env_creator
from gymnasium.vector import AutoresetMode

from baselines_ppo.common.envs.backend_contract import Outcome, Unusable, told
from baselines_ppo.common.envs.facts import facts_of_vector
from baselines_ppo.common.envs.foreign import pass_on
from baselines_ppo.common.envs.make import FRAMES, EnvironmentSpec, explained, is_atari, registered
from baselines_ppo.common.envs.masking import Masking, mask_in
from baselines_ppo.common.envs.treatment import STREAMS, OwnStreams
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.policy.actions import action_of, as_sent
from baselines_ppo.common.policy.observations import AUTO, MaskedObservation, Observation, mask_of, observation_of
from baselines_ppo.common.policy.spaces.masks import untrained_actions

# Of ALE's vector form; rewards stay raw, for what users see of them.
ATARI_SETTINGS: dict[str, Any] = {
    "frameskip": FRAMES,
    "reward_clipping": False,
    "use_fire_reset": False,
    "num_threads": 1,
}

OURS = "baselines_ppo.zoo."


class NativeBackend:
    """An environment's own vector form, a VectorEnv each of whose episodes can begin with a seed of its own."""

    def __init__(self, envs: Any, env_id: str, taken_for: str | Observation = AUTO, masks: bool = False) -> None:
        """Take a vector form; `masks` says whether its infos have masks of actions."""
        self._envs, self._count, self._env_id = envs, envs.num_envs, env_id
        self.action = action_of(envs.single_action_space, env_id)
        self.observation = observation_of(envs.single_observation_space, env_id, taken_for, self.action, masks)
        described = self.observation
        self._masking = Masking(described) if isinstance(described, MaskedObservation) else None
        self.captures = _captures(envs) and not masks  # a state that is restored comes without an info
        self._infos: Any = {}  # of the last step
        self._begun = False
        self._ended = np.zeros(self._count, dtype=bool)  # and has not begun again

    def reset(self, rows: Sequence[int], seeds: Sequence[int]) -> np.ndarray:
        mask = np.zeros(self._count, dtype=bool)
        mask[list(rows)] = True
        ordered = np.array([seed for _, seed in sorted(zip(rows, seeds, strict=True))])
        try:
            if not self._begun:  # all must begin before some can begin again
                self._envs.reset(seed=np.zeros(self._count, dtype=np.int64))
                self._begun = True
            observations, infos = self._envs.reset(seed=ordered, options={"reset_mask": mask})
        except BaseException as error:
            pass_on(error)
            raise Unusable(None, told("reset", error)) from error
        self._ended &= ~mask
        return self._encoded(observations, infos, list(rows))[list(rows)]

    def step(self, actions: np.ndarray, rows: Sequence[int]) -> Outcome:
        if self._ended.any():  # rows that nobody waits for are stepped too
            idle = np.flatnonzero(self._ended).tolist()
            self.reset(idle, [0] * len(idle))
        if self._masking is not None:
            actions = self._allowed(actions, rows)
        try:
            observations, rewards, terminated, truncated, self._infos = self._envs.step(as_sent(self.action, actions))
        except BaseException as error:
            pass_on(error)
            raise Unusable(None, f"last actions {actions.tolist()}: {told('step', error)}") from error
        terminated, truncated = np.asarray(terminated, dtype=bool), np.asarray(truncated, dtype=bool)
        self._ended = terminated | truncated
        rewards = np.asarray(rewards, dtype=np.float64)
        acting = [row for row in rows if not self._ended[row]] if self._masking is not None else []
        encoded = self._encoded(observations, self._infos, acting)
        return Outcome(encoded, rewards, terminated, truncated, raised={})

    def _allowed(self, actions: np.ndarray, rows: Sequence[int]) -> np.ndarray:
        """Return actions [n, ...], with allowed ones in place of those of other rows, that nobody waits for."""
        idle = np.setdiff1d(np.arange(self._count), rows)
        if not len(idle):
            return actions
        actions, allowed = actions.copy(), self._masked[idle, mask_of(self.observation)] > 0
        actions[idle] = untrained_actions(self.action, None, allowed)
        return actions

    def make_again(self, row: int) -> None:
        raise AssertionError("a vector form raises as a whole, and is not made again")

    def capture(self) -> dict[str, np.ndarray] | None:
        return self._envs.capture() if self.captures else None

    def restore(self, rows: Sequence[int], states: Sequence[dict[str, np.ndarray]]) -> np.ndarray:
        if not self.captures:
            raise ValueError("this vector form has no states that could be restored")
        whole = self._envs.capture()
        for row, state in zip(rows, states, strict=True):
            for name, values in whole.items():
                if values.shape[1:] != state[name].shape:
                    raise ValueError(f"{name} is {state[name].shape}, expected {values.shape[1:]}")
                values[row] = state[name]
        return self._encoded(self._envs.restore(whole), {}, list(rows))[list(rows)]

    def episode_facts(self) -> dict[str, np.ndarray]:
        return facts_of_vector(self._infos, self._count)

    def set_attributes(self, rows: Sequence[int], attributes: Sequence[Mapping[str, Any]]) -> None:
        if any(attributes):
            raise UsageError(
                f"{self._env_id} steps all its environments as one, so that none has attributes of its own to set; "
                "put a wrapper around it that has the attribute"
            )

    def close(self) -> None:
        self._envs.close()

    def _encoded(self, observations: Any, infos: Any, acting: Sequence[int]) -> np.ndarray:
        if self._masking is not None:
            self._masked = self._masking.encoded_rows(observations, infos, self._count, acting)
            return self._masked
        try:
            return self.observation.encode(observations, (self._count,))
        except ValueError as error:
            raise Unusable(None, f"the observations are {error}") from None


def native_backend(spec: EnvironmentSpec, count: int, taken_for: str | Observation = AUTO) -> NativeBackend | None:
    """Return an environment's own vector form, or None where it has none that keeps our promises.

    Raises:
      UsageError: the environment or one of its spaces is not supported.
    """
    form = vector_form(spec)
    if form is None:
        return None
    with explained(spec.env_id, spec.keywords):
        return NativeBackend(form.make(count), spec.env_id, taken_for, form.masks)


class VectorForm(NamedTuple):
    """What makes so many environments as one, and whether its infos have masks of actions."""

    make: Callable[[int], Any]
    masks: bool


def vector_form(spec: EnvironmentSpec) -> VectorForm | None:
    """Return an environment's own vector form, or None where its episodes do not begin by seeds of their own.

    Without that, results could not be the same on any number of ranks, nor resume exactly. It is tried out, because
    Gymnasium does not demand it. Nor does it demand that a vector form means the same by a keyword: ours alone are
    trusted to.

    Raises:
      UsageError: the environment or one of its spaces is not supported.
    """
    if spec.wrappers:
        return None
    return _tried_form(spec.env_id, json.dumps(dict(spec.keywords), sort_keys=True))


@functools.cache
def _tried_form(env_id: str, keywords: str) -> VectorForm | None:
    """Return the vector form of an environment with these keywords, a JSON object, once it has been tried out."""
    given = json.loads(keywords)
    with explained(env_id, given):
        name = registered(env_id)
        entry_point = gymnasium.spec(name).vector_entry_point
        if entry_point is None or (given and not str(entry_point).startswith(OURS)):
            return None
        settings = ATARI_SETTINGS if is_atari(name) else {**_without_autoreset(entry_point), **given}

        def make(number: int) -> Any:
            return gymnasium.make_vec(name, number, vectorization_mode="vector_entry_point", **settings)

        streams = OwnStreams(tuple(STREAMS), seed=0)
        try:
            with streams, closing(make(2)) as trial:
                kept = _begins_by_seed(trial, env_id)
                masks = mask_in(trial.reset(seed=np.array([7, 7]))[1]) is not None
        except gymnasium.error.DependencyNotInstalled:
            raise
        except BaseException as error:  # whatever it does not take: seeds for each, a mask, a reset between episodes
            pass_on(error)
            return None
        return VectorForm(make, masks) if kept and not streams.drawn else None


def _without_autoreset(entry_point: Any) -> dict[str, Any]:
    """Return the setting by which a vector form leaves it to us when episodes begin, if it has it."""
    creator = load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
    choice = "autoreset_mode" in inspect.signature(creator).parameters
    return {"autoreset_mode": AutoresetMode.DISABLED} if choice else {}


def _captures(envs: Any) -> bool:
    """Return whether a vector form gives its state as arrays with a row for each environment."""
    if not (hasattr(envs, "capture") and hasattr(envs, "restore")):
        return False
    with suppress(Exception):  # it means something else by these names
        state = envs.capture()
        return isinstance(state, dict) and all(len(values) == envs.num_envs for values in state.values())
    return False


def _begins_by_seed(envs: Any, env_id: str) -> bool:
    """Return whether one of two environments can begin anew with a seed of its own, which alone decides what follows.

    One whose state can be stored need not repeat itself: it may remember earlier episodes.
    """
    space = observation_of(envs.single_observation_space, env_id)

    def copied(observations: Any) -> np.ndarray:
        return space.encode(observations, (2,)).copy()

    observations, infos = envs.reset(seed=np.array([7, 7]))
    first, actions = copied(observations), _actions(envs, env_id, observations, infos)
    stepped = copied(envs.step(actions)[0])
    again = copied(envs.reset(seed=np.array([7]), options={"reset_mask": np.array([True, False])})[0])
    expected = np.stack([first[0], stepped[1]])
    begins = np.array_equal(first[0], first[1]) and np.array_equal(again, expected)
    if begins and not _captures(envs):
        begins = np.array_equal(copied(envs.step(actions)[0])[0], stepped[0])
    return begins and envs.metadata.get("autoreset_mode") is not AutoresetMode.SAME_STEP


def _actions(envs: Any, env_id: str, observations: Any, infos: Any) -> Any:
    """Return actions for two environments that have begun: the first ones that are allowed, where that is said."""
    action, in_info = action_of(envs.single_action_space, env_id), mask_in(infos) is not None
    described = observation_of(envs.single_observation_space, env_id, AUTO, action, in_info)
    if not isinstance(described, MaskedObservation):
        envs.action_space.seed(0)
        return envs.action_space.sample()
    encoded = Masking(described).encoded_rows(observations, infos, 2, [0, 1])
    return as_sent(action, untrained_actions(action, None, encoded[:, mask_of(described)] > 0))
