"""Which table is printed, of work that can be shared out."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import NamedTuple

from baselines_ppo.common.envs.make import registration
from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.common.files.whole import checked_file
from baselines_ppo.common.job.launcher import launched_by_mpi
from baselines_ppo.run.bench import record
from baselines_ppo.run.bench.against import against
from baselines_ppo.run.bench.record import Row
from baselines_ppo.run.bench.report import machine, speed_table
from baselines_ppo.run.bench.scaling import SHARED, scaling_tables
from baselines_ppo.run.bench.score_table import TunedPeer, score_table
from baselines_ppo.run.bench.simulation import simulation_table
from baselines_ppo.run.bench.work import NUM_ENVS, Work, preset_work, textbook_work

PAIRS, RUNS = 5, 1  # of runs against a peer; of runs until a score is reached


WORK = ("env", "ranks", "num_envs", "wrapper", "out")
# The flags that have an effect, by the one that says which table is wanted; the first that was typed counts.
EFFECTIVE = {
    "simulate": ("env", "ranks_per_host", "network_latency", "network_bandwidth", "out"),
    "scaling": ("env", "ranks", "out"),
    "score": (*WORK, "seconds", "pairs", "peer_python", "peer_settings"),
    "peer_python": (*WORK, "network", "pairs"),
    "preset": (*WORK, "agent"),
    "": (*WORK, "network"),
}


class Options(NamedTuple):
    """What was typed."""

    env: tuple[str, ...]
    ranks: tuple[int, ...] = (1, 2)
    num_envs: int | None = None
    network: str | None = None
    wrapper: tuple[str, ...] = ()
    preset: bool = False
    agent: str | None = None
    peer_python: str | None = None
    peer_settings: str | None = None
    pairs: int | None = None
    score: tuple[float, ...] = ()
    seconds: float = 3600.0
    scaling: bool = False
    simulate: bool = False
    ranks_per_host: int = 16
    network_latency: float = 30.0
    network_bandwidth: float = 1.25
    out: str | None = None


def bench(options: Options, typed: Collection[str]) -> int:
    """Print one of five tables, and write it into a file if there is one; returns the exit code.

    Args:
      typed: the names of the options that are not as usual.

    Raises:
      UsageError: what was typed does not fit together; before anything is measured.
    """
    check(options, typed)
    path = None if options.out is None else checked_file(options.out, [".json"])
    kind, measure = table_of(options)
    print(machine())
    rows = measure()
    if path is not None:
        record.write(path, kind, rows)
        print(f"wrote {short(path)}")
    return 0


def table_of(options: Options) -> tuple[str, Callable[[], list[Row]]]:
    """Return which kind of table is wanted, and what measures and prints it."""
    most, python = max(options.ranks), options.peer_python
    if options.simulate:
        network = options.ranks_per_host, options.network_latency, options.network_bandwidth
        return "simulation", lambda: simulation_table(options.env, *network)
    if options.scaling:
        return "scaling", lambda: scaling_tables(options.env[0], options.ranks)
    if options.score:
        cases = [(work_of(options, env, most), score) for env, score in zip(options.env, options.score, strict=True)]
        peer = None if python is None else TunedPeer(python, options.peer_settings or "")
        if peer is not None:
            peer.check([work for work, _ in cases])
        return "score", lambda: score_table(cases, most, options.pairs or RUNS, options.seconds, peer)
    if python is not None:
        same = [work_of(options, env, most) for env in options.env]
        return "peer", lambda: [against(work, most, options.pairs or PAIRS, python) for work in same]
    works = [(work_of(options, env, ranks), ranks) for env in options.env for ranks in options.ranks]
    return "parts", lambda: speed_table(works)


def work_of(options: Options, env: str, ranks: int) -> Work:
    """Return what is trained on an environment."""
    if options.preset or options.score:
        return preset_work(env, options.wrapper, options.num_envs, options.agent, ranks)
    num_envs = NUM_ENVS if options.num_envs is None else options.num_envs
    return textbook_work(env, options.network, options.wrapper, num_envs, ranks)


def check(options: Options, typed: Collection[str]) -> None:
    """Check that what was typed fits together, and that all of it has an effect.

    Raises:
      UsageError: it does not.
    """
    if launched_by_mpi():
        raise UsageError("bench starts its own ranks; run it without mpirun")
    table = next(name for name in EFFECTIVE if not name or getattr(options, name))
    for name in typed:
        if getattr(options, name) and name not in (table, *EFFECTIVE[table]):
            here = f" with {flag(table)}" if table else ""
            raise UsageError(f"{flag(name)} has no effect{here}{where_of(name)}")
    if not options.env:
        raise UsageError("--env is none, expected ids such as CartPole-v1")
    if options.scaling and "env" in typed and len(options.env) > 1:
        raise UsageError(f"--scaling is of one environment, and --env is {','.join(options.env)}")
    for env in options.env:
        registration(env)
    if not options.ranks or min(options.ranks) < 1:
        ranks = ",".join(map(str, options.ranks)) or "none"
        raise UsageError(f"--ranks is {ranks}, expected numbers of at least 1")
    if options.scaling and (left := [count for count in options.ranks if SHARED % count]):
        raise UsageError(f"--ranks has {left[0]}, and --scaling shares {SHARED} environments; give 1, 2, 4, 8 or 16")
    if options.ranks_per_host < 1 or not options.network_latency >= 0.0 or not options.network_bandwidth > 0.0:
        raise UsageError("expected at least 1 for --ranks-per-host, a --network-latency and a --network-bandwidth > 0")
    if options.pairs is not None and options.pairs < 1:
        raise UsageError(f"--pairs is {options.pairs}, expected at least 1")
    if (options.score or options.peer_python is not None) and "ranks" in typed and len(options.ranks) > 1:
        raise UsageError(f"--ranks is {','.join(map(str, options.ranks))}, expected one number with {flag(table)}")
    if options.score and len(options.score) != len(options.env):
        raise UsageError(
            f"--score has {len(options.score)} numbers for {len(options.env)} environments; give one for each"
        )
    if not all(map(math.isfinite, options.score)):
        raise UsageError(f"--score is {','.join(map(str, options.score))}, expected finite numbers")
    if not 0 < options.seconds < math.inf:
        raise UsageError(f"--seconds is {options.seconds:g}, expected more than 0, and finite")
    if options.score and options.peer_python is not None and options.peer_settings is None:
        raise UsageError("--score needs --peer-settings for the peer, such as benchmarks/rl_zoo3.toml")
    if options.peer_settings is not None and options.peer_python is None:
        raise UsageError("--peer-settings has no effect without --peer-python")


def flag(name: str) -> str:
    """Return an option as it is typed."""
    return "--" + name.replace("_", "-")


def where_of(name: str) -> str:
    """Return in words with which tables an option has an effect; '' where it names a table itself."""
    tables = [flag(table) for table, effective in EFFECTIVE.items() if table and name in effective]
    return f"; it is for {' and '.join(tables)}" if tables else ""
