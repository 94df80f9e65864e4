"""The tables in docs, made of the records: `python -m benchmarks.tables` writes them anew."""

from __future__ import annotations

import itertools
import json
import re
import statistics
from pathlib import Path
from typing import Any

from benchmarks import speed
from benchmarks.earlier import copied, curves, figure

ROOT = Path(__file__).resolve().parent.parent
RECORDS, PAGE = ROOT / "benchmarks" / "records", ROOT / "docs" / "results.md"
BLOCK = re.compile(r"(<!-- (records|curves|copied) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)


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


def written(page: str) -> str:
    """Return the page with the tables of today's records."""
    made = {"records": lambda: table(records()), "curves": curves, "copied": copied}
    return BLOCK.sub(lambda match: match[1] + made[match[2]]() + match[3], page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
    speed.PAGE.write_text(speed.written(speed.PAGE.read_text("utf-8")), "utf-8")
