"""`doctor`: what is in force on every rank and host, and what to change before a long training."""

from __future__ import annotations

import os
import platform
import sys
from collections import Counter
from collections.abc import Sequence

from baselines_ppo import __version__
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.job.launcher import launched_rank, library_of, local_ranks
from baselines_ppo.common.mpi import Comm, world
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.run.advice import advice, amount, shared_memory_advice, usable
from baselines_ppo.run.rank_facts import NEEDED, SCREEN, THREADS, Facts, by_host, facts_of_this_rank


def doctor() -> int:
    """Print on rank 0 what is in force and what to change; returns the exit code, the same on all ranks."""
    facts, comm, refusal = facts_of_this_rank(), Comm(), ""
    if os.environ.get("MPI_LOCALRANKID", "0") == "0" and "OMPI_COMM_WORLD_RANK" not in os.environ:
        for line in shared_memory_advice([facts] * local_ranks()):
            print(f"before MPI starts, which may crash: {line}", file=sys.stderr, flush=True)
    try:
        comm = world()
    except UsageError as failure:
        refusal = str(failure)
    module = sys.modules.get("mpi4py.MPI")  # imported by common/mpi.py, and by nothing else
    library = library_of(module) if module is not None else ""
    gathered = comm.gather(facts._replace(size=comm.size, library=library, refusal=refusal))
    text, exit_code = report(gathered) if gathered is not None else ("", 0)
    if comm.is_root and launched_rank() == 0:  # ranks that MPI does not join are all root
        print(text)
    return comm.broadcast(exit_code)


def report(ranks: Sequence[Facts]) -> tuple[str, int]:
    """Return the table with errors and warnings below it, and the exit code: 1 if training would fail."""
    rows, errors, warnings = table(ranks), failures(ranks), advice(ranks)
    width = max(len(name) for name, _ in rows) + 2
    found = [f"error: {line}" for line in errors] + [f"warning: {line}" for line in warnings]
    lines = [f"{name:<{width}}{value}" for name, value in rows] + (found or ["no warnings"])
    return "\n".join(lines), 1 if errors else 0


def table(ranks: Sequence[Facts]) -> list[tuple[str, str]]:
    """Return rows of a name and what is in force."""
    first = ranks[0]
    rows = [("python", f"{platform.python_version()}, {sys.executable}"), ("baselines_ppo", __version__)]
    rows += [(name, _on_ranks([facts.versions[name] or "not installed" for facts in ranks])) for name in first.versions]
    rows += [("MPI library", first.library or "none that loads"), ("mpirun", first.mpirun or "none found")]
    rows += [("ranks", f"{first.launched} started, MPI sees {first.size}")]
    rows += [(name, _on_ranks([facts.settings.get(name, "not set") for facts in ranks])) for name in THREADS]
    rows += [("threads really used", _on_ranks([facts.pools for facts in ranks]))] if first.pools else []
    for host, there in by_host(ranks).items():
        total, free = there[0].shared or (0, 0)
        shared = f"/dev/shm {amount(total)}, {amount(free)} free" if there[0].shared else "no /dev/shm"
        limit = " by a quota" if usable(there) in [facts.quota for facts in there] else ""
        cores = counted(usable(there), "usable core") + limit
        memory = f"{amount(min(facts.memory for facts in there))} of memory"
        address = there[0].address or "no address by its name"
        rows.append((f"host {host}", f"{counted(len(there), 'rank')}, {cores}, {memory}, {shared}, {address}"))
    rows.append(("current folder", f"{amount(first.disk)} free"))
    screen = ", ".join(f"{name}={first.settings[name]}" for name in SCREEN if name in first.settings)
    return [*rows, ("display, OpenGL", screen or "none set; only play and rendering need them")]


def failures(ranks: Sequence[Facts]) -> list[str]:
    """Return what would make training fail."""
    first, found = ranks[0], list[str]()
    if first.refusal:
        found.append(first.refusal)
    elif 1 < first.launched != first.size:
        started = f"{counted(first.launched, 'rank')} were started, MPI sees {first.size}"
        found.append(f"{started}; use the mpirun next to this Python")
    for host, there in by_host(ranks).items():
        missing = [name for name in NEEDED if not there[0].versions[name]]
        cure = " ".join(f"'{NEEDED[name]}'" for name in missing)
        found += [f"{host}: not installed: {' '.join(missing)}; pip install {cure}"] if missing else []
    for name, value in sorted({item for facts in ranks for item in facts.settings.items()}):
        if name in THREADS and name.startswith("TF") and not value.isdecimal():
            found.append(f"{name} is {value!r}, expected a whole number; set {name}=1")
    return found


def _on_ranks(values: Sequence[str]) -> str:
    """Return the value of all ranks, or each with the number of its ranks."""
    counts = Counter(values).items()
    return values[0] if len(counts) == 1 else ", ".join(f"{value} on {counted(n, 'rank')}" for value, n in counts)
