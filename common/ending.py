"""How a job ends: whatever stops one rank stops them all, within seconds and with one exit code.

A rank that merely raised would leave the others waiting in a collective for ever, so everything that a command
does runs inside `run_job`.
"""

from __future__ import annotations

import faulthandler
import io
import os
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn, TypeVar

from baselines_ppo.common.failures import STOPPED_BY_CTRL_C, Failure
from baselines_ppo.common.launcher import launched_by_mpi, launched_rank

T = TypeVar("T")

CLOSED_OUTPUT = 128 + 13  # as the shell reports SIGPIPE
LONGEST_REPORT = 6000  # characters; longer writes of several ranks would be mixed up


_inside_job = False


def run_job(body: Callable[[], int]) -> NoReturn:
    """Run the body on this rank, then end the process with its exit code; on any failure end all ranks."""
    global _inside_job
    _inside_job = True
    faulthandler.enable()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    threading.excepthook = lambda args: None if args.exc_type is SystemExit else _abort(args.exc_value)
    exit_code = _end_all_on_failure(body)
    sys.stdout.flush()
    sys.exit(exit_code)


def protected(body: Callable[[], T]) -> T:
    """Run the body; in a script of the user's own under mpirun, as `run_job` would on failure."""
    return body() if _inside_job or not launched_by_mpi() else _end_all_on_failure(body)


def _end_all_on_failure(body: Callable[[], T]) -> T:
    try:
        return body()
    except Failure as failure:
        _fail(failure)
    except KeyboardInterrupt:
        text = "stopped at once; a training that has written a checkpoint goes on from it with --resume\n"
        _end(STOPPED_BY_CTRL_C, text if launched_rank() == 0 else "")
    except BrokenPipeError:  # as behind `| head`
        _end(CLOSED_OUTPUT, "stopped: nobody reads the output any more\n")
    except BaseException as error:  # SystemExit too: no rank may leave alone
        _abort(error)


def _fail(failure: Failure) -> NoReturn:
    """End all ranks with a message: rank 0's alone if all fail alike, else that of each rank that failed."""
    if not launched_by_mpi():
        _report(f"error: {failure}\n")
        sys.exit(failure.exit_code)
    if launched_rank() == 0:
        _report(f"error: {failure}\n")
    from baselines_ppo.common.mpi import world

    try:
        comm = world()
    except Failure:
        sys.exit(failure.exit_code)  # no MPI to end together with; that was the failure itself
    if comm.leave_together(failure.exit_code):
        sys.exit(failure.exit_code)
    _end(failure.exit_code, "" if comm.is_root else f"[rank {comm.rank}] error: {failure}\n")


def _abort(error: BaseException | None) -> NoReturn:
    """End all ranks because of an error that nobody foresaw; prints where it came from."""
    rank = launched_rank()
    text = "".join(traceback.format_exception(error)) if error is not None else "unknown error in a thread\n"
    exit_code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 0
    summary = "".join(traceback.format_exception_only(error)).strip() if error is not None else "unknown"
    last_line = (
        f"baselines_ppo: rank {rank} failed ({summary}); a training goes on from its last checkpoint with --resume\n"
    )
    report = "".join(f"[rank {rank}] {line}\n" for line in text[-LONGEST_REPORT:].splitlines()) + last_line
    _end(exit_code or 1, report)


def end_all(exit_code: int, message: str) -> None:
    """End all ranks at once with a message of one line; also from a thread, when nobody else can.

    Where somebody types, as in a notebook, nothing is ended: there is a warning.
    """
    if hasattr(sys, "ps1") or "ipykernel" in sys.modules:
        _report(f"warning: {message}\n")
    else:
        _end(exit_code, f"error: [rank {launched_rank()}] {message}\n")


def _end(exit_code: int, report: str) -> NoReturn:
    """Say why and end all ranks at once, without waiting for any."""
    _report(report)
    if launched_by_mpi():
        from baselines_ppo.common.mpi import world

        world().abort(exit_code)
    os._exit(exit_code)


def _report(text: str) -> None:
    """Write to standard error in one piece, so that lines of several ranks are not mixed."""
    with suppress(OSError, ValueError):  # a closed pipe must not keep the other ranks waiting
        sys.stdout.flush()
    with suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()
