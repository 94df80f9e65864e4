"""MLflow: `MLFLOW_TRACKING_URI` and `MLFLOW_EXPERIMENT_NAME` are as its own documentation says."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from time import time
from typing import Any

from baselines_ppo.common.trackers.configuration import flat, title
from baselines_ppo.common.trackers.identity import keep, kept

EXPERIMENT = "baselines_ppo"  # unless MLFLOW_EXPERIMENT_NAME says another
LONGEST_VALUE = 500  # characters of a parameter; MLflow refuses longer ones in some stores


class MLflow:
    """A run of MLflow; without a tracking server its database is `mlflow.db` in the working folder."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Take what shows a line: where the run can be seen."""
        self._say = say

    def begin(self, folder: Path, config: Mapping[str, Any]) -> None:
        """Begin or go on."""
        os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # it would tell of every step of a new database
        from mlflow import MlflowClient, get_tracking_uri
        from mlflow.entities import Param
        from mlflow.exceptions import MlflowException

        self._client = MlflowClient(get_tracking_uri())
        identity = kept(folder, "mlflow")
        if identity is not None:
            try:
                self._client.update_run(identity, status="RUNNING")
            except MlflowException:  # of another database, or deleted
                identity = None
        if identity is None:
            experiment = self._experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT))
            identity = self._client.create_run(experiment, run_name=title(folder, config)).info.run_id
            keep(folder, "mlflow", identity)
            params = [Param(name, str(value)[:LONGEST_VALUE]) for name, value in flat(config).items()]
            self._client.log_batch(identity, params=params)
        self._identity = identity
        self._say(f"mlflow: run {identity} at {get_tracking_uri()}")

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        return str(self._client.create_experiment(name) if found is None else found.experiment_id)

    def row(self, row: Mapping[str, float], step: int) -> None:
        """Log the figures."""
        from mlflow.entities import Metric

        now = int(time() * 1000)
        self._client.log_batch(self._identity, metrics=[Metric(name, x, now, step) for name, x in row.items()])

    def film(self, path: Path, step: int) -> None:
        """Log the film as an artifact."""
        self._client.log_artifact(self._identity, str(path), f"films/{step}")

    def close(self) -> None:
        """Say that the run is over."""
        self._client.set_terminated(self._identity)
