"""The learning curve that goes along with an agent: short enough to be read by people, and to be drawn in a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from baselines_ppo.common.failures import LoadError, short
from baselines_ppo.common.files.checkpoint import read_regular
from baselines_ppo.common.files.run_folder import PROGRESS
from baselines_ppo.zoo.card import LARGEST_NUMBER

CURVE = "curve.csv"
MOST_ROWS = 300
LARGEST_LOG, LARGEST_CURVE = 10**9, 10**6  # bytes
BLOCKS = "▁▂▃▄▅▆▇█"


class Point(NamedTuple):
    """How far a training was."""

    total_steps: int
    episode_return: float  # mean of the last 100 episodes
    seconds: float


def curve_of(run: Path, total_steps: int) -> list[Point]:
    """Return a run's learning curve up to a number of steps, thinned out; empty where the run has no log."""
    return thinned([point for point in _read(run / PROGRESS, LARGEST_LOG) if point.total_steps <= total_steps])


def thinned(points: Sequence[Point]) -> list[Point]:
    """Return at most `MOST_ROWS` of some points, the first and the last among them."""
    chosen = np.unique(np.linspace(0, len(points) - 1, min(len(points), MOST_ROWS)).round().astype(int))
    return [points[i] for i in chosen]


def read_curve(folder: Path) -> list[Point]:
    """Return the learning curve in an agent folder; empty where there is none.

    Raises:
      LoadError: it is damaged.
    """
    return _read(folder / CURVE, LARGEST_CURVE)


def written(points: list[Point]) -> str:
    """Return a curve as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Point._fields)
    writer.writerows((p.total_steps, f"{p.episode_return:.6g}", f"{p.seconds:.1f}") for p in points)
    return text.getvalue()


def drawn(points: list[Point], width: int = 60) -> str:
    """Return a curve as one line of blocks, each the mean of its part of the points."""
    if not points:
        return ""
    parts = np.array_split([point.episode_return for point in points], min(width, len(points)))
    means = np.array([part.mean() for part in parts])
    heights = (means - means.min()) / max(np.ptp(means), 1e-9) * (len(BLOCKS) - 1)
    return "".join(BLOCKS[round(height)] for height in heights)


def _read(path: Path, largest: int) -> list[Point]:
    try:
        rows = csv.DictReader(io.StringIO(read_regular(path, largest).decode()))
        known = [row for row in rows if row["episode_return"]]  # none before the first episode has ended
        points = [Point(int(row["total_steps"]), float(row["episode_return"]), float(row["seconds"])) for row in known]
        if not (np.abs(points) <= LARGEST_NUMBER).all():  # nor nan
            raise ValueError("numbers beyond all sense")
        return points
    except FileNotFoundError:
        return []
    except (OSError, KeyError, TypeError, ValueError, OverflowError, csv.Error) as error:
        raise LoadError(f"{path} cannot be read: {type(error).__name__} {short(error)}") from None
