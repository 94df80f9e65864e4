"""`launch`: ranks under mpirun that are started again, with --resume, after an end that deserves it."""

from __future__ import annotations

import functools
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from baselines_ppo.common.failures import FINISHED, DataError, LoadError, UsageError, WriteError, short
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.run_folder import is_made, is_run, missing, new_run, remove_empty, runs_of, steps_made
from baselines_ppo.common.files.whole import place
from baselines_ppo.common.job.launcher import find_mpirun, launched_by_mpi, why
from baselines_ppo.common.job.parent import ending_with_parent
from baselines_ppo.common.job.shared_memory import remove_litter
from baselines_ppo.common.job.signals import EXIT_CODES
from baselines_ppo.common.screen.above import ERASE
from baselines_ppo.run.rank_facts import family_of
from baselines_ppo.run.training import resolve_auto

# An end that would come again, or that was asked for; after any other, such as a crash, the ranks are started again.
FINAL = {*(failure.exit_code for failure in (UsageError, DataError, LoadError, WriteError)), *EXIT_CODES.values()}
UNFINISHED = 1  # exit code of ranks that ended as if all steps were made, and they are not
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # s before the ranks are started again; doubled each time
FRUITLESS = 2  # restarts in a row without a new checkpoint after which it gives up
HANGUP = signal.SIGHUP  # the terminal was closed; mpirun would die of it
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, HANGUP)
OPEN_MPI = "Open MPI"
# How MPICH and Open MPI are told how many ranks a host takes.
COUNTED, SLOTS = re.compile(r"^[^:\s]+:\d+$"), re.compile(r"\sslots\s*=")
FALLING = {"--load-path": "load_path", "--override": "override"}  # flags that `--resume auto` may make useless


class LaunchPlan(NamedTuple):
    """How the ranks are started."""

    command: list[str]  # the first time
    again: list[str]  # without what only begins a run
    folder: Path  # the run's
    made: list[Path]  # for it, the innermost first

    def next(self) -> list[str]:
        """Return what to start now: what goes on as soon as there is a checkpoint."""
        return [*self.again, "--resume", str(self.folder)] if steps_made(self.folder) else self.command


def launch(ranks: int, hosts: str | None, restarts: int, arguments: list[str], options: dict[str, Any]) -> int:
    """Run a training on some ranks until it ends well, or should not be tried again; returns its last exit code.

    Args:
      hosts: a file that says where the ranks are to run; None: all here.
      arguments: of the training, as typed.
      options: the same, parsed.
    """
    if launched_by_mpi():
        raise UsageError("launch starts its own ranks; run it without mpirun")
    for flag, value, least in (("--ranks", ranks, 1), ("--restarts", restarts, 0)):
        if value < least:
            raise UsageError(f"{flag} is {value}, expected at least {least}")
    if hosts is not None:
        _check_hosts(hosts)
    plan = _plan(ranks, hosts, arguments, options)
    supervisor, seen, fruitless, pause = Supervisor(), steps_made(plan.folder), 0, FIRST_PAUSE
    code = supervisor.run(plan.command)
    for attempt in range(1, restarts + 2):
        remove_litter()
        if supervisor.asked or code in FINAL or (code == FINISHED and is_made(plan.folder)):
            break
        made = steps_made(plan.folder)
        fruitless, seen = (fruitless + 1 if attempt > 1 and made == seen else 0), made
        if fruitless == FRUITLESS:
            _say(f"{why(code)}; {FRUITLESS} restarts made no new checkpoint, giving up")
            break
        if attempt > restarts:
            _say(f"{why(code)}; no restarts left")
            break
        _say(f"{why(code)}; restart {attempt} of {restarts} in {pause:.0f} s")
        supervisor.pause(pause)
        if supervisor.asked:
            return EXIT_CODES[supervisor.asked]
        pause = min(2 * pause, LONGEST_PAUSE) if fruitless else FIRST_PAUSE
        code = supervisor.run(plan.next())
    remove_empty(plan.made)  # where nothing was begun, as after a wrong flag
    if code == FINISHED and not is_made(plan.folder):
        return UNFINISHED
    return code if code >= 0 else 128 - code


def _plan(ranks: int, hosts: str | None, arguments: list[str], options: dict[str, Any]) -> LaunchPlan:
    """Return how to start and how to go on, always in one folder, which is chosen here if need be."""
    where = [] if hosts is None else ["--hostfile", str(place(hosts))]  # which MPICH and Open MPI both know
    job = [find_mpirun(), *where, "-np", str(ranks), sys.executable, "-m", "baselines_ppo.run"]
    options = resolve_auto(options)
    resume, logdir, made = options["resume"], options["logdir"], list[Path]()
    fallen = [flag for flag, name in FALLING.items() if not options[name]]
    given = functools.reduce(_without, ["--resume", *fallen], arguments)
    begin = given if resume is None else [*given, "--resume", resume]
    if resume is not None and is_run(place(resume)):  # not one checkpoint of it
        logdir = resume
    elif logdir is None:
        folder, parents = _new_folder(resume, options)
        logdir, made = str(folder), [folder, *parents]
        begin, given = [*begin, "--logdir", logdir], [*given, "--logdir", logdir]
    return LaunchPlan([*job, *begin], [*job, *_without(given, "--load-path")], place(logdir), made)


def _check_hosts(path: str) -> None:
    """Check that a file names hosts, in the form of our mpirun; which there are, mpirun finds out.

    Raises:
      UsageError: it cannot be read, is empty, or has the form of another MPI.
    """
    try:
        lines = place(path).read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is no text"
        raise UsageError(f"--hosts {short(path)} cannot be read: {reason}") from None
    named = [line.split("#")[0].strip() for line in lines]
    family = family_of(find_mpirun())
    expected = f"expected lines such as {'node01 slots=16' if family == OPEN_MPI else 'node01:16'}"
    if not any(named):
        raise UsageError(f"--hosts {short(path)} names no host, {expected}")
    foreign = COUNTED if family == OPEN_MPI else SLOTS
    if family and (wrong := next(filter(foreign.search, named), None)):
        raise UsageError(f"--hosts {short(path)} has the line {short(wrong)}, {expected}, as {family} takes them")


def _new_folder(resume: str | None, options: dict[str, Any]) -> tuple[Path, list[Path]]:
    """Return a folder for a run that begins, from nothing or from a checkpoint, and those that were made around it."""
    stored: dict[str, Any] = {}
    if resume is not None:
        stored = checkpoint.find(resume)[0].manifest.get("config", {})
    named = {"alg": "ppo2", "seed": 0, "name": "", **stored, **options}
    if "env" not in named:
        raise UsageError("which environment? give --env, such as --env Humanoid-v4")
    parents = missing(place(runs_of(str(named["env"]))))
    return place(new_run(str(named["env"]), str(named["alg"]), named["seed"], str(named["name"]))), parents


def _without(arguments: list[str], flag: str) -> list[str]:
    """Return the arguments without a flag and its value."""
    kept = [word for word in arguments if not word.startswith(f"{flag}=")]
    while flag in kept:
        at = kept.index(flag)
        kept = kept[:at] + kept[at + 2 :]
    return kept


class Supervisor:
    """One job after the other; stop signals go to the one under way, and end the series."""

    def __init__(self) -> None:
        self.asked = 0  # the first stop signal
        self._waiting: list[int] = []  # signals that the job has not got yet
        self._job: subprocess.Popen[bytes] | None = None
        for number in PASSED_ON:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                signal.signal(number, self._pass_on)

    def run(self, command: list[str]) -> int:
        """Run a command to its end; returns its exit code, or minus the signal that killed it."""
        self._job = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=ending_with_parent(),
        )
        try:
            self._deliver()
            return self._job.wait()
        finally:
            self._job = None

    def pause(self, seconds: float) -> None:
        """Wait, but no longer than until a stop signal."""
        end = time.monotonic() + seconds
        while not self.asked and time.monotonic() < end:
            time.sleep(0.1)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        number = signal.SIGTERM if number == HANGUP else number
        self.asked = self.asked or number
        self._waiting.append(number)
        self._deliver()

    def _deliver(self) -> None:
        while self._job is not None and self._waiting:
            self._job.send_signal(self._waiting.pop(0))


def _say(text: str) -> None:
    erase = ERASE if sys.stderr.isatty() else ""  # the live table of ranks that are gone
    print(f"{erase}launch: {text}", file=sys.stderr, flush=True)
