"""Two ways of stepping n environments: one after the other, or in an environment's own vector form."""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np
from gymnasium.envs.registration import load_env_creator
from gymnasium.vector import AutoresetMode

from baselines_ppo.common.actions import Action, action_of
from baselines_ppo.common.envs import FRAMES, MakeEnvironment, explained, is_atari, make_environment, registered
from baselines_ppo.common.lean_mujoco import lean
from baselines_ppo.common.observations import AUTO, Observation, observation_of

# Of ALE's vector form; rewards stay raw, for what users see of them.
ATARI_SETTINGS: dict[str, Any] = {
    "frameskip": FRAMES,
    "reward_clipping": False,
    "use_fire_reset": False,
    "num_threads": 1,
}


class Unusable(Exception):
    """An environment raised, or gave something that cannot be learned from; row None: one of a vector form."""

    def __init__(self, row: int | None, reason: str, raised: bool = False) -> None:
        super().__init__(reason)
        self.row, self.raised = row, raised


class Outcome(NamedTuple):
    """What a step of some of n environments gave, not yet checked; of no use in the rows that were not asked for."""

    observations: np.ndarray  # [n, ...] in the environment's own dtype
    rewards: np.ndarray  # [n] float64
    terminated: np.ndarray  # [n] bool
    truncated: np.ndarray  # [n] bool
    raised: dict[int, str]  # why, by row, where an environment raised; what is above is of no use there


class Backend(Protocol):
    """What `VecEnv` needs of n environments."""

    observation: Observation
    action: Action
    captures: bool  # whether `capture` gives states; else episodes must be replayed

    def reset(self, rows: Sequence[int], seeds: Sequence[int]) -> np.ndarray:
        """Begin an episode in each of these rows; returns observations [k, ...] in the environment's own dtype."""

    def step(self, actions: np.ndarray, rows: Sequence[int]) -> Outcome:
        """Step these rows with their own of the actions [n, ...]."""

    def make_again(self, row: int) -> None:
        """Replace a row that raised by a new environment."""

    def capture(self) -> dict[str, np.ndarray] | None:
        """Return all that the future of each row depends on, arrays [n, ...], or None where that cannot be said."""

    def restore(self, rows: Sequence[int], states: Sequence[dict[str, np.ndarray]]) -> np.ndarray:
        """Bring these rows to states that were captured; returns observations as `reset` does.

        Raises:
          KeyError, ValueError: the states are not of this environment.
        """

    def flags_reached(self) -> np.ndarray | None:
        """Return how many flags each row has reached in its episode, [n], or None where there are none to reach."""

    def close(self) -> None:
        """Close all environments."""


class SerialBackend:
    """Environments in this process, one after the other."""

    captures = False

    def __init__(self, make: MakeEnvironment, count: int, env_id: str, taken_for: str | Observation = AUTO) -> None:
        """Make the environments; see `observation_of` for what their observations are taken for.

        Raises:
          UsageError: the environment or one of its spaces is not supported.
        """
        self._make = make
        self._environments = [make() for _ in range(count)]
        self.observation = observation_of(self._environments[0].observation_space, env_id, taken_for)
        self.action = action_of(self._environments[0].action_space, env_id)

    def reset(self, rows: Sequence[int], seeds: Sequence[int]) -> np.ndarray:
        observations = self._empty(len(rows))
        for k, (row, seed) in enumerate(zip(rows, seeds, strict=True)):
            try:
                observation, _ = self._environments[row].reset(seed=seed)
            except Exception as error:
                raise Unusable(row, _raised("reset", error), raised=True) from error
            observations[k] = self._encoded(row, observation)
        return observations

    def step(self, actions: np.ndarray, rows: Sequence[int]) -> Outcome:
        count = len(self._environments)
        observations, rewards = self._empty(count), np.zeros(count)
        terminated, truncated = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
        raised = {}
        for row in rows:
            try:
                result = self._environments[row].step(actions[row])
            except Exception as error:
                raised[row] = _raised("step", error)
                continue
            if len(result) != 5:
                raise Unusable(row, f"step returned {len(result)} values, expected 5")
            observation, reward, *ended, _ = result
            terminated[row], truncated[row] = map(bool, ended)
            observations[row] = self._encoded(row, observation)
            try:
                rewards[row] = float(reward)
            except (TypeError, ValueError):
                raise Unusable(row, f"the reward is {reward!r}, expected a number") from None
        return Outcome(observations, rewards, terminated, truncated, raised)

    def make_again(self, row: int) -> None:
        with suppress(Exception):  # it is broken already
            self._environments[row].close()
        self._environments[row] = self._make()

    def capture(self) -> None:
        return None

    def restore(self, rows: Sequence[int], states: Sequence[dict[str, np.ndarray]]) -> np.ndarray:
        raise ValueError("these environments have no states that could be restored")

    def flags_reached(self) -> np.ndarray | None:
        reached = [getattr(environment.unwrapped, "flags_reached", None) for environment in self._environments]
        return None if None in reached else np.array(reached)

    def close(self) -> None:
        for environment in self._environments:
            environment.close()

    def _empty(self, count: int) -> np.ndarray:
        return np.zeros((count, *self.observation.shape), self.observation.dtype)

    def _encoded(self, row: int, observation: Any) -> np.ndarray:
        try:
            return self.observation.encode(observation)
        except ValueError as error:
            raise Unusable(row, f"the observation is {error}") from None


class NativeBackend:
    """An environment's own vector form, a VectorEnv each of whose episodes can begin with a seed of its own."""

    def __init__(self, envs: Any, env_id: str, taken_for: str | Observation = AUTO) -> None:
        self._envs, self._count = envs, envs.num_envs
        self.captures = _captures(envs)
        self.observation = observation_of(envs.single_observation_space, env_id, taken_for)
        self.action = action_of(envs.single_action_space, env_id)
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
            observations, _ = self._envs.reset(seed=ordered, options={"reset_mask": mask})
        except Exception as error:
            raise Unusable(None, _raised("reset", error)) from error
        self._ended &= ~mask
        return self._encoded(observations)[list(rows)]

    def step(self, actions: np.ndarray, rows: Sequence[int]) -> Outcome:
        if self._ended.any():  # rows that nobody waits for are stepped too
            idle = np.flatnonzero(self._ended).tolist()
            self.reset(idle, [0] * len(idle))
        try:
            observations, rewards, terminated, truncated, _ = self._envs.step(actions)
        except Exception as error:
            raise Unusable(None, f"last actions {actions.tolist()}: {_raised('step', error)}") from error
        terminated, truncated = np.asarray(terminated, dtype=bool), np.asarray(truncated, dtype=bool)
        self._ended = terminated | truncated
        rewards = np.asarray(rewards, dtype=np.float64)
        return Outcome(self._encoded(observations), rewards, terminated, truncated, raised={})

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
        return self._encoded(self._envs.restore(whole))[list(rows)]

    def flags_reached(self) -> np.ndarray | None:
        return getattr(self._envs, "flags_reached", None)

    def close(self) -> None:
        self._envs.close()

    def _encoded(self, observations: Any) -> np.ndarray:
        try:
            return self.observation.encode(observations, (self._count,))
        except ValueError as error:
            raise Unusable(None, f"the observations are {error}") from None


def make_backend(
    env_id: str, wrappers: Sequence[str], count: int, taken_for: str | Observation = AUTO, **keywords: Any
) -> Backend:
    """Return environments of an id: in its own vector form if it has one that keeps our promises, else one by one.

    In wrappers or with keywords of their own they are always one by one.

    Args:
      taken_for: see `observation_of`.

    Raises:
      UsageError: the environment, a wrapper or a space is not supported.
    """
    if wrappers or keywords:
        make = functools.partial(make_environment, env_id, wrappers, **keywords)
        return SerialBackend(make, count, env_id, taken_for)
    native = native_backend(env_id, count, taken_for)
    return native or SerialBackend(lambda: lean(make_environment(env_id)), count, env_id, taken_for)


def native_backend(env_id: str, count: int, taken_for: str | Observation = AUTO) -> NativeBackend | None:
    """Return an environment's own vector form, or None where it has none whose episodes begin by seeds of their own.

    Without that, results could not be the same on any number of ranks, nor resume exactly. It is tried out, because
    Gymnasium does not demand it.
    """
    with explained(env_id):
        name = registered(env_id)
        entry_point = gymnasium.spec(name).vector_entry_point
        if entry_point is None:
            return None
        settings = ATARI_SETTINGS if is_atari(name) else _without_autoreset(entry_point)

        def make(number: int) -> Any:
            return gymnasium.make_vec(name, number, vectorization_mode="vector_entry_point", **settings)

        try:
            trial = make(2)
            kept = _begins_by_seed(trial, env_id)
            trial.close()
        except gymnasium.error.DependencyNotInstalled:
            raise
        except Exception:  # whatever it does not take: seeds for each, a mask, a reset between two episodes
            return None
        return NativeBackend(make(count), env_id, taken_for) if kept else None


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
    """Return whether one of two environments can begin anew with a seed of its own, which alone decides how."""
    space = observation_of(envs.single_observation_space, env_id)

    def copied(observations: Any) -> np.ndarray:
        return space.encode(observations, (2,)).copy()

    first = copied(envs.reset(seed=np.array([7, 7]))[0])
    envs.action_space.seed(0)
    stepped = copied(envs.step(envs.action_space.sample())[0])
    again = copied(envs.reset(seed=np.array([7]), options={"reset_mask": np.array([True, False])})[0])
    expected = np.stack([first[0], stepped[1]])
    begins = np.array_equal(first[0], first[1]) and np.array_equal(again, expected)
    return begins and envs.metadata.get("autoreset_mode") is not AutoresetMode.SAME_STEP


def _raised(what: str, error: Exception) -> str:
    """Return what an environment raised, with its traceback."""
    trace = "".join(traceback.format_exception(error)).rstrip()
    return f"{what} raised {type(error).__name__}: {error}\n{trace}"
