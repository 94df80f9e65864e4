"""What is kept and shown of a run: a CSV row per iteration, the screen, and the trackers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from baselines_ppo.common.files.columns import group_of
from baselines_ppo.common.files.run_folder import RunFolder
from baselines_ppo.common.screen.contract import Figures, Screen
from baselines_ppo.common.screen.pace import Pace
from baselines_ppo.common.trackers.choice import Trackers


class Logger:
    """Writes rows of global, raw figures; used by rank 0 alone."""

    def __init__(self, folder: RunFolder, num_timesteps: int, screen: Screen, trackers: Trackers) -> None:
        self._folder, self._num_timesteps = folder, num_timesteps
        self._screen, self._trackers, self._pace = screen, trackers, Pace()
        self._evaluated: dict[str, Any] = {}  # the last figures of an evaluation, which few rows have

    def write(self, row: Mapping[str, Any], last: bool) -> None:
        """Write one iteration's row, which has total_steps among others."""
        self._folder.write_progress({name: _plain(value) for name, value in row.items()})
        steps = row["total_steps"]
        evaluated = {name: value for name, value in row.items() if group_of(name) == "eval" and value is not None}
        self._evaluated |= evaluated
        self._trackers.row(row, steps, last or bool(evaluated))
        self._pace.mark(monotonic(), steps)
        left = self._pace.left(self._num_timesteps)
        self._screen.show(Figures({**row, **self._evaluated}, self._num_timesteps, self._pace.rate, left), last)

    def film(self, path: Path, step: int) -> None:
        """Give a film of the agent, at so many environment steps, to the trackers."""
        self._trackers.film(path, step)

    def close(self) -> None:
        """Wait for the trackers."""
        self._trackers.close()


def _plain(value: Any) -> Any:
    """Return the value for the CSV: an empty cell for what is not known."""
    return None if isinstance(value, float) and math.isnan(value) else value
