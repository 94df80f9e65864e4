"""The tables in docs/speed.md, made of the records of `bench --out`: `python -m benchmarks.tables` writes them anew."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from baselines_ppo.common.screen.numbers import counted

ROOT = Path(__file__).resolve().parent.parent
RECORDS, PAGE = ROOT / "benchmarks" / "records" / "speed", ROOT / "docs" / "speed.md"
BLOCK = re.compile(r"(<!-- records of bench: (\S+) -->\n).*?(<!-- end of records -->)", re.DOTALL)
# What each kind of record measures, as columns: heading and key of a row.
COLUMNS = {
    "parts": (
        ("environment", "env"),
        ("ranks", "ranks"),
        ("simulator", "simulator"),
        ("same states", "same_states"),
        ("environments", "environments"),
        ("collecting", "collecting"),
        ("learning", "learning"),
        ("training", "training"),
        ("training / simulator", "of_simulator"),
        ("training / same states", "of_same_states"),
    ),
    "peer": (
        ("environment", "env"),
        ("network", "network"),
        ("ranks", "ranks"),
        ("this package", "training"),
        ("the other", "peer_training"),
        ("times faster", "ratio"),
        ("lowest", "lowest_ratio"),
        ("highest", "highest_ratio"),
        ("pairs of runs", "pairs"),
    ),
    "score": (
        ("environment", "env"),
        ("return", "score"),
        ("seed", "seed"),
        ("ranks", "ranks"),
        ("seconds", "seconds"),
        ("steps", "steps"),
        ("highest", "highest"),
        ("the other: seconds", "peer_seconds"),
        ("steps", "peer_steps"),
        ("highest", "peer_highest"),
        ("times faster", "ratio"),
        ("given up after", "budget"),
    ),
    "simulation": (
        ("environment", "env"),
        ("ranks", "ranks"),
        ("environments", "environments"),
        ("collecting, ms", "collecting"),
        ("waiting, ms", "waiting"),
        ("learning, ms", "learning"),
        ("messages, ms", "messages"),
        ("rest, ms", "rest"),
        ("steps/s", "training"),
        ("efficiency", "efficiency"),
    ),
    "scaling": (("environment", "env"), ("batch", "batch"), ("ranks", "ranks"), ("training", "training")),
}


def written(page: str) -> str:
    """Return the page with the tables of today's records; each block names the files that are shown in it."""

    def tables(match: re.Match[str]) -> str:
        records = [json.loads(path.read_text("utf-8")) for path in sorted(RECORDS.glob(match[2]))]
        return match[1] + "\n".join(map(table, records)) + match[3]

    return BLOCK.sub(tables, page)


def table(record: dict[str, Any]) -> str:
    """Return a record as Markdown: its figures, and below them where they are from."""
    rows = record["rows"]
    columns = [(heading, key) for heading, key in COLUMNS[record["kind"]] if any(key in row for row in rows)]
    lines = [f"| {' | '.join(heading for heading, _ in columns)} |", "|" + " --- |" * len(columns)]
    lines += [f"| {' | '.join(cell(row.get(key)) for _, key in columns)} |" for row in rows]
    return "\n".join([*lines, "", origin(record), ""])


def origin(record: dict[str, Any]) -> str:
    """Return what was typed, when, where and with which code, as a paragraph."""
    rows_by_peer: dict[str, list[str]] = {}
    for row in record["rows"]:
        if "peer" in row:
            rows_by_peer.setdefault(row["peer"], []).append(row["env"])
    alone = len(rows_by_peer) == 1
    peers = "".join(
        f" {'The' if alone else 'On ' + ', '.join(envs) + ' the'} other is {peer}."
        for peer, envs in rows_by_peer.items()
    )
    copied = f" Copied: {record['copied']}." if "copied" in record else ""
    where = f"{counted(record['cores'], 'core')} of {record['platform']['cpu']}"
    return (
        f"`{record['command']}`, {record['date']}, {where}, commit `{(record['commit'] or 'none')[:8]}`.{peers}{copied}"
    )


def cell(value: Any) -> str:
    """Return a value as it is read: commas between thousands, a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int | float) else str(value)
