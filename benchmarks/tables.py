"""The tables in docs, made of the records: `python -m benchmarks.tables` writes them anew."""

from __future__ import annotations

import itertools
import json
import re
import statistics
from pathlib import Path
from typing import Any

from benchmarks import speed

ROOT = Path(__file__).resolve().parent.parent
RECORDS, PAGE = ROOT / "benchmarks" / "records", ROOT / "docs" / "results.md"
BLOCK = re.compile(r"(<!-- records -->\n).*?(<!-- end of records -->)", re.DOTALL)


def records() -> list[dict[str, Any]]:
    """Return all records, those of one command together, by their seeds."""
    found = [json.loads(path.read_text("utf-8")) for path in RECORDS.glob("*.json")]
    return sorted(found, key=lambda record: (record["env"], record["alg"], record["flags"], record["seed"]))


def table(found: list[dict[str, Any]]) -> str:
    """Return a row of Markdown for each command: its seeds, and the mean and standard deviation over them."""
    lines = [
        "| command | steps | seeds | return of each | mean ± std | minutes | processor |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for flags, group in itertools.groupby(found, key=lambda record: str(record["flags"])):
        same = list(group)
        returns = [record["mean_return"] for record in same]
        spread = f" ± {figure(statistics.stdev(returns))}" if len(returns) > 1 else ""
        seeds = ", ".join(str(record["seed"]) for record in same)
        minutes = f"{statistics.median(record['minutes'] for record in same):.1f}"
        each = ", ".join(map(figure, returns))
        cells = (f"`{flags}`", f"{same[0]['steps']:,}".replace(",", " "), seeds, each)
        total = f"**{figure(statistics.mean(returns))}**{spread}"
        lines.append(f"| {' | '.join((*cells, total, minutes, same[0]['platform']['cpu']))} |")
    return "\n".join(lines) + "\n"


def figure(x: float) -> str:
    """Return a return with four digits, more for large ones."""
    return f"{x:,.0f}".replace(",", " ") if abs(x) >= 1000 else f"{x:.4g}"


def written(page: str) -> str:
    """Return the page with the table of today's records."""
    return BLOCK.sub(lambda match: match[1] + table(records()) + match[2], page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
    speed.PAGE.write_text(speed.written(speed.PAGE.read_text("utf-8")), "utf-8")
