"""One row of the benchmark anew: `python -m benchmarks.rerun ROW --seeds 0` trains it, and compares the numbers.

Where the numbers are others, their mean is compared with what the spread of the record's seeds lets one expect of as
many new seeds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo import sweep
from baselines_ppo.common.failures import Failure, UsageError
from baselines_ppo.common.job.threads import limit_threads
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.experiments.curves import Curve, curve_of
from baselines_ppo.experiments.runs import read_run
from baselines_ppo.experiments.scores import final_score
from baselines_ppo.experiments.sweeping.description import seeds_of
from baselines_ppo.settings.config import from_json, to_json
from baselines_ppo.state.code import code_digest
from baselines_ppo.state.platform_facts import platform_facts
from benchmarks.earlier import figure
from benchmarks.record import curve_digest
from benchmarks.rows import RECORDS, Row, comparable, read_row

OTHER = 1  # exit code: other numbers, and a mean that is not to be expected by the record


class Compared(NamedTuple):
    """How a run differs from the record of its seed."""

    same: bool  # all points of the whole curve are the same numbers
    first: int | None  # steps at which the records' points begin to differ
    largest: float  # difference of a return
    final: float  # mean return of the last episodes, minus the record's


def compare(curve: Curve, record: Mapping[str, Any]) -> Compared:
    """Return how a curve differs from that of a record."""
    steps, returns = np.array(record["curve"]["steps"]), np.array(record["curve"]["returns"])
    here = np.interp(steps, curve.x, curve.y)
    apart = np.flatnonzero(here != returns)
    return Compared(
        curve_digest(curve) == record["curve_sha256"],
        int(steps[apart[0]]) if len(apart) else None,
        float(np.abs(here - returns).max()),
        float(here[-1] - returns[-1]),
    )


def facts_that_differ(record: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return what may explain other last bits: code, versions and processor, each of the record and here."""
    then, here = ({**facts, "code": code} for facts, code in (
        (record["platform"], record["code"]), (platform_facts(), code_digest())
    ))  # fmt: skip
    return {name: (then.get(name), here.get(name)) for name in {**then, **here} if then.get(name) != here.get(name)}


def rerun(row: Row, seeds: Sequence[int], logdir: Path) -> int:
    """Train some seeds of a row with the record's settings, and say how they compare; returns the exit code."""
    settings = trained_with(row.records[0])
    swept = sweep(
        env=row.records[0]["env"], alg=row.alg, seeds=list(seeds), logdir=logdir, ranks=row.records[0]["ranks"],
        **settings,
    )  # fmt: skip
    if swept.exit_code:
        return swept.exit_code
    runs = {run.seed: run for run in map(read_run, swept.runs.values())}
    same, recorded = [], {int(record["seed"]): record for record in row.records}
    for seed in seeds:
        print(f"{row.name}, seed {seed}: {in_words(curve_of(runs[seed]), recorded[seed])}")
        same.append(curve_digest(curve_of(runs[seed])) == recorded[seed]["curve_sha256"])
    here, then = float(np.mean([final_score(runs[seed]) for seed in seeds])), row.returns()
    low, high = row.prediction(len(seeds))
    expected = bool(low <= here <= high)
    print(
        f"mean return of {counted(len(seeds), 'seed')}: {figure(here)}, {'inside' if expected else 'outside'} of "
        f"[{figure(low)}, {figure(high)}], where the record lets one expect 95 % of such means"
    )
    of_record = f"{figure(float(np.mean(then)))}, from {figure(min(then))} to {figure(max(then))}"
    print(f"mean return of the record's {counted(len(then), 'seed')}: {of_record}")
    return 0 if all(same) or expected else OTHER


def in_words(curve: Curve, record: Mapping[str, Any]) -> str:
    """Return how a curve compares with that of a record, and what may be the reason."""
    found, facts = compare(curve, record), facts_that_differ(record)
    if found.same:
        return f"the same numbers, all {len(curve.x):,} points of the curve"
    why = ", ".join(f"{name} {here} instead of {then}" for name, (then, here) in sorted(facts.items()))
    begins = "" if found.first is None else f"from {found.first:,} steps on, "
    return (
        f"other numbers, {begins}by {figure(found.largest)} at most and {figure(found.final)} at the end; "
        f"{f'here is {why}' if why else 'on the same platform and code, so this is a fault'}"
    )


def trained_with(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a record's run by the names of the flags; what was added since is as it was without it."""
    return flat(to_json(from_json(record["settings"])))


def flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record's settings by the names of the flags, without those that a sweep names itself."""
    own = {name: value for name, value in comparable(settings).items() if not isinstance(value, dict)}
    sections = [value for value in settings.values() if isinstance(value, dict)]
    named = {name: value for section in (own, *sections) for name, value in section.items()}
    return {name: value for name, value in named.items() if name not in ("env", "alg")}


def main(arguments: Sequence[str]) -> int:
    """Train and compare; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rerun", description=__doc__)
    parser.add_argument("row", metavar="ROW", help=f"one of {', '.join(sorted(p.name for p in RECORDS.iterdir()))}")
    parser.add_argument("--seeds", default="0", help="such as 0-4 or 0,2; default: 0")
    parser.add_argument("--logdir", type=Path, help="of the runs; default: runs/rerun/ROW")
    options = parser.parse_args(arguments)
    limit_threads()  # of the processes that are begun, too
    try:
        row = read_row(options.row)
        seeds = seeds_of({"seeds": options.seeds})
        if unknown := sorted({*seeds} - {*row.seeds}):
            raise UsageError(f"{row.name} has no record of seed {unknown[0]}; it has {row.seeds}")
        return rerun(row, seeds, options.logdir or Path("runs") / "rerun" / row.name)
    except Failure as failure:
        sys.stderr.write(f"{failure}\n")
        return failure.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
