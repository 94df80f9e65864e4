"""What a user types to get here."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from baselines_ppo.common.files.whole import shown

SCRIPT, MODULE = "baselines-ppo", "baselines_ppo.run"


def called() -> str:
    """Return our command as it was typed: the script, or Python with the module."""
    return SCRIPT if Path(sys.argv[0]).name == SCRIPT else f"python -m {MODULE}"


def command() -> str:
    """Return the same so that it can be pasted, wherever this Python is."""
    name, *module = called().split()
    return " ".join([program(name), *module])


def program(name: str) -> str:
    """Return what to type for a program beside this Python: its name if that finds it, else its path."""
    own, found = Path(sys.executable).with_name(name), shutil.which(name)
    if not own.exists() or found == str(own):
        return name
    return shlex.quote(str(shown(own)))
