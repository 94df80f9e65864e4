"""Which trackers a run has, and all of them as one."""

from __future__ import annotations

import importlib.util
import math
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.common.files.columns import tag
from baselines_ppo.common.trackers.background import Background
from baselines_ppo.common.trackers.contract import Tracker
from baselines_ppo.common.trackers.mlflow import MLflow
from baselines_ppo.common.trackers.names import AUTO, MLFLOW, TENSORBOARD, WANDB
from baselines_ppo.common.trackers.tensorboard import TensorBoard
from baselines_ppo.common.trackers.wandb import WandB

# By tracker, the modules that it imports, and what is to be installed for each.
PACKAGES = {
    TENSORBOARD: {"tensorboard": "tensorboard>=2.18"},
    WANDB: {"wandb": "wandb>=0.25"},
    MLFLOW: {"mlflow": "mlflow-skinny>=3.7", "sqlalchemy": "sqlalchemy>=2.0", "alembic": "alembic>=1.13"},
}
INTERVAL = 1.0  # s, between two rows; trackers take longer to write one than CartPole to learn


def check_installed(track: Sequence[str]) -> None:
    """Check that what a run is to be tracked by is there.

    Raises:
      UsageError: a package is missing.
    """
    for name in track:
        needed = PACKAGES.get(name, {})
        if name == MLFLOW and os.environ.get("MLFLOW_TRACKING_URI", "").startswith(("http:", "https:")):
            needed = {MLFLOW: needed[MLFLOW]}  # the others are for a database of its own
        if missing := [package for module, package in needed.items() if importlib.util.find_spec(module) is None]:
            raise UsageError(f"--track {name} needs a package: pip install {shlex.join(missing)}")


def trackers_of(track: Sequence[str], say: Callable[[str], None]) -> dict[str, Tracker]:
    """Return trackers by their names; for "auto" TensorBoard, where it is installed."""
    names = set(track)
    if AUTO in names and importlib.util.find_spec("tensorboard") is not None:
        names.add(TENSORBOARD)
    made: dict[str, Callable[[], Tracker]] = {
        TENSORBOARD: TensorBoard,  # which only writes a file
        WANDB: lambda: Background(WANDB, WandB(say)),
        MLFLOW: lambda: Background(MLFLOW, MLflow(say)),
    }
    return {name: make() for name, make in made.items() if name in names}


class Trackers:
    """All trackers of a run; one that fails is warned of once and left out from then on."""

    def __init__(self, trackers: Mapping[str, Tracker]) -> None:
        self._trackers = dict(trackers)
        self._kept_at = 0.0

    def begin(self, folder: Path, config: Mapping[str, Any]) -> None:
        """Begin with a run, or go on."""
        self._each(lambda tracker: tracker.begin(folder, config))

    def row(self, row: Mapping[str, Any], step: int, last: bool) -> None:
        """Keep the numbers of a row if it is time to, and always the last ones."""
        now = monotonic()
        if last or now - self._kept_at >= INTERVAL:
            self._kept_at = now
            known = {name: float(x) for name, x in row.items() if isinstance(x, int | float) and not math.isnan(x)}
            tagged = {tag(name): x for name, x in known.items()}
            self._each(lambda tracker: tracker.row(tagged, step))

    def film(self, path: Path, step: int) -> None:
        """Keep a film."""
        self._each(lambda tracker: tracker.film(path, step))

    def close(self) -> None:
        """End all."""
        self._each(lambda tracker: tracker.close())

    def _each(self, call: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                call(tracker)
            except Exception as error:  # whatever a stranger's program raises
                del self._trackers[name]
                reason = short(error) or type(error).__name__
                sys.stderr.write(f"warning: {name}: {reason}; the training goes on without it\n")
