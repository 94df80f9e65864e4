"""How settings are searched for, and what a search gives back."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from baselines_ppo.common.failures import UsageError, nearest
from baselines_ppo.settings.config import TrainConfig
from baselines_ppo.settings.fields import check, option


@dataclass(frozen=True)
class Search:
    """How settings are searched for."""

    trials: int = option(50, "settings to try in all, over all hosts and starts", low=1)
    seeds: int = option(2, "trainings of each setting, each with another seed; its score is their mean", low=1)
    jobs: int | None = option(None, "trainings at once on this machine; none: one for each core", low=1)
    sampler: str = option("tpe", "how settings are drawn", choices=("tpe", "cmaes", "random"))
    pruner: str = option("median", "how bad trials are ended early", choices=("median", "hyperband", "none"))
    study: str = option("", "name of the study; default: tune-<alg>")
    storage: str = option("", "URL of a database that several hosts share; default: SQLite in the study's folder")


class Tuned(NamedTuple):
    """What a search has come to."""

    folder: Path  # of the study: all runs, tables and pictures
    best: TrainConfig  # the setting with the highest score; where no trial has one, what was begun with
    score: float | None  # its mean over the seeds of the mean return of the last 100 episodes of training
    trials: int  # that are made
    exit_code: int  # 0: all trials are made; 75 or 130: stopped by a signal, the same call goes on


def search_of(values: dict[str, Any]) -> Search:
    """Return how to search, checked.

    Raises:
      UsageError: a field is unknown, or its value has the wrong type or is out of range.
    """
    known = [item.name for item in fields(Search)]
    for name in values:
        if name not in known:
            raise UsageError(f"tune takes no {name}{nearest(name, known)}; fields of the training go to configure")
    how, kinds = Search(**values), get_type_hints(Search)
    for item in fields(Search):
        check(item, kinds[item.name], getattr(how, item.name))
    return how
