"""Making one environment from its id, with errors that say what to do."""

from __future__ import annotations

import functools
import re
import sys
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium

from baselines_ppo.common.failures import LoadError, UsageError, nearest

MakeEnvironment = Callable[[], "gymnasium.Env[Any, Any]"]

PLAIN_ID = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?")

# What to install when one of these words is in an environment's id or in Gymnasium's complaint.
PACKAGES = {
    "box2d": "gymnasium[box2d]",
    "mujoco": "gymnasium[mujoco]",
    "pygame": "gymnasium[classic-control]",
}


def make_environment(env_id: str, render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
    """Return a new Gymnasium environment with its own time limit.

    Raises:
      UsageError: the id is unknown, or a package it needs is not installed.
    """
    try:
        _quiet_mujoco(env_id)
        render: dict[str, Any] = {} if render_mode is None else {"render_mode": render_mode}
        # Gymnasium's checker tests every single step; what a learner needs is checked in vec_env.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # v4 was asked for by name, on every rank
            return gymnasium.make(env_id, disable_env_checker=True, **render)
    except gymnasium.error.Error as error:
        reason = re.sub(r"\s+", " ", str(error)).strip()
        install = next((package for word, package in PACKAGES.items() if word in f"{env_id} {reason}".lower()), None)
        if isinstance(error, gymnasium.error.UnregisteredEnv):
            hint = nearest(env_id, gymnasium.registry)
            raise UsageError(f"unknown environment {env_id}{hint or f': {reason}'}") from None
        cure = f"needs a package: pip install '{install}'" if install else reason
        raise UsageError(f"environment {env_id} {cure}") from None
    except ModuleNotFoundError as error:
        module = error.name or env_id.split(":")[0]
        raise UsageError(f"environment {env_id}: module {module} is not installed") from None
    except ImportError as error:
        reason = re.sub(r"\s+", " ", str(error)).strip()
        raise UsageError(f"environment {env_id} is too old for this Gymnasium; try its -v4 or -v5 ({reason})") from None


def check_stored_id(env_id: str) -> str:
    """Return an environment id that was read from a file, if making it imports nothing but Gymnasium's own.

    Raises:
      LoadError: it names a module, and importing a module runs code.
    """
    if PLAIN_ID.fullmatch(env_id) is None:
        raise LoadError(f"its environment {env_id!r} is not one of Gymnasium's; if you trust it, add --env {env_id}")
    return env_id


def _quiet_mujoco(env_id: str) -> None:
    """Show each of MuJoCo's warnings once per rank, instead of a log file in whatever folder this is."""
    spec = gymnasium.registry.get(env_id)
    if spec is None or "mujoco" not in str(spec.entry_point):
        return
    import mujoco

    mujoco.set_mju_user_warning(_warn_once)


@functools.cache
def _warn_once(text: str) -> None:
    if "compiler attribute" not in text:  # a remark on Gymnasium's own models, which a user cannot change
        sys.stderr.write(f"MuJoCo: {text}\n")
