"""A learning curve as a small picture inside of a web page: SVG in the colours of the page."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from baselines_ppo.experiments.figures import written_number
from baselines_ppo.run.cards.curve import Point, thinned

WIDTH, HEIGHT = 320, 128  # of the picture, in units of the page's pixels where a card is so wide
LEFT, RIGHT, TOP, BOTTOM = 6, 6, 16, 18  # margins, for words
PICTURE = """<svg viewBox="0 0 {width} {height}" role="img" aria-label="{label}">
<path class="axis" d="M{left} {top}V{bottom}H{right}"/>
{threshold}<polyline class="curve" points="{points}"/>
<text x="{left}" y="{above}">{highest}</text>
<text x="{left}" y="{below}">{lowest}</text>
<text x="{right}" y="{below}" class="end">{steps} steps</text>
</svg>"""
LINE = '<path class="threshold" d="M{left} {y:.1f}H{right}"/>\n'


def svg(curve: Sequence[Point], threshold: float | None = None) -> str:
    """Return a curve of at least one point, with a dashed line at the threshold, as HTML.

    The words at its left are the highest and the lowest value that the picture has room for.
    """
    points = thinned(curve)
    steps, returns = (np.array([point[k] for point in points], dtype=float) for k in (0, 1))
    shown = returns if threshold is None else np.append(returns, threshold)
    low, high, last = float(shown.min()), float(shown.max()), float(steps.max())
    left, right, top, bottom = LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM
    across, up = max(last, 1.0), (high - low) or 1.0
    xs = left + (right - left) * np.clip(steps / across, 0.0, 1.0)
    ys = bottom - (bottom - top) * (returns - low) / up
    line = ""
    if threshold is not None:
        line = LINE.format(left=left, right=right, y=bottom - (bottom - top) * (threshold - low) / up)
    label = f"return from {written_number(returns[0])} to {written_number(returns[-1])} over {last:,.0f} steps"
    return PICTURE.format(
        width=WIDTH, height=HEIGHT, left=left, right=right, top=top, bottom=bottom, threshold=line,
        above=top - 5, below=HEIGHT - 5, highest=written_number(high), lowest=written_number(low),
        points=" ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True)),
        steps=f"{last:,.0f}", label=html.escape(label),
    )  # fmt: skip
