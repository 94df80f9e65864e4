"""How a run ended."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Result(NamedTuple):
    """How a run ended."""

    folder: Path  # holds its checkpoints; `load` takes it
    total_steps: int  # over all ranks
    mean_return: float | None  # raw, of the last episodes; None before any has finished
    exit_code: int  # 0: all steps made; 75 or 130: stopped by a signal, resumable
    episodes: int = 0  # that the mean is over, 100 at most
