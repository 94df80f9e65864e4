"""The runs that a sweep is made of, each with its name, its settings and its configuration."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from baselines_ppo.common.envs.make import registration
from baselines_ppo.common.failures import UsageError
from baselines_ppo.experiments.sweeping.description import MOST_RUNS, PRESET, Description, textbook_of
from baselines_ppo.plan import check_minibatches
from baselines_ppo.settings.config import TrainConfig, all_fields, imported_algorithm, resolve
from baselines_ppo.settings.fields import written
from baselines_ppo.settings.presets import configure

LONGEST_NAME = 100  # characters of a folder's name


@dataclass(frozen=True)
class Case:
    """One run of a sweep."""

    number: int  # from 0 on
    name: str  # of its folder in that of the sweep
    settings: dict[str, Any]  # by the names of a training's flags
    config: TrainConfig  # what they come to

    @property
    def seed(self) -> int:
        """Seed of everything random in it."""
        return self.config.seed


def cases_of(sweep: Description, ranks: int) -> list[Case]:
    """Return all runs of a sweep, each configured and checked.

    A setting that an algorithm does not have is left out where another algorithm of the sweep has it.

    Args:
      ranks: of each run.

    Raises:
      UsageError: an environment is not known, or a configuration is wrong, or two runs have one name; it is named.
    """
    for env in sweep.env:
        registration(env)
    if any(True for _ in itertools.islice(_combinations(sweep), MOST_RUNS, None)):
        raise UsageError(f"these are more than {MOST_RUNS:,} runs; make several sweeps, or vary less")
    cases: dict[str, Case] = {}
    for settings, varied in _combinations(sweep):
        name = _name(settings, varied)
        try:
            config = _configured(settings, ranks)
        except UsageError as error:
            raise UsageError(f"run {name}: {error}") from None
        if cases.setdefault(name, Case(len(cases), name, settings, config)).settings != settings:
            raise UsageError(f"two runs that differ would have the one name {name}; give each a sweep of its own")
    return list(cases.values())


def left_out(sweep: Description) -> Iterator[str]:
    """Yield in words which settings an algorithm does not have."""
    for alg in sweep.alg:
        names = {*sweep.settings, *sweep.vary, *(name for env in sweep.env for name in sweep.apart.get(env, {}))}
        if missing := sorted(names - _names(alg)):
            yield f"{alg} has no {', '.join(missing)}; its runs are without"


def _combinations(sweep: Description) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Yield the settings of each run, and the names of those that are varied in it."""
    for env, alg in itertools.product(sweep.env, sweep.alg):
        own = _names(alg)
        common = {**sweep.settings, **sweep.apart.get(env, {}), **sweep.apart.get(alg, {})}
        fixed = {name: value for name, value in common.items() if name in own}
        varied = [name for name in sweep.vary if name in own]
        for values in itertools.product(*(sweep.vary[name] for name in varied)):
            for seed in sweep.seeds:
                chosen = dict(zip(varied, values, strict=True))
                yield {"env": env, "alg": alg, "seed": seed, **fixed, **chosen}, varied


def _names(alg: str) -> set[str]:
    return {PRESET, *(item.name for _, item, _ in all_fields(textbook_of(alg)))}


def _configured(settings: dict[str, Any], ranks: int) -> TrainConfig:
    """Return what the settings of a run come to.

    Raises:
      UsageError: they do not fit together.
    """
    config = resolve(configure(**{**settings, "alg": imported_algorithm(settings["alg"])}), ranks)
    if config.policy.network in ("auto", "mlp", "cnn"):  # others may have a memory, and deal in another way
        check_minibatches(config, ranks, recurrent=False)
    return config


def _name(settings: dict[str, Any], varied: list[str]) -> str:
    """Return the run's folder in that of the sweep: `<env>/<alg>-<field>=<value>-seed=<seed>`."""
    chosen = [f"{name}={written(settings[name])}" for name in varied]
    words = "-".join([imported_algorithm(settings["alg"]), *chosen, f"seed={settings['seed']}"])
    safe = re.sub(r"[^\w.,=+-]", "_", words)
    if safe != words or len(safe) > LONGEST_NAME:
        digest = hashlib.sha256(words.encode()).hexdigest()[:8]
        safe = f"{safe[:LONGEST_NAME]}-{digest}-seed={settings['seed']}"
    return f"{re.sub(r'[/:]', '-', settings['env'])}/{safe}"
