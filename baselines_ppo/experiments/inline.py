"""A figure that a notebook shows below its cell, without `%matplotlib inline`."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

DOTS_PER_INCH = 90  # on a page; files have more


class InlineFigure(Figure):
    """A figure of matplotlib; the name of its method is IPython's."""

    def _repr_png_(self) -> bytes:
        """Return the figure as a picture."""
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=DOTS_PER_INCH)
        return file.getvalue()
