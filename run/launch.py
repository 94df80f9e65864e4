"""`launch`: ranks under mpirun that are started again, with --resume, after an end that deserves it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from baselines_ppo.common import checkpoint
from baselines_ppo.common.failures import STUCK, LoadError, UsageError
from baselines_ppo.common.launcher import find_mpirun, launched_by_mpi
from baselines_ppo.common.run_folder import new_run
from baselines_ppo.common.shared_memory import remove_litter

# An unexpected error, a kill, a crash, a rank that is stuck, the kernel's hunt for memory.
DESERVING = {1, signal.SIGKILL, signal.SIGSEGV, STUCK, 128 + signal.SIGKILL}
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # s before the ranks are started again; doubled each time
FRUITLESS = 2  # restarts in a row without a new checkpoint after which it gives up
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


def launch(ranks: int, hosts: str | None, restarts: int, arguments: list[str], options: dict[str, Any]) -> int:
    """Run a training on some ranks until it ends well, or should not be tried again; returns its last exit code.

    Args:
      hosts: a file that says where the ranks are to run; None: all here.
      arguments: of the training, as typed.
      options: the same, parsed.
    """
    if launched_by_mpi():
        raise UsageError("launch starts its own ranks; run it without mpirun")
    first, again, folder = _commands(ranks, hosts, arguments, options)
    supervisor, seen, fruitless, pause = Supervisor(), _newest(folder), 0, FIRST_PAUSE
    for attempt in range(restarts + 1):
        code = supervisor.run(again if attempt else first)
        remove_litter()
        if supervisor.asked or not (code in DESERVING or code < 0):
            break
        newest = _newest(folder)
        fruitless, seen = (fruitless + 1 if newest == seen else 0), newest
        if fruitless > FRUITLESS:
            _say(f"{_why(code)}; {FRUITLESS} restarts made no new checkpoint, giving up")
            break
        if attempt == restarts:
            _say(f"{_why(code)}; no restarts left")
            break
        _say(f"{_why(code)}; restart {attempt + 1} of {restarts} in {pause:.0f} s")
        supervisor.pause(pause)
        pause = min(2 * pause, LONGEST_PAUSE) if fruitless else FIRST_PAUSE
        if supervisor.asked:
            break
    return code if code >= 0 else 128 - code


def _commands(
    ranks: int, hosts: str | None, arguments: list[str], options: dict[str, Any]
) -> tuple[list[str], list[str], Path]:
    """Return the first command, the one that goes on, and the run's folder, which is chosen here if need be."""
    resume, logdir = options["resume"], options["logdir"]
    where = [] if hosts is None else ["-f", hosts]
    job = [find_mpirun(), *where, "-np", str(ranks), sys.executable, "-m", "baselines_ppo.run", *arguments]
    if resume not in (None, "auto") and logdir is None:
        return job, job, Path(resume).expanduser()
    if logdir is None:
        if "env" not in options:
            raise UsageError("which environment? give --env, such as --env Humanoid-v4")
        logdir = str(new_run(options["env"], options.get("alg", "ppo2"), options.get("seed", 0)))
        job += ["--logdir", logdir]
    going_on = [*job, "--resume", "auto"]  # the last one counts
    return (going_on if resume == "auto" else job), going_on, Path(logdir).expanduser()


class Supervisor:
    """One job after the other; stop signals go to the one under way, and end the series."""

    def __init__(self) -> None:
        self.asked = False
        self._job: subprocess.Popen[bytes] | None = None
        for number in PASSED_ON:
            signal.signal(number, self._pass_on)

    def run(self, command: list[str]) -> int:
        """Run a command to its end; returns its exit code, or minus the signal that killed it."""
        self._job = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            return self._job.wait()
        finally:
            self._job = None

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than until a stop signal."""
        end = time.monotonic() + seconds
        while not self.asked and time.monotonic() < end:
            time.sleep(0.1)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if self._job is not None:
            self._job.send_signal(number)


def _newest(folder: Path) -> str | None:
    """Return the name of the newest whole checkpoint."""
    try:
        return checkpoint.find(folder)[0].path.name
    except LoadError:
        return None


def _say(text: str) -> None:
    print(f"launch: {text}", file=sys.stderr, flush=True)


def _why(code: int) -> str:
    if code < 0:
        return f"mpirun was killed ({signal.Signals(-code).name})"
    if code in (signal.SIGKILL, 128 + signal.SIGKILL):
        return f"a rank was killed (exit code {code}); the kernel does that when memory runs out"
    if code == signal.SIGSEGV:
        return f"a rank crashed (exit code {code}); its stack is above or in the run folder's ranks/"
    if code == STUCK:
        return f"a rank was stuck (exit code {code})"
    return f"ended with exit code {code}"
