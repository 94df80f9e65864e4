"""The packages that intervals and figures are made with, which not every machine that trains has."""

from __future__ import annotations

import importlib.util

from baselines_ppo.common.failures import UsageError

PACKAGES = ("matplotlib", "scipy")


def check_installed() -> None:
    """Check that they are here, before anything is begun whose end needs them.

    Raises:
      UsageError: one of them is not.
    """
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise UsageError(f"{package} is not installed; pip install 'matplotlib>=3.7' 'scipy>=1.11'")
