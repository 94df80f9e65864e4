"""Which table is printed, of work that can be shared out."""

from __future__ import annotations

from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.common.files.whole import checked_file
from baselines_ppo.common.job.launcher import launched_by_mpi
from baselines_ppo.run.bench import record
from baselines_ppo.run.bench.report import SHAPE, STEPS, against, machine, speed_table
from baselines_ppo.run.bench.scaling import scaling_tables


def bench(
    env: tuple[str, ...],
    ranks: tuple[int, ...],
    num_envs: int,
    pairs: int,
    peer_python: str | None,
    scaling: bool,
    out: str | None,
) -> int:
    """Print one of three tables, and write it into a file if there is one; returns the exit code."""
    if launched_by_mpi():
        raise UsageError("bench starts its own ranks; run it without mpirun")
    if not env or not ranks or min(ranks) < 1:
        raise UsageError(
            f"--ranks is {','.join(map(str, ranks)) or 'none'}, expected numbers of at least 1, and --env ids"
        )
    if pairs < 1:
        raise UsageError(f"--pairs is {pairs}, expected at least 1")
    for count in ranks:
        if num_envs < 1 or num_envs % count or STEPS % num_envs or STEPS // num_envs % SHAPE["num_minibatches"]:
            raise UsageError(
                f"--num-envs is {num_envs}, expected a multiple of {count} ranks that divides {STEPS // 32}"
            )
    path = None if out is None else checked_file(out, [".json"])
    print(machine())
    if scaling:
        kind, rows = "scaling", scaling_tables(env[0], ranks)
    elif peer_python is not None:
        kind, rows = "peer", [against(name, max(ranks), num_envs, pairs, peer_python) for name in env]
    else:
        kind, rows = "parts", speed_table(env, ranks, num_envs)
    if path is not None:
        record.write(path, kind, rows)
        print(f"wrote {short(path)}")
    return 0
