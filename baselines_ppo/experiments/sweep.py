"""`sweep`: environments x algorithms x seeds x values, each a run of its own, as many at once as there are cores."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from baselines_ppo.common.ending import inside_job, say
from baselines_ppo.common.failures import FINISHED, STOPPED_BY_SIGNAL, Failure, UsageError, WriteError
from baselines_ppo.common.files.lock import InUse, hold, user_of
from baselines_ppo.common.files.run_folder import RUNS
from baselines_ppo.common.files.toml_file import TomlFile
from baselines_ppo.common.files.whole import place, shown
from baselines_ppo.common.job.cores import usable_cores
from baselines_ppo.common.job.launcher import launched_size
from baselines_ppo.common.job.signals import StopSignals
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.experiments.jobs import wait_until_free
from baselines_ppo.experiments.statistics import check_installed
from baselines_ppo.experiments.sweeping import record
from baselines_ppo.experiments.sweeping.cases import Case, cases_of, left_out
from baselines_ppo.experiments.sweeping.description import Description, described, overlaid
from baselines_ppo.experiments.sweeping.results import CURVES, TABLE, VALUES, write_results
from baselines_ppo.experiments.sweeping.screen import Screen, how
from baselines_ppo.experiments.sweeping.swept_run import DONE, FAILED, RUNNING, WAITING, SweptRun

LOOK = 0.2  # s, between two looks at the runs
PATIENCE = 120.0  # s that a run of an earlier start may take to save and end
LATE = 5.0  # s after its grace, in which a run should have ended by itself
SOME_FAILED = 1  # exit code


class Plan(NamedTuple):
    """A sweep, ready to begin."""

    description: Description
    cases: list[Case]
    folder: Path
    ranks: int  # of each run


class Swept(NamedTuple):
    """What a sweep has come to."""

    folder: Path
    runs: dict[str, Path]  # run folders by the names of the runs
    failed: dict[str, str]  # why, by name
    table: str  # final scores as Markdown; '' where the sweep was stopped
    exit_code: int  # 0: all runs are made; 1: some have failed; 75, 130: stopped, the same call goes on


def sweep(
    file: str | Path | None = None,
    *,
    logdir: str | Path | None = None,
    ranks: int | None = None,
    jobs: int | None = None,
    only: int | None = None,
    **keys: Any,
) -> Swept:
    """Train every combination of environments, algorithms, seeds and varied values; the same call again goes on.

    Args:
      file: a TOML file that describes the sweep.
      logdir: folder of the sweep; by default the file's own, or `runs/<name of the file>`.
      ranks: of each run; None: 1 where there are as many runs as cores, else as many as fit.
      jobs: runs at once; None: as many as the cores have room for.
      only: number of the one run to train, as in a job of a cluster.
      keys: what the file may say, and instead of it: env, alg, seeds, vary (values by field), and all fields of a
        training.

    Raises:
      UsageError: a key, a value or a configuration is wrong, or the folder holds another sweep.
      LoadError, WriteError: the folder is damaged, or cannot be written.
    """
    own = (("logdir", None if logdir is None else str(logdir)), ("ranks", ranks))
    where = {name: value for name, value in own if value is not None}
    return run(planned(file, {**keys, **where}), jobs, only)


def planned(file: str | Path | None, keys: Mapping[str, Any]) -> Plan:
    """Return the sweep that a file and keys say, all of it checked, nothing begun.

    Raises:
      UsageError, LoadError: see `sweep`.
    """
    if file is None:
        sweep = described(keys)
    else:
        toml = TomlFile(file)
        sweep = described(overlaid(toml.data, keys), lambda *key: "" if key[0] in keys else toml.where(*key))
    if sweep.logdir is None and file is None:
        raise UsageError("in which folder? give logdir, such as runs/my-sweep; the same again goes on there")
    folder = place(sweep.logdir or RUNS / Path(str(file)).stem)
    ranks = sweep.ranks or record.recorded_ranks(folder) or chosen_ranks(sweep)
    return Plan(sweep, cases_of(sweep, ranks), folder, ranks)


def chosen_ranks(sweep: Description) -> int:
    """Return how many ranks each run gets: one where runs fill the cores, else the largest number that fits."""
    alone = cases_of(sweep, 1)
    for ranks in range(usable_cores() // len(alone), 1, -1):
        try:
            if [case.config for case in cases_of(sweep, ranks)] == [case.config for case in alone]:
                return ranks
        except UsageError:  # its environments cannot be dealt to so many
            continue
    return 1


def run(plan: Plan, jobs: int | None = None, only: int | None = None) -> Swept:
    """Make all runs of a sweep, or one of them.

    Raises:
      UsageError: there is no such run, or see `sweep`.
    """
    if launched_size() > 1:
        raise UsageError("sweep starts its own ranks; run it without mpirun")
    if jobs is not None and jobs < 1:
        raise UsageError(f"jobs is {jobs}, expected at least 1")
    if only is not None and not 0 <= only < len(plan.cases):
        raise UsageError(f"there is no run {only}; the runs are 0 to {len(plan.cases) - 1}")
    if only is None:
        check_installed()  # for the tables and the figure at the end
    if only is None and (user := user_of(plan.folder)):  # before anything is written down there
        raise UsageError(f"sweep {shown(plan.folder)} is in use by {user}")
    record.keep(plan.folder, plan.cases, plan.ranks)
    if only is not None:
        return _sweep([SweptRun(plan.cases[only], plan.folder, plan.ranks)], plan, 1)
    try:
        lock = hold(plan.folder)
    except InUse as user:
        raise UsageError(f"sweep {shown(plan.folder)} is in use by {user}") from None
    except OSError as error:
        raise WriteError(f"{shown(plan.folder)} cannot be written: {error.strerror or error}") from None
    with lock:
        runs = [SweptRun(case, plan.folder, plan.ranks) for case in plan.cases]
        return _sweep(runs, plan, jobs or max(usable_cores() // plan.ranks, 1))


def _sweep(runs: list[SweptRun], plan: Plan, jobs: int) -> Swept:
    with StopSignals(inside_job()) as signals:
        _say_what_is_done(runs, plan, jobs)
        screen = Screen(runs)
        try:
            asked = _make(runs, jobs, screen, signals)
        finally:
            screen.close()
    return _come_to(runs, plan, asked)


def _say_what_is_done(runs: Sequence[SweptRun], plan: Plan, jobs: int) -> None:
    made = sum(swept.state == DONE for swept in runs)
    before = f", {made} of them finished already" if made else ""
    at_once = f"{min(jobs, len(runs))} at once, {counted(plan.ranks, 'rank')} each"
    say(f"{counted(len(runs), 'run')}{before}; {at_once}; all is in {shown(plan.folder)}")
    for line in left_out(plan.description):
        say(line)


def _make(runs: Sequence[SweptRun], jobs: int, screen: Screen, signals: StopSignals) -> int:
    """Make the runs, or stop when a signal says so; returns 0, or the exit code that the signal asks for.

    Raises:
      UsageError: another process trains one of the runs, and goes on with it.
      WriteError: the folder of a run cannot be written.
    """
    waiting = sorted((swept for swept in runs if swept.state == WAITING), key=lambda swept: swept.case.seed)
    patience = time.monotonic() + PATIENCE
    try:
        while True:
            if (asked := signals.asked()) is not None:
                waiting.clear()
                for swept in runs:
                    swept.stop()
            while waiting and sum(swept.state == RUNNING for swept in runs) < jobs:
                if (free := next((swept for swept in waiting if not user_of(swept.folder)), None)) is None:
                    break
                waiting.remove(free)
                free.begin()
                screen.begun(free)
            for swept in runs:
                if swept.look():
                    screen.ended(swept)
            if any(swept.state == RUNNING for swept in runs):
                patience = time.monotonic() + PATIENCE
            elif not waiting:
                return FINISHED if asked is None else asked.exit_code
            elif time.monotonic() > patience:
                wait_until_free(waiting[0].folder, 0)
            screen.show()
            time.sleep(LOOK)
    finally:
        _let_end(runs)  # none is running, unless something was raised


def _let_end(runs: Sequence[SweptRun]) -> None:
    """Let the runs that are under way save and end; kill those that have not when their grace is over."""
    for swept in runs:
        swept.stop()
    end = time.monotonic() + max(swept.case.config.grace for swept in runs) + LATE
    while any(swept.state == RUNNING for swept in runs) and time.monotonic() < end:
        time.sleep(LOOK)
        for swept in runs:
            swept.look()
    for swept in runs:
        swept.kill()


def _come_to(runs: Sequence[SweptRun], plan: Plan, asked: int) -> Swept:
    """Say what has come of the runs, and write it into the sweep's folder where all have ended."""
    folders, failed = {swept.case.name: swept.folder for swept in runs}, [s for s in runs if s.state == FAILED]
    table, alone = "", len(runs) < len(plan.cases)
    stopped = any(swept.state not in (DONE, FAILED) for swept in runs)
    if stopped:
        made = sum(swept.state == DONE for swept in runs)
        say(f"stopped; {made} of {len(runs)} runs are finished; the same command goes on")
    elif not alone:
        table = _table(runs, plan.folder)
    for swept in failed:
        say(f"{swept.case.name} {how(swept)}")
    if failed:
        say(f"{len(failed)} of {len(runs)} runs failed; the same command tries them again")
    exit_code = SOME_FAILED if failed else FINISHED
    if stopped:
        exit_code = asked or STOPPED_BY_SIGNAL  # a signal may have reached the runs alone, as a scheduler's does
    if alone and failed and failed[0].end is not None:
        exit_code = failed[0].end.exit_code  # that of the run, for whoever has started it alone
    return Swept(plan.folder, folders, {s.case.name: s.end.error for s in failed if s.end}, table, exit_code)


def _table(runs: Sequence[SweptRun], folder: Path) -> str:
    """Return the table of the results, which is written and shown; '' where it cannot be made."""
    try:
        table = write_results(runs, folder)
    except Failure as error:  # all runs are there
        say(f"no tables and figures: {error}")
        return ""
    if table:
        say(f"\n{table}\nsee {', '.join(str(shown(folder / name)) for name in (TABLE, VALUES, CURVES))}")
    return table
