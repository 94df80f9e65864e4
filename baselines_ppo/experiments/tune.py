"""`tune`: looks for settings with which an algorithm learns more, by training with many."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from baselines_ppo.common.failures import UsageError
from baselines_ppo.experiments.tuning.settings import Tuned, search_of
from baselines_ppo.settings.config import TrainConfig
from baselines_ppo.settings.search_spaces import Dimension

NEEDED = ("optuna", "cmaes")


def tune(
    config: TrainConfig,
    *,
    space: Iterable[Dimension] = (),
    fixed: Iterable[str] = (),
    logdir: str | Path | None = None,
    **search: Any,
) -> Tuned:
    """Search for better settings than those of a configuration, or go on with a search that was interrupted.

    Each trial trains one setting with several seeds. Its score is the mean over the seeds of the mean raw return of the
    last 100 episodes of training. The first trial is the configuration's own setting.

    Args:
      config: from `configure`; its seed and the next ones are trained with.
      space: takes the place of the algorithm's own dimensions of these fields, or is added to them.
      fixed: names of fields that are not to be tried.
      logdir: the study's folder; by default `runs/<env>/<study>`.
      search: fields of `Search`, such as trials=60.

    Raises:
      UsageError: a value is wrong, the environment cannot be made, the configuration itself cannot be trained, or the
        folder holds another study.
      LoadError: the storage cannot be used.
      WriteError: a file cannot be written.
    """
    how = search_of(search)
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise UsageError(f"tune needs {' and '.join(missing)}; pip install 'optuna>=5.0' 'cmaes>=0.12'")
    from baselines_ppo.experiments.tuning.search import run_search  # which needs them

    return run_search(config, tuple(space), tuple(fixed), logdir, how)
