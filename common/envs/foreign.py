"""Code that is not ours, such as an environment's: what it raises, in words; and how it may leave, or fork.

A process that it forks is a copy of the whole training. If such a copy comes back to us it ends there, as Python would
end it: our endings, which take all ranks along, are the training's own.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple, NoReturn

from baselines_ppo.common.ending import end_all, inside_job
from baselines_ppo.common.failures import printable, short
from baselines_ppo.common.job.launcher import launched_by_mpi
from baselines_ppo.common.job.signals import asks_to_stop

_exit = os._exit


class _Place(NamedTuple):
    """Where a training runs."""

    process: int
    thread: int


_trainings: list[_Place] = []  # that are under way, an outer one first


def begin_training() -> None:
    """Let nobody leave this process unseen from now on: `os._exit` would end a job that looks finished."""
    _trainings.append(_Place(os.getpid(), threading.get_ident()))
    os._exit = _leave


def end_training() -> None:
    """Let everybody leave as ever."""
    _trainings.pop()
    if not _trainings:
        os._exit = _exit


def leave_if_forked(error: BaseException | None = None) -> None:
    """End this process, as Python would after this error, if an environment has forked it from a training."""
    if not _trainings or os.getpid() == _trainings[-1].process:
        return
    code: object = 0
    if isinstance(error, SystemExit):
        code = 0 if error.code is None else error.code
        if not isinstance(code, int):
            sys.stderr.write(f"{code}\n")
    elif error is not None:
        code = 1
        sys.stderr.write("".join(traceback.format_exception(error)))
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    _exit(code & 0xFF if isinstance(code, int) else 1)


def pass_on(error: BaseException) -> None:
    """Raise what a person's Ctrl-C has raised; any other error is that of the code which was called."""
    leave_if_forked(error)
    if asks_to_stop(error):
        raise error


def close_unheard(close: Callable[[], object]) -> None:
    """Close what is of no use any more; that it cannot be closed does not matter."""
    try:
        close()
    except BaseException as error:
        pass_on(error)


def named(error: BaseException) -> str:
    """Return an error's kind and text in one line."""
    return short(f"{type(error).__name__}: {printable(error)}".rstrip(": "))


def _leave(status: int = 0) -> NoReturn:
    """Leave a forked process; the training's own thread by an error, which ends all ranks and is told."""
    if _trainings and os.getpid() == _trainings[-1].process:
        if threading.get_ident() == _trainings[-1].thread:
            raise SystemExit(f"os._exit({status})")
        if inside_job() or launched_by_mpi():
            end_all(status or 1, f"os._exit({status}) was called in a thread before all steps were made")
    _exit(status)
