"""Rows of the benchmark: the records of one environment, algorithm and number of steps, over their seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.common.failures import LoadError
from baselines_ppo.experiments.statistics import interval
from baselines_ppo.settings.changes import HARMLESS
from baselines_ppo.settings.config import TrainConfig, from_json, resolve, to_json
from baselines_ppo.settings.presets import configure

ROOT = Path(__file__).resolve().parent.parent
RECORDS = ROOT / "benchmarks" / "records" / "rows"
FULL = 5  # seeds of a whole row
TRAINING = "training"
TEXTBOOK = "textbook"  # in the name of a row whose runs were made with `--preset none`
# Where a return is from: the last training episodes, or an evaluation with one of the two kinds of actions.
MEASURES = (TRAINING, "deterministic", "stochastic")


class Estimate(NamedTuple):
    """The mean over seeds, and its 95 % bootstrap interval; NaN where there is one seed."""

    mean: float
    low: float
    high: float


class Row(NamedTuple):
    """All records of one environment, algorithm and number of steps."""

    name: str
    records: Sequence[Mapping[str, Any]]  # by their seeds

    @property
    def env(self) -> str:
        """Environment id, without a module before it."""
        return str(self.records[0]["env"]).rpartition(":")[2]

    @property
    def alg(self) -> str:
        """Algorithm."""
        return str(self.records[0]["alg"])

    @property
    def learner(self) -> str:
        """Algorithm, and whether its settings are others than those of the task's preset."""
        if self.textbook:
            return f"{self.alg}, {TEXTBOOK}"
        return self.alg if self.has_preset else f"{self.alg}, earlier preset"

    @property
    def has_preset(self) -> bool:
        """Whether the settings are those of the preset that the task has today."""
        own = from_json(self.records[0]["settings"])
        preset = resolve(configure(own.env, own.alg, num_timesteps=own.num_timesteps), int(self.records[0]["ranks"]))
        return settings_of(own) == settings_of(preset)

    @property
    def textbook(self) -> bool:
        """Whether the runs were made with `--preset none`, where the task has a preset."""
        return f"-{TEXTBOOK}-" in self.name

    @property
    def num_timesteps(self) -> int:
        """Steps that were asked for."""
        return int(self.records[0]["settings"]["num_timesteps"])

    @property
    def seeds(self) -> list[int]:
        """Seeds that there are records of."""
        return [int(record["seed"]) for record in self.records]

    def returns(self, measure: str = TRAINING) -> list[float]:
        """Return the mean return of each seed, by one of `MEASURES`."""
        return [float(record[measure]["mean"]) for record in self.records]

    def kept(self) -> list[float]:
        """Return how much of its best return each seed has at its end, both less its first; 1 is all of it."""
        curves = [np.array(record["curve"]["returns"], float) for record in self.records]
        gains = [curve - curve[0] for curve in curves]
        return [float(gain[-1] / gain.max()) if gain.max() > 0 else 1.0 for gain in gains]

    def estimate(self, measure: str = TRAINING) -> Estimate:
        """Return the mean over seeds with its interval."""
        scores = np.array(self.returns(measure))
        return Estimate(float(scores.mean()), *interval([scores]))

    def prediction(self, count: int, measure: str = TRAINING) -> tuple[float, float]:
        """Return where the mean of some new seeds lies in 95 cases of 100; NaN where there is one seed.

        The prediction interval of normally distributed returns, by the t distribution: it is wider than that of the
        mean, because the new seeds scatter too.

        Args:
          count: of the new seeds.
        """
        from scipy.special import stdtrit  # not every machine has it

        returns = np.array(self.returns(measure))
        if len(returns) < 2:
            return math.nan, math.nan
        quantile = float(stdtrit(len(returns) - 1, 0.975))
        half = quantile * float(returns.std(ddof=1)) * math.sqrt(1 / len(returns) + 1 / count)
        return float(returns.mean()) - half, float(returns.mean()) + half


def row_name(config: TrainConfig) -> str:
    """Return what the row of a run is called, such as Humanoid-v4-ppo2-10m or HalfCheetah-v4-ppo2-textbook-1m."""
    number = config.num_timesteps
    steps = f"{number // 10**6}m" if number % 10**6 == 0 else f"{number / 1000:g}k"
    alg = f"{config.alg}-{TEXTBOOK}" if with_textbook(config) else config.alg
    return f"{config.env.rpartition(':')[2].replace('/', '-')}-{alg}-{steps}"


def with_textbook(config: TrainConfig) -> bool:
    """Return whether a run's settings are those of `--preset none`, and its task has a preset with others."""
    given: dict[str, Any] = {"alg": config.alg, "num_timesteps": config.num_timesteps}
    textbook = settings_of(configure(config.env, preset="none", **given))
    return settings_of(config) == textbook != settings_of(configure(config.env, **given))


def settings_of(config: TrainConfig) -> dict[str, Any]:
    """Return what makes the steps of a run what they are, but its seed."""
    return comparable(to_json(config))


def comparable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that must be the same in all seeds of a row."""
    return {name: value for name, value in settings.items() if name not in (*HARMLESS, "seed")}


def read_rows(folder: Path = RECORDS) -> list[Row]:
    """Return all rows that there are records of, by environment, algorithm and length.

    Raises:
      LoadError: the records of a row have other settings.
    """
    rows = [read_row(path.name, folder) for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    return sorted(rows, key=lambda row: (row.env, row.num_timesteps, row.alg))


def read_row(name: str, folder: Path = RECORDS) -> Row:
    """Return the row of this name.

    Raises:
      LoadError: there is none, or its records have other settings.
    """
    found = [json.loads(path.read_text("utf-8")) for path in (folder / name).glob("*.json")]
    if not found:
        known = sorted(path.name for path in folder.iterdir() if path.is_dir())
        raise LoadError(f"there is no row {name}; there are {', '.join(known) or 'none'}")
    if any(comparable(record["settings"]) != comparable(found[0]["settings"]) for record in found):
        raise LoadError(f"the records of {name} have other settings than each other; make them anew")
    return Row(name, sorted(found, key=lambda record: int(record["seed"])))
