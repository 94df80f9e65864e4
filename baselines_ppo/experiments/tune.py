"""`tune`: looks for settings with which an algorithm learns more, by training with many."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from baselines_ppo.common.failures import UsageError
from baselines_ppo.experiments.tuning.settings import Tuned, search_of
from baselines_ppo.settings.config import TrainConfig
from baselines_ppo.settings.search_spaces import Dimension


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
    try:
        from baselines_ppo.experiments.tuning.search import run_search
    except ModuleNotFoundError as error:
        raise UsageError(f"{error.name} is not installed; pip install 'optuna>=4' 'cmaes>=0.11'") from None
    return run_search(config, tuple(space), tuple(fixed), logdir, how)
