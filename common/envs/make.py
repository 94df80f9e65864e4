"""Making environments from their ids, with errors that say what to do."""

from __future__ import annotations

import functools
import importlib
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any, NamedTuple

import gymnasium

from baselines_ppo.common.envs.foreign import named, pass_on
from baselines_ppo.common.envs.keywords import wrapper_of
from baselines_ppo.common.envs.packages import install_of, package_of
from baselines_ppo.common.failures import (
    Failure,
    UsageError,
    nearest,
    printable,
    readable,
    short,
)
from baselines_ppo.common.files.remembered import module_of
from baselines_ppo.common.job.launcher import launched_rank
from baselines_ppo.common.policy.named import is_module, named_object

MakeEnvironment = Callable[[], "gymnasium.Env[Any, Any]"]


class EnvironmentSpec(NamedTuple):
    """Which environment is made, and how."""

    env_id: str
    wrappers: tuple[str, ...] = ()  # module:Class or module:Class(key=value), the innermost first
    keywords: Mapping[str, Any] = MappingProxyType({})

    @property
    def as_registered(self) -> bool:
        """Whether it has no wrappers, and no keywords but those of its registration."""
        return not self.wrappers and not self.keywords


OWN_ID = re.compile(r"Robo[A-Z]\w*-v\d+")  # of the environments in baselines_ppo.zoo
# Wrappers that would change what a resumed run sees, and what there is instead.
FORGETFUL = {"NormalizeReward": "--normalize-returns true", "NormalizeObservation": "--normalize-observations true"}
FRAMES = 4  # of Atari, that an action is repeated for, and as many of these that are seen at once


def make_environment(spec: EnvironmentSpec, render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
    """Return a new Gymnasium environment with its own time limit, in its wrappers; it takes the keywords.

    Atari comes with the standard preprocessing (Machado et al. 2018, arXiv:1709.06009); its sticky actions are
    those of its id.

    Raises:
      UsageError: the id is unknown, a package it needs is not installed, or see `wrapped`.
    """
    shown = {} if render_mode is None else {"render_mode": render_mode}
    given: dict[str, Any] = {**spec.keywords, **shown}
    with explained(spec.env_id, spec.keywords):
        name = registered(spec.env_id)
        gymnasium.spec(name)  # without a version Gymnasium would take its newest
        # Gymnasium's checker tests every single step; what a learner needs is checked in vec_env.
        if is_atari(name):
            environment = gymnasium.make(name, disable_env_checker=True, frameskip=1, **given)
            environment = gymnasium.wrappers.AtariPreprocessing(environment, frame_skip=FRAMES)
            environment = gymnasium.wrappers.FrameStackObservation(environment, FRAMES, padding_type="zero")
        else:
            environment = gymnasium.make(name, disable_env_checker=True, **given)
            if _is_own(name) and environment.spec is not None:  # Gymnasium keeps the limit to itself
                environment.unwrapped.vector.expect_limit(environment.spec.max_episode_steps)  # type: ignore[attr-defined]
    return wrapped(lambda: environment, spec.wrappers)


def wrapped(make: MakeEnvironment, wrappers: Sequence[str]) -> gymnasium.Env[Any, Any]:
    """Return a new environment in its wrappers, `module:Class` or `module:Class(key=value)`, the innermost first.

    Raises:
      UsageError: there is no such wrapper, or it does not take this environment.
    """
    environment = make()
    for name in wrappers:
        path, keywords = wrapper_of(name)
        wrapper = find_wrapper(path)
        try:
            environment = wrapper(environment, **keywords)
        except BaseException as error:
            pass_on(error)
            reason = named(error).rstrip(".")
            cure = "--wrapper none leaves it out"
            raise UsageError(f"wrapper {name} does not take this environment: {reason}; {cure}") from None
    return environment


def registered(env_id: str) -> str:
    """Import the module that registers an environment: named in its id, known, or ours; returns the id without it.

    MuJoCo's warnings are then shown once per rank, instead of written to a file in whatever folder this is.

    Raises:
      UsageError: it is no id.
    """
    module, colon, name = env_id.rpartition(":")
    if not name or (colon and not is_module(module)) or env_id.split() != [env_id] or not env_id.isprintable():
        expected = "a name such as CartPole-v1, or with the module that registers it, such as module:Name-v0"
        raise UsageError(f"--env is {short(repr(env_id))}, expected {expected}")
    module = module or ("baselines_ppo.zoo" if OWN_ID.fullmatch(name) else "")
    if module:
        importlib.import_module(module)
    _import_package(name)
    if name not in gymnasium.registry and (own := module_of(name)) is not None:
        importlib.import_module(own)
    spec = gymnasium.registry.get(name)
    if spec is not None and re.match(r"(gymnasium\.envs\.mujoco|baselines_ppo\.zoo)\b", str(spec.entry_point)):
        import mujoco

        mujoco.set_mju_user_warning(lambda text: _warn_once(text.partition(" Time =")[0]))
    return name


def registration(env_id: str) -> gymnasium.envs.registration.EnvSpec:
    """Return what Gymnasium knows of an environment, without making one.

    Raises:
      UsageError: it is unknown, or a module is missing.
    """
    with explained(env_id):
        return gymnasium.spec(registered(env_id))


def time_limit(env_id: str) -> int | None:
    """Return the steps after which an environment's own registration ends an episode, None if it never does.

    Raises:
      UsageError: it is unknown, or a module is missing.
    """
    steps = registration(env_id).max_episode_steps
    return None if steps == -1 else steps  # which says never, too


def is_atari(env_id: str) -> bool:
    """Return whether this is one of the Arcade Learning Environment's games, seen by its pixels."""
    _import_package(env_id)
    spec = gymnasium.registry.get(env_id)
    return spec is not None and "ale_py" in str(spec.entry_point) and spec.kwargs.get("obs_type", "rgb") == "rgb"


def _is_own(name: str) -> bool:
    """Return whether an id is registered for a robot of the zoo."""
    return str(gymnasium.spec(name).entry_point).startswith("baselines_ppo.zoo")


def _import_package(name: str) -> None:
    """Import the known package that registers an environment, if it is installed; any other stays unknown."""
    package = None if name in gymnasium.registry else package_of(name)
    if package is not None:
        with suppress(ModuleNotFoundError):
            importlib.import_module(package.module)


def find_wrapper(name: str) -> Callable[..., gymnasium.Env[Any, Any]]:
    """Return the wrapper that `module:Class` names; imports the module.

    Raises:
      UsageError: there is none.
    """
    forgetful = name.partition(":")[2]
    if forgetful in FORGETFUL:
        raise UsageError(f"wrapper {name} forgets its statistics when a run resumes; use {FORGETFUL[forgetful]}")
    return named_object("wrapper", name, "module:Class")


@contextmanager
def explained(env_id: str, keywords: Mapping[str, Any] = MappingProxyType({})) -> Iterator[None]:
    """Turn what goes wrong while an environment is made into one line that says what to do.

    Below the line is the traceback, where the environment's own code raised.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # v4 was asked for by name, on every rank
            yield
    except Failure:
        raise
    except gymnasium.error.DeprecatedEnv:
        raise UsageError(f"environment {env_id} is out of date{newest(env_id)}") from None
    except gymnasium.error.Error as error:
        reason = printable(error)
        if isinstance(error, gymnasium.error.UnregisteredEnv) or "No registered env" in reason:
            raise UsageError(_unknown(env_id)) from None
        install = install_of(f"{reason} {env_id}")
        raise UsageError(
            f"environment {env_id} {f'needs a package: pip install {install}' if install else reason}"
        ) from None
    except ModuleNotFoundError as error:
        package, module = package_of(env_id.rpartition(":")[2]), error.name or env_id.split(":")[0]
        install = package.install if package else install_of(module)
        cure = f"; pip install {install}" if install else ""
        raise UsageError(f"environment {env_id}: module {module} is not installed{cure}") from None
    except BaseException as error:
        pass_on(error)
        reason = printable(error)
        if isinstance(error, TypeError) and "'render_mode'" in reason:
            raise UsageError(f"environment {env_id} gives no pictures: it takes no render_mode") from None
        if isinstance(error, ImportError) and "mujoco v2 and v3" in reason:
            raise UsageError(f"environment {env_id} is too old for this Gymnasium{newest(env_id)}") from None
        refused = re.search(r"(?:unexpected|multiple values for) (?:keyword )?argument '(\w+)'", reason)
        if isinstance(error, TypeError) and refused is not None and refused[1] in keywords:
            raise UsageError(f"environment {env_id} takes no {refused[1]} by --env-kwargs") from None
        trace = readable("".join(traceback.format_exception(error)).rstrip())
        raised = f"{type(error).__name__}: {reason}".rstrip(": ")
        raise UsageError(f"environment {env_id}, rank {launched_rank()}, raised {raised}\n{trace}") from None


def _unknown(env_id: str) -> str:
    """Return that there is no environment of an id, and which may be meant."""
    module, _, name = env_id.rpartition(":")
    if package := package_of(name):
        if package.module not in sys.modules:
            cure = f"pip install {package.install}, then give --env {package.module}:{name}"
            return f"environment {env_id} is of a package that is not installed: {cure}"
        hint = nearest(name, gymnasium.registry, functools.partial(_typed, module=package.module))
        return f"unknown environment {env_id}, {package.module} has no such{hint}"
    if env_id.startswith("Roboschool"):
        return f"unknown environment {env_id}; our own: {env_id.replace('Roboschool', 'Robo')}"
    hint = newest(env_id) or nearest(name, gymnasium.registry, functools.partial(_typed, module=module))
    if module:
        return f"unknown environment {env_id}{hint or f'; {module} registers none of that id, see gymnasium.register'}"
    elsewhere = "; if a module registers it, give --env MODULE:ID, such as --env minigrid:MiniGrid-Empty-5x5-v0"
    return f"unknown environment {env_id}{hint or elsewhere}"


def newest(env_id: str) -> str:
    """Return the words '; give --env A, B' with the versions that there are of an environment, the newest first."""
    module, _, name = env_id.rpartition(":")
    name = re.sub(r"-v\d+$", "", name)
    specs = [spec for spec in gymnasium.registry.values() if re.fullmatch(rf"{re.escape(name)}(-v\d+)?", spec.id)]
    usable = [spec for spec in specs if "mujoco_py" not in str(spec.entry_point)]
    found = [_typed(spec.id, module) for spec in sorted(usable, key=lambda spec: spec.version or 0, reverse=True)]
    return f"; give --env {' or '.join(found)}" if found else ""


def _typed(env_id: str, module: str) -> str:
    """Return what to type for an id that is registered: with the module that was typed, unless Gymnasium knows it."""
    entry_point = str(gymnasium.registry[env_id].entry_point)
    known = entry_point.startswith("gymnasium.") or OWN_ID.fullmatch(env_id) or package_of(env_id)
    return env_id if known or not module else f"{module}:{env_id}"


@functools.cache
def _warn_once(text: str) -> None:
    if "compiler attribute" not in text:  # a remark on Gymnasium's own models, which a user cannot change
        sys.stderr.write(f"MuJoCo: {text}\n")
