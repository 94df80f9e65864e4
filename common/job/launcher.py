"""What an MPI launcher tells its processes through the environment, before MPI itself is started."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from baselines_ppo.common.failures import FINISHED, STUCK, UsageError, short
from baselines_ppo.common.job.parent import killed_with_parent
from baselines_ppo.common.job.shared_memory import shortage

RANK_VARIABLES = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK")
STEP_RANK, STEP_SIZE = "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"  # of srun, whether it speaks to MPI or not
PMIX = "PMIX_NAMESPACE"  # set by all launchers that speak PMIx
CRASHES = {number + base for number in (signal.SIGABRT, signal.SIGBUS, signal.SIGSEGV) for base in (0, 128)}
LIKE_THIS = "import json, os, sys; os.chdir(sys.argv[1]); sys.path[:] = json.loads(sys.argv[2]); del sys.argv[1:3]; "
LOST = 255  # mpirun's exit code when its process manager on a host is gone, or it has hurried to its end
LOCAL_RANKS = "MPI_LOCALNRANKS"
NAMED_LIBRARY = "MPI4PY_LIBMPI"  # the MPI that mpi4py is to load
SIZE_VARIABLES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", STEP_SIZE)
UNDERSTOOD = {"MPICH": "pmi2", "Open MPI": "pmix"}  # what srun is to speak, as --mpi


def launched_by_mpi() -> bool:
    """Return whether an MPI launcher started this process."""
    return any(_number(name) is not None for name in RANK_VARIABLES) or launched_size() > 1


@contextmanager
def ending_with_launcher() -> Iterator[None]:
    """Start MPI inside of this: a rank whose launcher is killed meanwhile would wait there for the others for ever.

    Only where the launcher is MPICH's, whose process manager is the parent and has one thread.
    """
    with killed_with_parent() if "PMI_FD" in os.environ else nullcontext():
        yield


def launched_rank() -> int:
    """Return this process's rank; 0 without a launcher."""
    names = (*RANK_VARIABLES, STEP_RANK) if launched_size() > 1 else RANK_VARIABLES  # every batch script is a process 0
    return next((number for number in map(_number, names) if number is not None), 0)


def launched_size() -> int:
    """Return the number of ranks that were started; 1 without a launcher."""
    return next((number for number in map(_number, SIZE_VARIABLES) if number is not None), 1)


def local_ranks() -> int:
    """Return how many ranks MPICH's mpirun has started on this host; 1 without it."""
    return _number(LOCAL_RANKS) or 1


def _number(variable: str) -> int | None:
    """Return what a launcher has set; None where it has set nothing, or `check_launch` refuses it."""
    value = os.environ.get(variable, "")
    return int(value) if value.isdecimal() else None


def prepare_launch() -> None:
    """Check what the launcher says, and let MPI see that one alone.

    Raises:
      UsageError: see `check_launch`.
    """
    check_launch()
    forget_outer_launcher()
    warnings.filterwarnings("ignore", "suspicious MPI", RuntimeWarning)  # of mpi4py, on every rank; see `unseen`


def check_launch() -> None:
    """Refuse, before MPI starts, what would make it crash without a word.

    Raises:
      UsageError: says what to do instead.
    """
    for variable in (*RANK_VARIABLES, *SIZE_VARIABLES, LOCAL_RANKS):
        value = os.environ.get(variable)
        if value and not value.isdecimal():
            raise UsageError(f"the environment variable {variable} is {short(value)}, expected a number; unset it")
    if os.environ.get("MPIR_CVAR_ENABLE_FT", "0") not in ("", "0"):
        raise UsageError("MPIR_CVAR_ENABLE_FT is set, with which MPICH does not start; unset it")
    lacking = shortage(local_ranks()) if local_ranks() > 1 else None
    if lacking is not None:
        raise UsageError(lacking)


def forget_outer_launcher() -> None:
    """Let MPI see its own launcher alone: MPICH aborts where mpirun was itself started by a launcher that speaks PMIx.

    Slurm does so where its default is PMIx: mpirun starts its own processes with srun, whose variables ranks inherit.
    """
    if LOCAL_RANKS in os.environ:
        for name in [name for name in os.environ if name.startswith("PMIX_")]:
            del os.environ[name]


def understood(library: str, extension: str) -> None:
    """Refuse, before MPI starts, a launcher that speaks PMIx to an MPICH that was built without it, and would abort.

    Args:
      library: name and version of the MPI that is loaded.
      extension: the file of mpi4py that has loaded it.

    Raises:
      UsageError: says what to do instead.
    """
    if PMIX in os.environ and library.startswith("MPICH") and not hasattr(ctypes.CDLL(extension), "PMIx_Init"):
        raise UsageError(unseen(library))


def library_of(module: Any) -> str:
    """Return name and version of the MPI that mpi4py's module has loaded, such as MPICH 5.0.2."""
    name, number = module.get_vendor()
    return f"{name} {'.'.join(map(str, number))}"


def unseen(library: str) -> str:
    """Return in words why an MPI does not see the ranks that a launcher has started, and what to do."""
    started = f"{launched_size()} ranks" if launched_size() > 1 else "this rank"
    own = Path(sys.executable).with_name("mpirun")
    cure = "the mpirun next to this Python" if own.exists() else "that MPI's own mpirun"
    if _launcher() == "srun" and (spoken := UNDERSTOOD.get(library.rpartition(" ")[0])):
        cure = f"srun --mpi={spoken}, or {cure}"
    return f"{_launcher()} started {started}, which {library} of this Python does not understand; use {cure}"


def unloaded(error: Exception) -> str:
    """Return in words that no MPI loads for the ranks that a launcher has started, and what to do."""
    cure = loading_cure(os.environ.get(NAMED_LIBRARY, ""))
    return f"{_launcher()} started {launched_size()} ranks, but mpi4py does not load ({short(error)}); {cure}"


def loading_cure(named: str) -> str:
    """Return what to do where no MPI loads, and a user has named one, or none."""
    return f"{NAMED_LIBRARY} is {short(named)}: unset it, or name another" if named else "pip install 'mpich>=4.2'"


def _launcher() -> str:
    """Return what has started this rank, in words."""
    if LOCAL_RANKS in os.environ:
        return "MPICH's mpirun"
    if "OMPI_COMM_WORLD_RANK" in os.environ:
        return "Open MPI's mpirun"
    return "srun" if STEP_SIZE in os.environ else "a launcher"


def why(code: int) -> str:
    """Return in words why mpirun has ended with a code, or minus the signal that killed it."""
    if code < 0:
        return f"mpirun was killed ({signal.Signals(-code).name})"
    if code in (signal.SIGKILL, 128 + signal.SIGKILL):
        return f"a rank was killed (exit code {code}); the kernel does that when memory runs out"
    if code in CRASHES:
        return f"a rank crashed (exit code {code}); its stack is above or in the run folder's ranks/"
    if code == FINISHED:
        return f"a rank left before all steps were made (exit code {code})"
    if code == STUCK:
        return f"a rank was stuck (exit code {code})"
    if code == LOST:
        return f"mpirun lost its ranks (exit code {code})"
    return f"ended with exit code {code}"


def environment_of_one() -> dict[str, str]:
    """Return the environment for a process that a rank starts and that is no rank."""
    launchers = ("PMI", "PMIX", "OMPI", "HYDRA", "MPI_LOCAL", STEP_RANK, STEP_SIZE)
    return {name: value for name, value in os.environ.items() if not name.startswith(launchers)}


def python_like_this(code: str, folder: Path) -> list[str]:
    """Return the command line of a Python that imports what this one does, and runs code in a folder.

    Its own arguments come behind.
    """
    path = json.dumps([str(folder / entry) for entry in sys.path])
    return [sys.executable, "-c", LIKE_THIS + code, str(folder), path]


def find_mpirun() -> str:
    """Return the mpirun next to this Python, or else the first on the path.

    Raises:
      UsageError: there is none.
    """
    own = Path(sys.executable).with_name("mpirun")
    found = str(own) if own.exists() else shutil.which("mpirun")
    if found is None:
        raise UsageError("no mpirun found; pip install 'mpich>=4.2', or train on one rank")
    return found
