"""The table of a sweep or a search on a real terminal, and the lines without one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.terminal import typed

LONG = "run 3 failed: [rank 0] " + "a long reason " * 8
PROGRAM = f"""\
from baselines_ppo.common.ending import say
from baselines_ppo.experiments.live_table import LiveTable

def table(height):
    from rich.table import Table
    result = Table("run", "steps", caption=f"{{height}} lines")
    result.add_row("ppo2-seed=0", str(steps))
    return result

live = LiveTable()
for steps in (100, 200):
    live.draw(table, at_once=True)
    say({LONG!r} + str(steps))
live.close()
say(f"ended, shown: {{live.is_shown}}")
"""
WORDS = [sys.executable, "-c", PROGRAM]


def variables(**more: str) -> dict[str, Any]:
    own = {name: value for name, value in os.environ.items() if name not in ("LINES", "COLUMNS")}  # of another terminal
    return {**own, "PYTHONPATH": str(ROOT), "TERM": "xterm", **more}


def test_lines_stand_whole_above_one_table(tmp_path: Path) -> None:
    screen, _, code = typed(WORDS, tmp_path, variables(), columns=60, lines=30)
    assert code == 0, screen.text
    words = " ".join(screen.text.split())
    assert words.count("ppo2-seed=0") == 1 and " 200 " in words and "30 lines" in words
    for steps in (100, 200):
        assert words.count(f"{LONG}{steps}") == 1
    assert words.endswith("ended, shown: False")
    assert words.rindex(f"{LONG}200") < words.index("ppo2-seed=0")


def test_without_a_terminal_there_are_lines_and_no_codes(tmp_path: Path) -> None:
    piped = subprocess.run(WORDS, cwd=tmp_path, env=variables(), capture_output=True, text=True, check=True)
    assert piped.stdout.splitlines() == [f"{LONG}100", f"{LONG}200", "ended, shown: False"]
