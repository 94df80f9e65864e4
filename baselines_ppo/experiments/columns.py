"""The columns of a run's progress.csv as arrays, by the names in its header, whatever version wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from baselines_ppo.common.failures import LoadError, short
from baselines_ppo.common.files.progress import parsed
from baselines_ppo.common.files.run_folder import PROGRESS

STEPS = "total_steps"


def read_columns(run: Path) -> dict[str, np.ndarray]:
    """Return each column of numbers of a run's log, [iterations]; an empty cell is NaN.

    There is nothing in it where the run has no log yet. A column of words is left out, and so is a last row that a
    kill has cut off.

    Raises:
      LoadError: the log is damaged; says where.
    """
    path = run / PROGRESS
    if not path.exists():
        return {}
    try:
        header, rows, strange = parsed(path)
    except OSError as error:
        raise LoadError(f"{path} cannot be read: {error.strerror or error}") from None
    if strange:
        raise LoadError(f"{path} has {strange}; mend it, or leave this run out")
    columns = {}
    for name, cells in zip(header, zip(*rows, strict=True), strict=False):
        column = _numbers(path, name, cells)
        if column is not None:
            columns[name] = column
    _check_steps(path, columns.get(STEPS, np.zeros(0)))
    return columns


def _check_steps(path: Path, steps: np.ndarray) -> None:
    """Check that steps are known in each row, and never fall.

    Raises:
      LoadError: they are not, or they do; the first such row is named.
    """
    rising = np.append(True, np.diff(steps) >= 0)[: len(steps)] & np.isfinite(steps)
    if not rising.all():
        row = int(np.argmin(rising))
        what = "falls" if np.isfinite(steps[row]) else "is no finite number"
        raise LoadError(f"{path}: {STEPS} {what} in row {row + 1}; mend it, or leave this run out")


def _numbers(path: Path, name: str, cells: Sequence[str]) -> np.ndarray | None:
    """Return a column's cells as numbers, None where none of them is one.

    Raises:
      LoadError: some are numbers, and others are not.
    """
    column, strange = np.full(len(cells), np.nan), []
    for row, cell in enumerate(cells):
        try:
            column[row] = float(cell or "nan")
        except ValueError:
            strange.append(row)
    if not strange:
        return column
    if len(strange) == sum(cell != "" for cell in cells):
        return None
    row = strange[0]
    raise LoadError(
        f"{path} has {short(repr(cells[row]))} in column {short(name)}, row {row + 1}, which is no number; "
        "mend it, or leave this run out"
    )
