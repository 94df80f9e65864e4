"""Gymnasium's interface, as environments of one's own get it wrong: each mistake in one line, with its cure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from baselines_ppo.common.envs.foreign import named, pass_on
from baselines_ppo.common.envs.make import MakeEnvironment
from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.common.policy.given_arrays import is_masked

OF_ONE = "let the function make one Gymnasium environment; --num-envs says how many are made"

# By a package that a class or one of its parents comes from: what its environments are, and what to give instead.
STRANGERS = {
    "envpool": ("steps several environments at once", OF_ONE),
    "stable_baselines3": ("is a vector environment of Stable-Baselines3", OF_ONE),
    "supersuit": ("is a vector environment of supersuit", OF_ONE),
    "pettingzoo": (
        "has several agents",
        "these algorithms train one: wrap it into a gymnasium.Env that shows one agent's observations and rewards",
    ),
    "gym": (
        "is of the old package gym",
        "derive it from gymnasium.Env, or wrap it with shimmy's GymV26CompatibilityV0",
    ),
    "dm_env": ("is of dm_env", "wrap it with shimmy's DmControlCompatibilityV0"),
}


def own_environment(make: Any, env_id: str) -> MakeEnvironment:
    """Return a user's function that makes an environment, which checks what it returns.

    Raises:
      UsageError: it is no function; the function: it returns something else, see `checked_environment`.
    """
    if hasattr(make, "action_space") and not isinstance(make, type):
        raise UsageError(
            f"environment {env_id}: `environment` is a {type(make).__name__}, expected a function that makes a new one "
            "at each call, such as environment=lambda: MyEnv()"
        )
    if not callable(make):
        cure = "; give an id to configure instead" if isinstance(make, str) else ""
        raise UsageError(
            f"environment {env_id}: `environment` is {short(repr(make))}, expected a function that makes one{cure}"
        )
    return lambda: checked_environment(make(), env_id)


def checked_environment(made: Any, env_id: str) -> gymnasium.Env[Any, Any]:
    """Return what a function made, if it is one environment with its two spaces.

    Raises:
      UsageError: it is not; says what it is, and what to give instead.
    """
    what, cure = _mistake(made)
    if what:
        raise UsageError(f"environment {env_id}: what the function made {what}; {cure}")
    return made


def _mistake(made: Any) -> tuple[str, str]:
    """Return what is wrong with what a function made, and the cure; nothing if it is an environment."""
    name = type(made).__name__
    if made is None:
        return "is None", "end it with `return` and the environment"
    if isinstance(made, tuple | list):
        return f"is a {name} of {len(made)}", OF_ONE
    roots = [parent.__module__.split(".")[0] for parent in type(made).__mro__]
    for root, (what, cure) in STRANGERS.items():
        if root in roots:
            return f"({name}) {what}", cure
    if isinstance(made, gymnasium.vector.VectorEnv):
        return f"({name}) is a vector environment", OF_ONE
    if isinstance(made, type):
        return f"is the class {made.__name__}", "call it: return an instance"
    if not isinstance(made, gymnasium.Env):
        return f"({name}) is no gymnasium.Env", "derive its class from gymnasium.Env"
    for space in ("observation_space", "action_space"):
        try:
            given = getattr(made, space, None)
        except BaseException as error:  # where it is a property
            pass_on(error)
            return f"({name}) raises {named(error)} for its {space}", f"set self.{space} in __init__"
        if not isinstance(given, gymnasium.Space):
            wrong = f"has no {space}" if given is None else f"has the {space} {short(repr(given))}, which is no space"
            return f"({name}) {wrong}", f"set self.{space} in __init__, such as gymnasium.spaces.Box(-1, 1, (3,))"
    return "", ""


def refuse_shared(environments: Sequence[gymnasium.Env[Any, Any]], env_id: str) -> None:
    """Refuse environments of which two are the same object, be it in different wrappers.

    Raises:
      UsageError: they are.
    """
    owner: dict[int, int] = {}
    for number, environment in enumerate(environments):
        for layer in layers(environment):
            if owner.setdefault(id(layer), number) != number:
                raise UsageError(
                    f"environment {env_id}: two calls of the function gave the same {type(layer).__name__}; each call "
                    "must return a new environment: write environment=lambda: MyEnv(), with the call inside"
                )


def layers(environment: gymnasium.Env[Any, Any]) -> list[Any]:
    """Return an environment's wrappers from the outside in, and what they wrap."""
    found: list[Any] = [environment]
    while isinstance(found[-1], gymnasium.Wrapper):
        found.append(found[-1].env)
    return [*found, environment.unwrapped]


def checked_reset(result: Any) -> tuple[Any, Any]:
    """Return the observation with which an episode begins, and its info, a dict or None.

    Raises:
      ValueError: `reset` returned something else than it and a dict.
    """
    if not (
        isinstance(result, tuple | list) and len(result) == 2 and (result[1] is None or isinstance(result[1], dict))
    ):
        raise ValueError(
            f"reset returned {_kind(result)}, expected an observation and a dict, as Gymnasium has it since 0.26; "
            "let it end with `return observation, {}`"
        )
    return result[0], result[1]


def checked_step(result: Any) -> tuple[Any, float, bool, bool, Any]:
    """Return a step's observation, reward, terminated and truncated, and its info, which may be anything.

    Raises:
      ValueError: `step` returned something else; says what.
    """
    if type(result) is tuple and len(result) == 5:  # as most are: this is called at every step
        observation, reward, terminated, truncated, info = result
        if type(terminated) is bool and type(truncated) is bool and isinstance(reward, float):
            return observation, reward, terminated, truncated, info
    if not isinstance(result, tuple | list) or len(result) != 5:
        old = "; `done` is two values since Gymnasium 0.26" if isinstance(result, tuple) and len(result) == 4 else ""
        raise ValueError(
            f"step returned {_kind(result)}, expected 5: observation, reward, terminated, truncated, info{old}"
        )
    observation, reward, terminated, truncated, info = result
    return observation, _reward(reward), _flag(terminated, "terminated"), _flag(truncated, "truncated"), info


def _reward(reward: Any) -> float:
    number = reward if isinstance(reward, float | int | np.floating) else _single(reward)
    if number is None:
        raise ValueError(f"the reward is {_kind(reward)}, expected a number")
    try:
        return float(number)
    except Exception as error:  # one beyond the largest, or whatever a number of somebody's own raises
        raise ValueError(f"the reward is no number that float64 holds: {named(error)}") from None


def _flag(flag: Any, name: str) -> bool:
    if isinstance(flag, bool | np.bool_):
        return bool(flag)
    number = _single(flag)
    if number not in (0, 1):
        raise ValueError(f"{name} is {_kind(flag)}, expected True or False; an environment is one, not several")
    return bool(number)


def _single(value: Any) -> Any:
    """Return the number that a value is, in whatever array of one; None if it is none, or hidden."""
    if is_masked(value):
        return None
    try:
        array = np.asarray(value)
    except Exception:  # whatever another library's arrays raise
        return None
    return array.item() if array.size == 1 and array.dtype.kind in "biuf" else None


def _kind(value: Any) -> str:
    """Return what a value is, in few words."""
    if isinstance(value, tuple | list):
        return f"{len(value)} values"
    try:
        shape = getattr(value, "shape", None)
        if shape is not None and shape != ():
            return f"an array of shape {tuple(shape)}"
        return short(repr(value))
    except Exception:  # whatever a stranger's own raise
        return f"a {type(value).__name__}"
