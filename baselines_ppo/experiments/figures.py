"""Figures as a paper has them: matplotlib without a display, quiet axes, colours that all people can tell apart."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baselines_ppo.common.files.whole import whole_file, writing
from baselines_ppo.experiments.statistics import check_installed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = (".png", ".svg", ".pdf")
TIMELESS: dict[str, dict[str, Any]] = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
# Okabe and Ito 2008, without their yellow, which is too light for lines on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", ":")  # of the first seven groups, the next seven, and so on
GREY = "#666666"
LARGE = 1e15  # of a number from here on, a double does not have all digits
STYLE: Any = {  # its keys are typed in the newest matplotlib alone
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "lines.solid_capstyle": "round",
    "savefig.dpi": 200,
    "text.parse_math": False,  # a name with a dollar is a name
    "svg.hashsalt": "baselines_ppo",  # the same figure gives the same file
}


@contextmanager
def paper_style() -> Iterator[None]:
    """Draw in this style what is drawn inside.

    Raises:
      UsageError: matplotlib or scipy is not installed.
    """
    check_installed()
    import matplotlib

    with matplotlib.rc_context(STYLE):
        yield


def panels(count: int, width: float, height: float, columns: int | None = None) -> tuple[Figure, list[Axes]]:
    """Return a new figure with so many panels, row by row, and these.

    Args:
      width, height: of a panel, in inches.
    """
    from baselines_ppo.experiments.inline import InlineFigure  # needs matplotlib

    columns = columns or (2 if count == 4 else min(count, 3))
    rows = math.ceil(count / columns)
    figure = InlineFigure(figsize=(width * columns, height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for unused in grid[count:]:
        unused.set_axis_off()
    return figure, list(grid[:count])


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure into a file of one of `KINDS`.

    Raises:
      WriteError: it cannot be written.
    """
    with paper_style(), whole_file(path) as temporary, writing(path):
        figure.savefig(temporary, metadata=TIMELESS[path.suffix])


def look_of(place: int) -> dict[str, Any]:
    """Return colour and dashes of a group by its place among the groups."""
    return {
        "color": COLOURS[place % len(COLOURS)],
        "linestyle": DASHES[place // len(COLOURS) % len(DASHES)],
    }


def number_axis(axis: Any) -> None:
    """Write large numbers of an axis as 100 k and 1.5 M; call it when everything is drawn."""
    from matplotlib.ticker import EngFormatter

    if max(map(abs, axis.get_view_interval())) >= 1000:
        axis.set_major_formatter(EngFormatter(sep="\N{NO-BREAK SPACE}"))


def written_number(value: float) -> str:
    """Return a number with three digits, or all of them before the point, and a true minus; nothing for NaN."""
    if math.isnan(value):
        return ""
    return (f"{value:,.0f}" if 100 <= abs(value) < LARGE else f"{value:.3g}").replace("-", "\N{MINUS SIGN}")


def note(figure: Figure, text: str) -> None:
    """Put a line below everything else."""
    figure.supxlabel(text, fontsize=7, color=GREY)
