"""The versions and settings that the last bit of a result may depend on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from baselines_ppo.common.job.threads import RESULT_VARIABLES

PROCESSOR = ("cpu", "blas")  # what may differ from machine to machine of one installation
PACKAGES = ("numpy", "tensorflow", "mpi4py", "mpich", "gymnasium", "mujoco")


def platform_facts() -> dict[str, str | None]:
    """Return the versions and settings that the last bit of a result may depend on; None for what is not there."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    models = [line for line in _read("/proc/cpuinfo").splitlines() if line.startswith("model name")]
    found["cpu"] = models[0].split(":")[1].strip() if models else platform.machine()
    found["blas"] = _kernels()
    return {**found, **{name: os.environ.get(name) for name in RESULT_VARIABLES}}


def _kernels() -> str | None:
    """Return the kernels of numpy's matrix products, such as SkylakeX; processors of one name may have others."""
    import numpy  # noqa: F401  # loads them
    from threadpoolctl import threadpool_info

    found = [library for library in threadpool_info() if library["user_api"] == "blas"]
    own = [library for library in found if "numpy" in library["filepath"]] or found
    return own[0].get("architecture") or own[0]["internal_api"] if own else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
