"""`doctor`: what is in force on every rank and host, and what to change before a long training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baselines_ppo.run.parser import Parser

HELP = "what is in force here, and what is wrong with it"
USAGE = ""


def add_options(result: Parser, arguments: Sequence[str]) -> None:
    """Add no flags: there is nothing to choose."""


def run(options: dict[str, Any]) -> int:
    """Print a table and advice; returns the exit code."""
    from baselines_ppo.run.diagnosis import doctor

    return doctor()
