"""Tables in docs/results.md beside those of the records: learning curves of pretrained agents, and copied figures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from baselines_ppo.run.cards.curve import Point, read_curve

ROOT = Path(__file__).resolve().parent.parent
AGENTS, COPIED = ROOT / "zoo" / "agents", ROOT / "benchmarks" / "records" / "copied"
PARTS = (0.25, 0.5, 0.75, 1.0)  # of a training, after which its return is shown


def figure(x: float) -> str:
    """Return a return with four digits, more for large ones, with commas between thousands."""
    return f"{x:,.0f}" if abs(x) >= 1000 else f"{x:.4g}"


def steps(count: float) -> str:
    """Return a number of steps in millions."""
    return f"{count / 1e6:.3g} M"


def curves() -> str:
    """Return a row for each pretrained agent that has a curve: its training return on the way."""
    lines = ["| agent | steps | 1/4 | 1/2 | 3/4 | end | threshold | first there |", "|" + " --- |" * 8]
    for folder in sorted(AGENTS.iterdir()):
        points = read_curve(folder)
        if points:
            card = json.loads((folder / "card.json").read_text("utf-8"))
            threshold, total = card["threshold"], card["total_steps"]
            cells = [folder.name, steps(total), *(figure(at(points, part * total)) for part in PARTS)]
            cells += ["", ""] if threshold is None else [figure(threshold), first_at(points, threshold)]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def at(points: list[Point], steps_made: float) -> float:
    """Return the return of the last point up to some steps."""
    return [point.episode_return for point in points if point.total_steps <= max(steps_made, points[0].total_steps)][-1]


def first_at(points: list[Point], threshold: float) -> str:
    """Return after how many steps a return was first reached, or a dash."""
    reached = [point.total_steps for point in points if point.episode_return >= threshold]
    return steps(reached[0]) if reached else "-"


def copied() -> str:
    """Return a row for each figure whose run was not kept, with its date and commit."""
    lines = [
        "| command | seed | steps | return | most likely | random | published | date, commit |",
        "|" + " --- |" * 8,
    ]
    rows = [(record, row) for record in map(_read, sorted(COPIED.glob("*.json"))) for row in record["rows"]]
    for record, row in sorted(rows, key=lambda pair: (pair[1]["flags"], pair[1]["seed"])):
        numbers = [figure(row[name]) if name in row else "" for name in ("deterministic_return", "random_return")]
        cells = [f"`{row['flags']}`", str(row["seed"]), steps(row["steps"]), f"**{figure(row['mean_return'])}**"]
        cells += [*numbers, with_commas(row.get("published", "")), f"{record['date']}, `{record['commit'][:8]}`"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def with_commas(text: str) -> str:
    """Return a text with commas between thousands, where it has spaces there."""
    return re.sub(r"(?<=\d) (?=\d{3}\b)", ",", text)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))
