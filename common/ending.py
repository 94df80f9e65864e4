"""How a job ends: whatever stops one rank stops them all, within seconds and with one exit code.

A rank that merely raised would leave the others waiting in a collective for ever, so everything that a command
does runs inside `run_job`.
"""

from __future__ import annotations

import codecs
import faulthandler
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from os import _exit  # which an environment may replace, and so do we
from time import sleep
from typing import TYPE_CHECKING, NoReturn, TypeVar

from baselines_ppo.common.failures import NOTHING_SAVED, STOPPED_BY_CTRL_C, Failure, readable
from baselines_ppo.common.job.launcher import launched_by_mpi, launched_rank

if TYPE_CHECKING:
    from baselines_ppo.common.job.alive import Alive

T = TypeVar("T")

LAUNCHER_GONE = 1
CLOSED_OUTPUT = 128 + 13  # as the shell reports SIGPIPE
LONGEST_REPORT = 6000  # characters; longer writes of several ranks would be mixed up
LAST_LINES = 9  # of a traceback, that whoever started the ranks is told
LAST_ACT = 5.0  # s, that closing may take where a job has failed, and said why
LAST_WAIT = 10.0  # s, that threads and programs which an environment has left behind may take to end
LOOK = 0.5  # s, between two looks at the launcher


Tell = Callable[[int, str], None]  # is told of an exit code and why, in words, before this rank ends by it


def nobody(exit_code: int, why: str) -> None:
    """Tell nobody."""


_inside_job = False
_tell: Tell = nobody
_to_close: list[ExitStack] = []
_AFTERWARDS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)  # what cannot stop a job that is over


def inside_job() -> bool:
    """Return whether this process is ours alone, from `run_job` to its end."""
    return _inside_job


def _leave_job_in_child() -> None:
    """Let a forked process end as any other does: the job is its parent's."""
    global _inside_job, _tell
    if _inside_job:
        threading.excepthook = threading.__excepthook__
    _inside_job, _tell = False, nobody


os.register_at_fork(after_in_child=_leave_job_in_child)


def run_job(body: Callable[[], int], tell: Tell = nobody) -> NoReturn:
    """Run the body on this rank, then end the process with its exit code; on any failure end all ranks."""
    global _inside_job, _tell
    _inside_job, _tell = True, tell
    with suppress(Exception):  # there may be no screen
        faulthandler.enable()
    _end_with_launcher()
    if isinstance(sys.stdout, io.TextIOWrapper):
        codecs.register_error("printable", _printable)
        sys.stdout.reconfigure(line_buffering=True, errors="printable")
    threading.excepthook = lambda args: None if args.exc_type is SystemExit else _abort(args.exc_value)
    _leave(_end_all_on_failure(body))


def _printable(error: UnicodeError) -> tuple[bytes, int]:
    """Encode what a terminal has no letters for: bytes of names as they were, all else by its number."""
    assert isinstance(error, UnicodeEncodeError)
    found = error.object[error.start : error.end]
    escaped = [os.fsencode(c) if "\udc80" <= c <= "\udcff" else c.encode("ascii", "backslashreplace") for c in found]
    return b"".join(escaped), error.end


def protected(body: Callable[[], T]) -> T:
    """Run the body; in a script of the user's own under mpirun, as `run_job` would on failure."""
    if _inside_job or not launched_by_mpi():
        return body()
    _end_with_launcher()
    return _end_all_on_failure(body)


def _end_all_on_failure(body: Callable[[], T]) -> T:
    job = os.getpid()
    try:
        return body()
    except BaseException as error:
        if os.getpid() != job:  # a process that something in the body has forked
            raise
        if isinstance(error, Failure):
            _fail(error)
        if isinstance(error, KeyboardInterrupt):
            _end(STOPPED_BY_CTRL_C, f"stopped at once; {_way_on()}\n" if launched_rank() == 0 else "")
        if isinstance(error, BrokenPipeError):  # as behind `| head`
            _end(CLOSED_OUTPUT, "stopped: nobody reads the output any more\n")
        _abort(error)  # for SystemExit too: no rank may leave alone


@contextmanager
def closed_late() -> Iterator[ExitStack]:
    """Give a stack of what is to be closed after the block; where a job fails in it, once it has said why.

    Closing may hang, and nobody would know why the job has ended. A process that goes on is told last.
    """
    stack = ExitStack()
    try:
        yield stack
    except BaseException:
        if _inside_job or launched_by_mpi():
            _to_close.append(stack)
        else:
            stack.close()
        raise
    stack.close()


def _close_in_time(exit_code: int) -> None:
    """Close what was left until the job had said why it fails; it ends after a few seconds whatever happens here."""
    if not _to_close:
        return
    warning = f"warning: closing took over {LAST_ACT:.0f} s; not waited for\n"
    timer = threading.Timer(LAST_ACT, _end, (exit_code, warning))
    timer.daemon = True
    timer.start()
    for stack in _to_close:
        with suppress(BaseException):  # the error that is told already decides how the job ends
            stack.close()
    _to_close.clear()
    timer.cancel()


def say(text: str) -> None:
    """Print what a job has come to; if nobody can read it any more, it has come to that all the same."""
    with suppress(OSError, ValueError):
        print(text, flush=True)


def _leave(exit_code: int) -> NoReturn:
    """End this rank; nothing that is left to do or to write, and no signal, changes the exit code any more."""
    if _inside_job and threading.current_thread() is threading.main_thread():
        for number in _AFTERWARDS:  # which Python itself, at its end, would let kill it
            signal.signal(number, signal.SIG_IGN)
    try:
        sys.stdout.flush()
    except (AttributeError, OSError, ValueError):  # Python would try again at its end, and have an exit code of its own
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if _inside_job:
        threading.Thread(target=_end_in_time, args=(exit_code,), name="end", daemon=True).start()
    sys.exit(exit_code)


def _end_in_time(exit_code: int) -> None:
    """End this rank though threads that an environment has left behind, or programs, do not."""
    sleep(LAST_WAIT)
    names = [t.name for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]
    left = f"threads {', '.join(names)}" if names else "something"
    _report(f"warning: {left} of an environment did not end within {LAST_WAIT:.0f} s; the job ends without\n")
    if launched_by_mpi():
        from baselines_ppo.common.mpi import world

        world().finish()
    _exit(exit_code)


_watched = threading.Event()


def _end_with_launcher() -> None:
    """Let this rank end when its launcher is gone: mpirun waits for ranks that nobody else could end."""
    if launched_by_mpi() and not _watched.is_set():
        _watched.set()
        threading.Thread(target=_watch, args=(os.getppid(),), name="launcher", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        sleep(LOOK)
    text = f"[rank {launched_rank()}] the launcher of this rank is gone; {_way_on()}"
    _write_down(f"error: {text}\n")  # what the launcher would have shown
    _report(f"error: {text}\n")
    _exit(LAUNCHER_GONE)


def _alive() -> Alive | None:
    """Return this rank's signs of life, if MPI has been looked for."""
    if "baselines_ppo.common.mpi" in sys.modules:
        from baselines_ppo.common.mpi import world

        if world.cache_info().currsize:
            return world().alive
    return None


def _write_down(text: str) -> None:
    """Write into this rank's log, if a training has begun one."""
    if (alive := _alive()) is not None:
        alive.write_down(text)


def _way_on() -> str:
    """Return in words what is left to go on from."""
    return NOTHING_SAVED if (alive := _alive()) is None else alive.way_on()


def _fail(failure: Failure) -> NoReturn:
    """End all ranks with a message: rank 0's alone if all fail alike, else that of each rank that failed."""
    _tell(failure.exit_code, str(failure))
    if not launched_by_mpi():
        _report(f"error: {failure}\n")
        _close_in_time(failure.exit_code)
        _leave(failure.exit_code)
    if launched_rank() == 0:
        _report(f"error: {failure}\n")
    from baselines_ppo.common.mpi import world

    try:
        comm = world()
    except Failure:
        _leave(failure.exit_code)  # no MPI to end together with; that was the failure itself
    if comm.leave_together(failure.exit_code):
        _close_in_time(failure.exit_code)
        _leave(failure.exit_code)
    _end(failure.exit_code, "" if comm.is_root else f"[rank {comm.rank}] error: {failure}\n")


def _abort(error: BaseException | None) -> NoReturn:
    """End all ranks because of an error that nobody foresaw; prints where it came from."""
    rank = launched_rank()
    text = "".join(traceback.format_exception(error)) if error is not None else "unknown error in a thread\n"
    exit_code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else 0
    summary = "".join(traceback.format_exception_only(error)).strip() if error is not None else "unknown"
    last_line = f"baselines_ppo: rank {rank} failed ({summary}); {_way_on()}\n"
    report = "".join(f"[rank {rank}] {line}\n" for line in text[-LONGEST_REPORT:].splitlines()) + last_line
    _tell(exit_code or 1, "\n".join([f"rank {rank} failed: {summary}", *text.splitlines()[-LAST_LINES:]]))
    _end(exit_code or 1, report)


def end_all(exit_code: int, message: str) -> None:
    """End all ranks at once with a message of one line; also from a thread, when nobody else can.

    Where somebody types, as in a notebook, nothing is ended: there is a warning.
    """
    if hasattr(sys, "ps1") or "ipykernel" in sys.modules:
        _report(f"warning: {message}\n")
    else:
        _tell(exit_code, message)
        _end(exit_code, f"error: [rank {launched_rank()}] {message}\n")


def _end(exit_code: int, report: str) -> NoReturn:
    """Say why and end all ranks at once, without waiting for any."""
    _report(report)
    if threading.current_thread() is threading.main_thread():
        _close_in_time(exit_code)
    if launched_by_mpi():
        from baselines_ppo.common.mpi import world

        world().abort(exit_code)
    _exit(exit_code)


def _report(text: str) -> None:
    """Write to standard error in one piece, so that lines of several ranks are not mixed."""
    with suppress(AttributeError, OSError, ValueError):  # a closed pipe must not keep the other ranks waiting
        sys.stdout.flush()
    with suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(readable(text))
        sys.stderr.flush()
