"""`doctor`: what is in force on every rank and host, and what to change before a long training."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from baselines_ppo import __version__
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.job import shared_memory
from baselines_ppo.common.job.cores import cores
from baselines_ppo.common.job.launcher import find_mpirun, launched_rank, launched_size, local_ranks
from baselines_ppo.common.job.threads import VARIABLES
from baselines_ppo.common.mpi import Comm, world
from baselines_ppo.state.platform_facts import platform_facts

NEEDED = {"tensorflow": "tensorflow>=2.18", "numpy": "numpy>=1.26", "gymnasium": "gymnasium[mujoco]>=1.1"}
THREADS = (*VARIABLES, "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
SCREEN = ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL")
MIB = shared_memory.MIB
LITTLE_DISK = 1024 * MIB


class Facts(NamedTuple):
    """What one rank sees of its job and its host."""

    host: str
    versions: dict[str, str]  # empty: not installed
    settings: dict[str, str]  # the environment variables above that are set
    pools: str  # threads really used
    cores: frozenset[int]  # this rank may run on
    quota: float  # cores' worth of time; infinite without a limit
    shared: tuple[int, int] | None  # /dev/shm before MPI starts, size and free bytes
    litter: int  # segments of shared memory that nobody uses
    disk: int  # free bytes in the current folder
    mpirun: str  # empty: none
    launched: int = 1  # ranks that the launcher says it started
    size: int = 1  # ranks that MPI sees
    library: str = ""  # of MPI; empty: none loads
    refusal: str = ""  # why MPI cannot be used


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
    name, number = module.get_vendor() if module is not None else ("", ())
    library = f"{name} {'.'.join(map(str, number))}".strip()
    gathered = comm.gather(facts._replace(size=comm.size, library=library, refusal=refusal))
    text, exit_code = report(gathered) if gathered is not None else ("", 0)
    if comm.is_root and launched_rank() == 0:  # ranks that MPI does not join are all root
        print(text)
    return comm.broadcast(exit_code)


def facts_of_this_rank() -> Facts:
    """Return what this rank sees before MPI starts; imports neither TensorFlow nor MPI."""
    shared, pools, mpirun = None, "", ""
    with suppress(UsageError):
        mpirun = find_mpirun()
    with suppress(OSError):
        shared = shutil.disk_usage("/dev/shm").total, shutil.disk_usage("/dev/shm").free
    with suppress(ImportError):  # an old installation
        found = importlib.import_module("threadpoolctl").threadpool_info()
        kernels = [f" ({pool['architecture']} kernels)" if pool.get("architecture") else "" for pool in found]
        pools = ", ".join(
            f"{pool['internal_api']} {pool['num_threads']}{k}" for pool, k in zip(found, kernels, strict=True)
        )
    installed = platform_facts()
    return Facts(
        host=platform.node(),
        versions={name: installed[name] or "" for name in (*NEEDED, "mpi4py", "mujoco")},
        settings={name: os.environ[name] for name in THREADS + shared_memory.WITHOUT + SCREEN if os.environ.get(name)},
        pools=pools,
        cores=cores(),
        quota=core_quota(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")),
        shared=shared,
        litter=len(shared_memory.litter()),
        disk=shutil.disk_usage(".").free,
        mpirun=mpirun,
        launched=launched_size(),
    )


def core_quota(own_groups: Path, root: Path) -> float:
    """Return how many cores' worth of time the control groups (version 2) around this process allow."""
    quota = float("inf")
    with suppress(OSError):
        for group in [line[3:].strip("/") for line in own_groups.read_text().splitlines() if line.startswith("0::")]:
            for folder in (root / group / "here").parents:
                with suppress(OSError, ValueError):  # no limit is written as max
                    allowed, period = map(int, (folder / "cpu.max").read_text().split())
                    quota = min(quota, allowed / period)
    return quota


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
        shared = f"/dev/shm {_amount(total)}, {_amount(free)} free" if there[0].shared else "no /dev/shm"
        limit = " by a quota" if _cores(there) in [facts.quota for facts in there] else ""
        cores = _count(_cores(there), "usable core") + limit
        rows.append((f"host {host}", f"{_count(len(there), 'rank')}, {cores}, {shared}"))
    rows.append(("current folder", f"{_amount(first.disk)} free"))
    screen = ", ".join(f"{name}={first.settings[name]}" for name in SCREEN if name in first.settings)
    return [*rows, ("display, OpenGL", screen or "none set; only play and rendering need them")]


def failures(ranks: Sequence[Facts]) -> list[str]:
    """Return what would make training fail."""
    first, found = ranks[0], list[str]()
    if 1 < first.launched != first.size:
        cure = first.refusal or "use the mpirun next to this Python"
        found.append(f"mpirun started {_count(first.launched, 'rank')}, MPI sees {first.size}: {cure}")
    for host, there in by_host(ranks).items():
        missing = [name for name in NEEDED if not there[0].versions[name]]
        cure = " ".join(f"'{NEEDED[name]}'" for name in missing)
        found += [f"{host}: not installed: {' '.join(missing)}; pip install {cure}"] if missing else []
    for name, value in sorted({item for facts in ranks for item in facts.settings.items()}):
        if name in THREADS and name.startswith("TF") and not value.isdecimal():
            found.append(f"{name} is {value!r}, expected a whole number; set {name}=1")
    return found


def advice(ranks: Sequence[Facts]) -> list[str]:
    """Return what would make training slower or less safe than it need be."""
    first, found = ranks[0], list[str]()
    if first.launched == 1 and not (first.library and first.mpirun):
        missing = "mpirun is found" if first.library else "MPI library loads"
        found.append(f"no {missing} for this Python, so training has one rank; pip install 'mpich>=4.2'")
    for there in by_host(ranks).values():
        found += oversubscription_advice(there)
        found += shared_memory_advice(there) if first.library.startswith("MPICH") else []
    if first.litter:
        left = f"{_count(first.litter, 'segment')} of /dev/shm that killed ranks have left"
        found.append(
            f"{first.host}: {left}; run `launch`, which removes them, or delete mpich_shm_* and ucx_shm_* there"
        )
    if first.disk < LITTLE_DISK:
        found.append(f"{first.host}: {_amount(first.disk)} free in the current folder; --logdir on a disk with more")
    return found


def oversubscription_advice(there: Sequence[Facts]) -> list[str]:
    """Return a warning if the ranks of one host have more threads than usable cores."""
    threads, cores = sum(max(_threads(facts, name) for name in THREADS) for facts in there), max(1, _cores(there))
    if threads <= cores:
        return []
    many = " ".join(f"{name}=1" for name in THREADS if any(_threads(facts, name) > 1 for facts in there))
    fewer = f"start at most {_count(int(cores), 'rank')} there" if len(there) > cores else ""
    cure = " and ".join(filter(None, [many and f"set {many}", fewer]))
    ours = f"{_count(len(there), 'rank')} with {_count(threads, 'thread')} in all"
    return [f"{there[0].host}: {ours} on {_count(cores, 'usable core')}; {cure}"]


def shared_memory_advice(there: Sequence[Facts]) -> list[str]:
    """Return a warning if the ranks of one host have less of /dev/shm than MPICH may need to start."""
    needed = shared_memory.needed(len(there))
    free = max((facts.shared[1] for facts in there if facts.shared is not None), default=needed)  # the first to look
    if free >= needed or any(name in facts.settings for facts in there for name in shared_memory.WITHOUT):
        return []
    need = f"MPICH may crash below {_amount(needed)} with {_count(len(there), 'rank')}"
    return [f"{there[0].host}: /dev/shm has {_amount(free)} free, {need}; {shared_memory.cure(len(there))}"]


def by_host(ranks: Sequence[Facts]) -> dict[str, list[Facts]]:
    """Return the facts of each host's ranks, in rank order."""
    return {host: [facts for facts in ranks if facts.host == host] for host in dict.fromkeys(f.host for f in ranks)}


def _cores(there: Sequence[Facts]) -> float:
    """Return the cores that the ranks of one host may use together; 1.5 where a quota says so."""
    return min(len(frozenset[int]().union(*(facts.cores for facts in there))), *(facts.quota for facts in there))


def _threads(facts: Facts, name: str) -> int:
    """Return how many threads a variable allows; unset or 0 means as many as cores."""
    value = (facts.settings.get(name) or facts.settings.get("OMP_NUM_THREADS", "")).split(",")[0]
    return (int(value) if value.isdecimal() else 0) or len(facts.cores)


def _count(number: float, thing: str) -> str:
    return f"{number:g} {thing}" + ("" if number == 1 else "s")


def _on_ranks(values: Sequence[str]) -> str:
    """Return the value of all ranks, or each with the number of its ranks."""
    counts = Counter(values).items()
    return values[0] if len(counts) == 1 else ", ".join(f"{value} on {_count(n, 'rank')}" for value, n in counts)


def _amount(size: float) -> str:
    return f"{size / MIB:.0f} MiB" if size < 1024 * MIB else f"{size / 1024 / MIB:.1f} GiB"
