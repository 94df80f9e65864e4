"""What would make a training slower or less safe than it need be, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from baselines_ppo.common.job import shared_memory
from baselines_ppo.common.job.launcher import NAMED_LIBRARY, loading_cure
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.run.rank_facts import THREADS, Facts, by_host

MIB = shared_memory.MIB
LITTLE_DISK = 1024 * MIB
RANK_MEMORY = 350 * MIB  # measured: at its start a rank on CartPole takes 335, and is killed where there are 280


def advice(ranks: Sequence[Facts]) -> list[str]:
    """Return what would make training slower or less safe than it need be."""
    first, found = ranks[0], list[str]()
    if first.launched == 1 and not (first.library and first.mpirun):
        missing = "mpirun is found" if first.library else "MPI library loads"
        cure = loading_cure("" if first.library else first.settings.get(NAMED_LIBRARY, ""))
        found.append(f"no {missing} for this Python, so training has one rank; {cure}")
    found += mpirun_advice(first)
    for there in by_host(ranks).values():
        found += oversubscription_advice(there) + memory_advice(there)
        found += shared_memory_advice(there) if first.library.startswith("MPICH") else []
        found += left_and_free_advice(there[0])
    return found


def left_and_free_advice(facts: Facts) -> list[str]:
    """Return warnings of what killed ranks have left on a host, and of too little disk there."""
    found = list[str]()
    if facts.litter:
        left = f"{counted(facts.litter, 'segment')} of /dev/shm that killed ranks have left"
        cure = "run `launch`, which removes them, or delete mpich_shm_* and ucx_shm_* there"
        found.append(f"{facts.host}: {left}; {cure}")
    if facts.disk < LITTLE_DISK:
        found.append(f"{facts.host}: {amount(facts.disk)} free in the current folder; --logdir on a disk with more")
    return found


def mpirun_advice(facts: Facts) -> list[str]:
    """Return a warning if the mpirun that is found is not of the MPI that mpi4py loads: ranks would be strangers."""
    library = facts.library.rpartition(" ")[0]
    if facts.launched > 1 or not (library and facts.family) or facts.family == library:
        return []
    if {facts.family, library} == {"MPICH", "Intel MPI"}:  # which share one ABI and one protocol of launching
        return []
    ours = f"mpi4py loads {facts.library}, {facts.mpirun} is of {facts.family}"
    return [f"{ours}: its ranks would not see each other; start ranks with the mpirun of {library}"]


def memory_advice(there: Sequence[Facts]) -> list[str]:
    """Return a warning if the ranks of one host have less memory than they take at their start."""
    memory, needed = min(facts.memory for facts in there), RANK_MEMORY * len(there)
    if memory >= needed:
        return []
    ours = f"{counted(len(there), 'rank')} need {amount(needed)} of memory, {amount(memory)} are allowed"
    fewer = int(memory // RANK_MEMORY)
    cure = f"start at most {counted(fewer, 'rank')} there, or allow more" if fewer else "allow more"
    return [f"{there[0].host}: {ours}, so that one may be killed; {cure}"]


def oversubscription_advice(there: Sequence[Facts]) -> list[str]:
    """Return a warning if the ranks of one host have more threads than usable cores."""
    threads, cores = sum(max(threads_of(facts, name) for name in THREADS) for facts in there), max(1, usable(there))
    if threads <= cores:
        return []
    many = " ".join(f"{name}=1" for name in THREADS if any(threads_of(facts, name) > 1 for facts in there))
    fewer = f"start at most {counted(int(cores), 'rank')} there" if len(there) > cores else ""
    cure = " and ".join(filter(None, [many and f"set {many}", fewer]))
    ours = f"{counted(len(there), 'rank')} with {counted(threads, 'thread')} in all"
    return [f"{there[0].host}: {ours} on {counted(cores, 'usable core')}; {cure}"]


def shared_memory_advice(there: Sequence[Facts]) -> list[str]:
    """Return a warning if the ranks of one host have less of /dev/shm than MPICH may need to start."""
    needed = shared_memory.needed(len(there))
    free = max((facts.shared[1] for facts in there if facts.shared is not None), default=needed)  # the first to look
    if free >= needed or any(name in facts.settings for facts in there for name in shared_memory.WITHOUT):
        return []
    need = f"MPICH may crash below {amount(needed)} with {counted(len(there), 'rank')}"
    return [f"{there[0].host}: /dev/shm has {amount(free)} free, {need}; {shared_memory.cure(len(there))}"]


def usable(there: Sequence[Facts]) -> float:
    """Return the cores that the ranks of one host may use together; 1.5 where a quota says so."""
    return min(len(frozenset[int]().union(*(facts.cores for facts in there))), *(facts.quota for facts in there))


def threads_of(facts: Facts, name: str) -> int:
    """Return how many threads a variable allows; unset or 0 means as many as cores."""
    value = (facts.settings.get(name) or facts.settings.get("OMP_NUM_THREADS", "")).split(",")[0]
    return (int(value) if value.isdecimal() else 0) or len(facts.cores)


def amount(size: float) -> str:
    return f"{size / MIB:.0f} MiB" if size < 1024 * MIB else f"{size / 1024 / MIB:.1f} GiB"
