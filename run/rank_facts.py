"""What one rank sees of its job and its host, before it is judged."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.job import shared_memory
from baselines_ppo.common.job.control_groups import limits
from baselines_ppo.common.job.cores import cores
from baselines_ppo.common.job.launcher import NAMED_LIBRARY, find_mpirun, launched_size
from baselines_ppo.common.job.threads import VARIABLES
from baselines_ppo.state.platform_facts import platform_facts

NEEDED = {"tensorflow": "tensorflow>=2.18", "numpy": "numpy>=1.26", "gymnasium": "gymnasium[mujoco]>=1.1"}
THREADS = (*VARIABLES, "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
SCREEN = ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL")
SETTINGS = (*THREADS, *shared_memory.WITHOUT, *SCREEN, NAMED_LIBRARY)
FAMILIES = {"HYDRA": "MPICH", "Open MPI": "Open MPI", "OpenRTE": "Open MPI", "Intel(R) MPI": "Intel MPI"}


class Facts(NamedTuple):
    """What one rank sees of its job and its host."""

    host: str
    versions: dict[str, str]  # empty: not installed
    settings: dict[str, str]  # the environment variables above that are set
    pools: str  # threads really used
    cores: frozenset[int]  # this rank may run on
    address: str  # IP address of the host's name, by which other hosts reach mpirun here; empty: it has none
    quota: float  # cores' worth of time; infinite without a limit
    memory: float  # bytes, of the host or of a control group if that has less
    shared: tuple[int, int] | None  # /dev/shm before MPI starts, size and free bytes
    litter: int  # segments of shared memory that nobody uses
    disk: int  # free bytes in the current folder
    mpirun: str  # path of the one that a shell finds, or else of the one beside this Python; empty: none
    family: str  # the MPI that this mpirun belongs to, by the same names as `library`; empty: not known
    launched: int = 1  # ranks that the launcher says it started
    size: int = 1  # ranks that MPI sees
    library: str = ""  # of MPI; empty: none loads
    refusal: str = ""  # why MPI cannot be used


def facts_of_this_rank() -> Facts:
    """Return what this rank sees before MPI starts; imports neither TensorFlow nor MPI."""
    shared, pools, mpirun = None, "", ""
    with suppress(UsageError):
        mpirun = shutil.which("mpirun") or find_mpirun()
    with suppress(OSError):
        shared = shutil.disk_usage("/dev/shm").total, shutil.disk_usage("/dev/shm").free
    with suppress(ImportError):  # an old installation
        found = importlib.import_module("threadpoolctl").threadpool_info()
        kernels = [f" ({pool['architecture']} kernels)" if pool.get("architecture") else "" for pool in found]
        pools = ", ".join(
            f"{pool['internal_api']} {pool['num_threads']}{k}" for pool, k in zip(found, kernels, strict=True)
        )
    installed, allowed = platform_facts(), limits()
    return Facts(
        host=platform.node(),
        versions={name: installed[name] or "" for name in (*NEEDED, "mpi4py", "mujoco")},
        settings={name: os.environ[name] for name in SETTINGS if os.environ.get(name)},
        pools=pools,
        address=address_of(platform.node()),
        cores=cores(),
        quota=allowed.cores,
        memory=min(allowed.memory, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")),
        shared=shared,
        litter=len(shared_memory.litter()),
        disk=shutil.disk_usage(".").free,
        mpirun=mpirun,
        family=family_of(mpirun) if mpirun else "",
        launched=launched_size(),
    )


def address_of(host: str) -> str:
    """Return the network address that a host's name leads to; empty: there is none."""
    with suppress(OSError, UnicodeError):
        return socket.gethostbyname(host)
    return ""


def family_of(mpirun: str) -> str:
    """Return which MPI an mpirun belongs to, by what it says of its version; empty: it is none that is known."""
    with suppress(OSError, subprocess.TimeoutExpired):
        line = [mpirun, "--version"]
        said = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10).stdout
        return next((family for sign, family in reversed(FAMILIES.items()) if sign in said), "")
    return ""


def by_host(ranks: Sequence[Facts]) -> dict[str, list[Facts]]:
    """Return the facts of each host's ranks, in rank order."""
    return {host: [facts for facts in ranks if facts.host == host] for host in dict.fromkeys(f.host for f in ranks)}
