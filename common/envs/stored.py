"""What a file may say of an environment: nothing that imports a module or leads to another file."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

import gymnasium

from baselines_ppo.common.envs.keywords import canonical_keywords, keywords_of, names_a_file, wrapper_of
from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.common.envs.packages import SAFE_MODULES, package_of
from baselines_ppo.common.failures import LoadError, ModuleNotNamed, UsageError, short
from baselines_ppo.common.files.remembered import is_remembered, module_of

PLAIN_ID = re.compile(r"(baselines_ppo\.zoo:)?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?")
SAFE_WRAPPER = re.compile(r"gymnasium\.wrappers:[A-Za-z]+")


def is_safe_id(env_id: str) -> bool:
    """Return whether making an environment of this id imports nothing but Gymnasium's own, ours and ALE's."""
    package = None if env_id in gymnasium.registry else package_of(env_id)
    return PLAIN_ID.fullmatch(env_id) is not None and (package is None or package.module in SAFE_MODULES)


def is_known_id(env_id: str) -> bool:
    """Return whether a file may name an environment: it is safe, or its user has named its module before."""
    module = env_id.rpartition(":")[0]
    if is_safe_id(env_id):
        return True
    return is_remembered(module) if module else module_of(env_id) is not None


def stored_environment(
    env_id: str,
    wrappers: Sequence[str],
    env_kwargs: str,
    env: str | None = None,
    wrapper: tuple[str, ...] | None = None,
    given: str | None = None,
) -> EnvironmentSpec:
    """Return the environment that a file names, where the command line does not name it: the last three.

    Modules are imported, and files used, only if the command line names them.

    Raises:
      ModuleNotNamed: the file asks for one that it does not name.
      LoadError, UsageError: the keywords of the file, or those given, are no JSON object.
    """
    return EnvironmentSpec(
        check_stored_id(env_id) if env is None else env,
        check_stored_wrappers(wrappers) if wrapper is None else wrapper,
        check_stored_keywords(env_kwargs) if given is None else keywords_of(str(canonical_keywords(given))),
    )


def check_stored_id(env_id: str) -> str:
    """Return an environment id that was read from a file, if making it imports nothing but Gymnasium's own.

    Raises:
      ModuleNotNamed: it names a module, or a package's environment, and importing a module runs code.
    """
    if not is_known_id(env_id):
        trust = f"if you trust it, add --env {shlex.quote(short(env_id))}"
        raise ModuleNotNamed(f"its environment {short(env_id)} is not one of Gymnasium's; {trust}")
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
    """Return whether a file may name a wrapper: Gymnasium's own, or of a module that its user has named before.

    There may be nothing with it that may lead to another file.
    """
    try:
        name, keywords = wrapper_of(text)
    except UsageError:
        return False
    known = SAFE_WRAPPER.fullmatch(name) is not None or is_remembered(name.partition(":")[0])
    return known and not names_a_file(keywords)


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
