"""Which table is printed, of work that can be shared out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.common.files.whole import checked_file
from baselines_ppo.common.job.launcher import launched_by_mpi
from baselines_ppo.run.bench import record
from baselines_ppo.run.bench.against import against
from baselines_ppo.run.bench.record import Row
from baselines_ppo.run.bench.report import machine, speed_table
from baselines_ppo.run.bench.scaling import scaling_tables
from baselines_ppo.run.bench.score_table import TunedPeer, score_table
from baselines_ppo.run.bench.simulation import simulation_table
from baselines_ppo.run.bench.work import NUM_ENVS, Work, preset_work, textbook_work

PAIRS, RUNS = 5, 1  # of runs against a peer; of runs until a score is reached


class Options(NamedTuple):
    """What was typed."""

    env: tuple[str, ...]
    ranks: tuple[int, ...]
    num_envs: int | None
    network: str | None
    wrapper: tuple[str, ...]
    preset: bool
    agent: str | None
    peer_python: str | None
    peer_settings: str | None
    pairs: int | None
    score: tuple[float, ...]
    seconds: float
    scaling: bool
    simulate: bool
    ranks_per_host: int
    network_latency: float
    network_bandwidth: float
    out: str | None


def bench(options: Options) -> int:
    """Print one of five tables, and write it into a file if there is one; returns the exit code.

    Raises:
      UsageError: what was typed does not fit together; before anything is measured.
    """
    check(options)
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


def check(options: Options) -> None:
    """Check that what was typed fits together.

    Raises:
      UsageError: it does not.
    """
    if launched_by_mpi():
        raise UsageError("bench starts its own ranks; run it without mpirun")
    if not options.env or not options.ranks or min(options.ranks) < 1:
        ranks = ",".join(map(str, options.ranks)) or "none"
        raise UsageError(f"--ranks is {ranks}, expected numbers of at least 1, and --env ids")
    if options.ranks_per_host < 1 or not options.network_latency >= 0.0 or not options.network_bandwidth > 0.0:
        raise UsageError("expected at least 1 for --ranks-per-host, a --network-latency and a --network-bandwidth > 0")
    if options.pairs is not None and options.pairs < 1:
        raise UsageError(f"--pairs is {options.pairs}, expected at least 1")
    own = options.preset or bool(options.score)
    if options.agent is not None and (options.score or not options.preset):
        raise UsageError("--agent is for --preset, without --score")
    if options.network is not None and own:
        raise UsageError("--network is the textbook work's; a preset has its own")
    if options.peer_python is not None and options.preset:
        raise UsageError("--preset is not for the peer, which could not do the same work")
    if options.score and len(options.score) != len(options.env):
        raise UsageError(
            f"--score has {len(options.score)} numbers for {len(options.env)} environments; give one for each"
        )
    if not options.seconds > 0:
        raise UsageError(f"--seconds is {options.seconds:g}, expected more than 0")
    if options.score and options.peer_python is not None and options.peer_settings is None:
        raise UsageError("--score needs --peer-settings for the peer, such as benchmarks/rl_zoo3.toml")
