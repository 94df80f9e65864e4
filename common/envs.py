"""Making environments from their ids, with errors that say what to do."""

from __future__ import annotations

import functools
import importlib
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple

import gymnasium

from baselines_ppo.common.failures import LoadError, ModuleNotNamed, UsageError, nearest, short
from baselines_ppo.common.keywords import keywords_of, names_a_file, wrapper_of

MakeEnvironment = Callable[[], "gymnasium.Env[Any, Any]"]


class EnvironmentSpec(NamedTuple):
    """Which environment is made, and how."""

    env_id: str
    wrappers: tuple[str, ...] = ()  # module:Class or module:Class(key=value), the innermost first
    keywords: Mapping[str, Any] = MappingProxyType({})


PLAIN_ID = re.compile(r"(baselines_ppo\.zoo:)?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?")
OWN_ID = re.compile(r"Robo[A-Z]\w*-v\d+")  # of the environments in baselines_ppo.zoo
SAFE_WRAPPER = re.compile(r"gymnasium\.wrappers:[A-Za-z]+")
# Wrappers that would change what a resumed run sees, and what there is instead.
FORGETFUL = {"NormalizeReward": "--normalize-returns true", "NormalizeObservation": "--normalize-observations true"}
FRAMES = 4  # of Atari, that an action is repeated for, and as many of these that are seen at once

# What to install when one of these words is in an environment's id or in Gymnasium's complaint.
PACKAGES = {
    "opencv": "'opencv-python-headless>=4.8'",
    "box2d": "'gymnasium[box2d]>=1.1'",
    "mujoco": "'gymnasium[mujoco]>=1.1' 'mujoco>=3.17'",
    "pygame": "'gymnasium[classic-control]>=1.1'",
    "ale": "'ale-py>=0.11' 'opencv-python-headless>=4.8'",
    "bulletenv": "'pybullet>=3.2' 'pybullet_envs_gymnasium>=0.5'",
}


def make_environment(
    env_id: str, wrappers: Sequence[str] = (), render_mode: str | None = None, **keywords: Any
) -> gymnasium.Env[Any, Any]:
    """Return a new Gymnasium environment with its own time limit, in its wrappers; it takes the keywords.

    Atari comes with the standard preprocessing (Machado et al. 2018, arXiv:1709.06009); its sticky actions are
    those of its id.

    Raises:
      UsageError: the id is unknown, a package it needs is not installed, or see `wrapped`.
    """
    given: dict[str, Any] = keywords if render_mode is None else {**keywords, "render_mode": render_mode}
    with explained(env_id):
        name = registered(env_id)
        # Gymnasium's checker tests every single step; what a learner needs is checked in vec_env.
        if is_atari(name):
            environment = gymnasium.make(name, disable_env_checker=True, frameskip=1, **given)
            environment = gymnasium.wrappers.AtariPreprocessing(environment, frame_skip=FRAMES)
            environment = gymnasium.wrappers.FrameStackObservation(environment, FRAMES, padding_type="zero")
        else:
            environment = gymnasium.make(name, disable_env_checker=True, **given)
    return wrapped(lambda: environment, wrappers)


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
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".rstrip(".")
            cure = "--wrapper none leaves it out"
            raise UsageError(f"wrapper {name} does not take this environment: {reason}; {cure}") from None
    return environment


def registered(env_id: str) -> str:
    """Import the module that registers an environment, be it named in its id or ours; returns the id without it.

    MuJoCo's warnings are then shown once per rank, instead of written to a file in whatever folder this is.
    """
    module, _, name = env_id.rpartition(":")
    module = module or ("baselines_ppo.zoo" if OWN_ID.fullmatch(name) else "")
    if module:
        importlib.import_module(module)
    spec = gymnasium.registry.get(name)
    if spec is not None and re.match(r"(gymnasium\.envs\.mujoco|baselines_ppo\.zoo)\b", str(spec.entry_point)):
        import mujoco

        mujoco.set_mju_user_warning(_warn_once)
    return name


def time_limit(env_id: str) -> int | None:
    """Return the steps after which an environment's own registration ends an episode, None if it never does.

    Raises:
      UsageError: it is unknown, or a module is missing.
    """
    with explained(env_id):
        steps = gymnasium.spec(registered(env_id)).max_episode_steps
    return None if steps == -1 else steps  # which says never, too


def is_atari(env_id: str) -> bool:
    """Return whether this is one of the Arcade Learning Environment's games, seen by its pixels."""
    if env_id not in gymnasium.registry:
        try:
            import ale_py  # noqa: F401  # registers them
        except ImportError:
            return False
    spec = gymnasium.registry.get(env_id)
    return spec is not None and "ale_py" in str(spec.entry_point) and spec.kwargs.get("obs_type", "rgb") == "rgb"


def find_wrapper(name: str) -> Callable[..., gymnasium.Env[Any, Any]]:
    """Return the wrapper that `module:Class` names; imports the module.

    Raises:
      UsageError: there is none.
    """
    module, colon, attribute = name.partition(":")
    if attribute in FORGETFUL:
        raise UsageError(f"wrapper {name} forgets its statistics when a run resumes; use {FORGETFUL[attribute]}")
    if not (module and colon and attribute):
        raise UsageError(f"--wrapper is {name}, expected module:Class")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"wrapper {name} not found: {error}") from None


@contextmanager
def explained(env_id: str) -> Iterator[None]:
    """Turn what goes wrong while an environment is made into one line that says what to do."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # v4 was asked for by name, on every rank
            yield
    except gymnasium.error.Error as error:
        reason = re.sub(r"\s+", " ", str(error)).strip()
        install = _package(f"{reason} {env_id}")
        cure = f"needs a package: pip install {install}" if install else reason
        if isinstance(error, gymnasium.error.UnregisteredEnv):
            hint = nearest(env_id.rpartition(":")[2], gymnasium.registry)
            if env_id.startswith("Roboschool"):
                hint = f"; our own: {env_id.replace('Roboschool', 'Robo')}"
            if "BulletEnv" in env_id and ":" not in env_id:
                hint = f"; give --env pybullet_envs_gymnasium:{env_id}"
            if hint or not env_id.startswith("ALE/"):
                raise UsageError(f"unknown environment {env_id}{hint or f': {reason}'}") from None
        raise UsageError(f"environment {env_id} {cure}") from None
    except ModuleNotFoundError as error:
        module = error.name or env_id.split(":")[0]
        cure = f"; pip install {PACKAGES['bulletenv']}" if "BulletEnv" in env_id else ""
        raise UsageError(f"environment {env_id}: module {module} is not installed{cure}") from None
    except TypeError as error:
        refused = re.search(r"(?:unexpected|multiple values for) (?:keyword )?argument '(\w+)'", str(error))
        if refused is None:
            raise
        if refused[1] != "render_mode":
            raise UsageError(f"environment {env_id} takes no {refused[1]} by --env-kwargs") from None
        raise UsageError(f"environment {env_id} gives no pictures: it takes no render_mode") from None
    except ImportError as error:
        reason = re.sub(r"\s+", " ", str(error)).strip()
        raise UsageError(f"environment {env_id} is too old for this Gymnasium; try its -v4 or -v5 ({reason})") from None


def _package(words: str) -> str | None:
    """Return what to install for an environment or a complaint in these words."""
    return next((package for word, package in PACKAGES.items() if word in words.lower()), None)


def check_stored_id(env_id: str) -> str:
    """Return an environment id that was read from a file, if making it imports nothing but Gymnasium's own.

    Raises:
      ModuleNotNamed: it names a module, and importing a module runs code.
    """
    if PLAIN_ID.fullmatch(env_id) is None:
        raise ModuleNotNamed(
            f"its environment {short(env_id)} is not one of Gymnasium's; if you trust it, add --env {short(env_id)}"
        )
    return env_id


def check_stored_wrappers(wrappers: Sequence[str]) -> tuple[str, ...]:
    """Return wrappers that were read from a file, if they are all Gymnasium's own.

    Raises:
      ModuleNotNamed: one names another module, and importing a module runs code.
    """
    for name in wrappers:
        if not is_safe_wrapper(name):
            trust = f"if you trust it, add --wrapper {shlex.quote(short(','.join(wrappers)))}"
            raise ModuleNotNamed(f"its wrapper {short(name)} is not Gymnasium's, or may lead to a file; {trust}")
    return tuple(wrappers)


def is_safe_wrapper(text: str) -> bool:
    """Return whether a file may name a wrapper: Gymnasium's own, with nothing that may lead to another file."""
    try:
        name, keywords = wrapper_of(text)
    except UsageError:
        return False
    return SAFE_WRAPPER.fullmatch(name) is not None and not names_a_file(keywords)


def check_stored_keywords(text: str) -> dict[str, Any]:
    """Return keyword arguments of an environment that were read from a file, if none may lead to another file.

    Raises:
      ModuleNotNamed: one may.
      LoadError: it is no JSON.
    """
    try:
        keywords = keywords_of(text)
    except UsageError as error:
        raise LoadError(f"its arguments cannot be read: {error}") from None
    if names_a_file(keywords):
        trust = f"if you trust it, add --env-kwargs {shlex.quote(short(text))}"
        raise ModuleNotNamed(f"its environment's arguments may lead to a file; {trust}")
    return keywords


@functools.cache
def _warn_once(text: str) -> None:
    if "compiler attribute" not in text:  # a remark on Gymnasium's own models, which a user cannot change
        sys.stderr.write(f"MuJoCo: {text}\n")
