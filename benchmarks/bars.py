"""The public figures that the benchmark is compared with; `benchmarks/bars.toml` holds them with their sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from baselines_ppo.common.files.toml_file import TomlFile
from benchmarks.rows import Row

FILE = Path(__file__).resolve().parent / "bars.toml"


class Bar(NamedTuple):
    """A public figure for a row."""

    value: float  # raw return
    who: str
    seeds: int | None  # over which it is the mean; None: not stated, or a single run
    steps: int
    by: str  # which of our measures it is like: "training" or "deterministic"
    note: str

    def reached(self, row: Row) -> bool:
        """Return whether the mean over the seeds of a row is no lower, by the measure that the figure is of."""
        return row.estimate(self.by).mean >= self.value


class Bars(NamedTuple):
    """What is compared with a row; None where nothing was found."""

    mean: Bar | None  # over several seeds
    run: Bar | None  # of one run


def read_bars(file: Path = FILE) -> list[dict[str, Any]]:
    """Return what the file of public figures holds."""
    return list(TomlFile(file).data["bar"])


def bars_of(row: Row, entries: list[dict[str, Any]]) -> Bars:
    """Return the public figures for a row."""
    for entry in entries:
        same_task = row.env in entry["env"] and row.num_timesteps == entry["steps"]
        same_settings = entry.get("textbook", False) == row.textbook
        if same_task and same_settings and entry.get("alg", row.alg) == row.alg:
            return Bars(_bar(entry.get("mean")), _bar(entry.get("run")))
    return Bars(None, None)


def _bar(entry: dict[str, Any] | None) -> Bar | None:
    if entry is None:
        return None
    return Bar(
        float(entry["return"]),
        entry["who"],
        entry.get("seeds"),
        int(entry["steps"]),
        entry["by"],
        entry.get("note", ""),
    )
