"""Tables and figures in docs and README.md, made of the records: `python -m benchmarks.tables` makes them anew."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from baselines_ppo.common.screen.numbers import counted
from benchmarks import figures, speed
from benchmarks.bars import Bar, Bars, bars_of, read_bars
from benchmarks.earlier import copied, curves, figure, steps
from benchmarks.rows import FULL, MEASURES, ROOT, Row, read_rows

PAGE, README = ROOT / "docs" / "results.md", ROOT / "README.md"
KINDS = "benchmark|seeds|figures|short|curves|copied"
BLOCK = re.compile(rf"(<!-- ({KINDS}) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)
# The rows that README.md shows, as far as there are records of them.
SHORT = ("CartPole-v1-ppo2-100k", "Pendulum-v1-ppo2-100k", "LunarLander-v3-ppo2-1m", "Reacher-v5-ppo2-1m",
         "Swimmer-v5-trpo-1m", "HalfCheetah-v4-ppo2-3m", "Walker2d-v4-ppo2-3m", "Ant-v4-ppo2-3m", "Hopper-v4-ppo2-3m",
         "Humanoid-v4-ppo2-2m", "Humanoid-v4-ppo2-10m", "ALE-Pong-v5-ppo2-10m")  # fmt: skip
OURS = {"training": "training", "deterministic": "most likely actions"}  # which column a public figure is compared with
HEAD = ("environment", "algorithm", "steps", "seeds", "training", "most likely actions", "drawn actions",
        "public mean", "public run", "compared")  # fmt: skip
SEEDS = ("environment", "algorithm", "steps", "seed: training / most likely / drawn", "kept", "minutes", "steps/s",
         "ranks", "processor, kernels", "date", "code")  # fmt: skip
MEDIANS = ("minutes", "steps_per_second")
FACTS: tuple[Callable[[Mapping[str, Any]], Any], ...] = (
    lambda record: record["ranks"],
    lambda record: f"{record['platform']['cpu']}, {record['platform']['blas']}",
    lambda record: record["began"][:10],
    lambda record: f"`{record['code']}`",
)


def benchmark(rows: Sequence[Row]) -> str:
    """Return a line for each row: the means over its seeds, beside the public figures."""
    entries = read_bars()
    lines = [markdown(HEAD), markdown(["---"] * len(HEAD))]
    for row in rows:
        bars = bars_of(row, entries)
        means = [estimate(row, measure) for measure in MEASURES]
        cells = [row.env, row.learner, steps(row.num_timesteps), number_of_seeds(row), *means]
        lines.append(markdown([*cells, public(bars.mean), public(bars.run), compared(row, bars)]))
    return "\n".join(lines) + "\n"


def short(rows: Sequence[Row]) -> str:
    """Return the lines that README.md shows: those of `SHORT` that there are records of."""
    entries, by_name = read_bars(), {row.name: row for row in rows}
    head = ("environment", "algorithm", "steps", "training", "most likely actions", "public mean", "public run",
            "compared")  # fmt: skip
    lines = [markdown(head), markdown(["---"] * len(head))]
    for row in (by_name[name] for name in SHORT if name in by_name):
        bars = bars_of(row, entries)
        mark = "" if len(row.seeds) >= FULL else f" ({number_of_seeds(row)})"
        cells = [row.env, row.learner, steps(row.num_timesteps) + mark]
        cells += [estimate(row, measure) for measure in ("training", "deterministic")]
        lines.append(markdown([*cells, public(bars.mean), public(bars.run), compared(row, bars)]))
    return "\n".join(lines) + "\n"


def seeds(rows: Sequence[Row]) -> str:
    """Return a line for each row: what each seed came to, and where and how fast."""
    lines = [markdown(SEEDS), markdown(["---"] * len(SEEDS))]
    for row in rows:
        of_measures = zip(*map(row.returns, MEASURES), strict=True)
        each = [f"{seed}: {' / '.join(map(figure, own))}" for seed, own in zip(row.seeds, of_measures, strict=True)]
        cells = [row.env, row.learner, steps(row.num_timesteps), "; ".join(each), f"{min(row.kept()):.0%}"]
        cells += [figure(statistics.median(float(r[name]) for r in row.records)) for name in MEDIANS]
        cells += [", ".join(sorted({str(fact(record)) for record in row.records})) for fact in FACTS]
        lines.append(markdown(cells))
    return "\n".join(lines) + "\n"


def estimate(row: Row, measure: str) -> str:
    """Return a mean with its interval."""
    mean, low, high = row.estimate(measure)
    return figure(mean) if math.isnan(low) else f"{figure(mean)} [{figure(low)}, {figure(high)}]"


def number_of_seeds(row: Row) -> str:
    """Return how many seeds a row has, so that one with too few stands out."""
    count = len(row.seeds)
    return str(count) if count >= FULL else f"**{count} of {FULL}**"


def public(bar: Bar | None) -> str:
    """Return a public figure, whose it is, how it differs from ours, and with which of ours it is compared."""
    if bar is None:
        return "none found"
    facts = [
        bar.who,
        *([counted(bar.seeds, "seed")] if bar.seeds else []),
        steps(bar.steps),
        *([bar.note] * bool(bar.note)),
        OURS[bar.by],
    ]
    return f"{figure(bar.value)} ({', '.join(facts)})"


def compared(row: Row, bars: Bars) -> str:
    """Return in words how the mean over seeds compares with the public figures."""
    below = [name for name, bar in (("mean", bars.mean), ("run", bars.run)) if bar and not bar.reached(row)]
    there = [bar for bar in bars if bar]
    if not there:
        return ""
    if not below:
        return "reached"
    return "**below**" if len(below) == len(there) else f"**below the {below[0]}**"


def markdown(cells: Sequence[str]) -> str:
    """Return a line of a table."""
    return f"| {' | '.join(cells)} |"


def written(page: str, rows: Sequence[Row]) -> str:
    """Return a page with the tables of today's records, and its figures named."""
    made: dict[str, Callable[[], str]] = {
        "benchmark": lambda: benchmark(rows),
        "seeds": lambda: seeds(rows),
        "figures": lambda: figures.named(rows),
        "short": lambda: short(rows),
        "curves": curves,
        "copied": copied,
    }
    return BLOCK.sub(lambda match: match[1] + made[match[2]]() + match[3], page)


def rewrite(path: Path, rows: Sequence[Row]) -> None:
    """Write a page anew."""
    path.write_text(written(path.read_text("utf-8"), rows), "utf-8")


if __name__ == "__main__":
    found = read_rows()
    for page in (PAGE, README):
        rewrite(page, found)
    speed.PAGE.write_text(speed.written(speed.PAGE.read_text("utf-8")), "utf-8")
    figures.draw(found)
