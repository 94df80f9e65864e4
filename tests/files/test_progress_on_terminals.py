"""What somebody sees who trains in a terminal: one live table, and everything else above it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, command
from tests.runs import flags
from tests.terminal import Screen, typed

SAYS = """
import os, sys
import gymnasium
class Says(gymnasium.Env):
    observation_space = action_space = gymnasium.spaces.Box(-1, 1, (1,))
    steps = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.np_random.uniform(-1, 1, 1).astype("float32"), {}

    def step(self, action):
        Says.steps += 1
        if Says.steps == 150:
            print("begun", end="")
            print(" and ended")
            sys.stderr.write("first\\nsecond\\n")
            os.write(1, b"by its descriptor\\n")
        return self.np_random.uniform(-1, 1, 1).astype("float32"), 1.0, False, False, {}

gymnasium.register("Says-v0", "says:Says", max_episode_steps=20)
"""


def seen(
    ranks: int, folder: Path, *more: object, columns: int = 100, lines: int = 40, **variables: Any
) -> tuple[Screen, list[str]]:
    """Train for six iterations in a terminal; returns the last screen and those before."""
    (folder / "says.py").write_text(SAYS)
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    line = command(ranks, "-m", "baselines_ppo.run", *map(str, flags("says:Says-v0", "ppo2", 6)))
    words = [*line, "--logdir", "run", *map(str, more)]
    environment = {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **variables}
    screen, before, code = typed(words, folder, environment, columns, lines)
    assert code == 0, screen.text
    return screen, before


@pytest.mark.parametrize("ranks", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_there_is_one_table_and_nothing_that_is_said_is_lost(ranks: int, tmp_path: Path) -> None:
    """Ranks under mpirun write to pipes; its terminal is what counts."""
    screen, before = seen(ranks, tmp_path)
    text = screen.text
    for said in ("begun and ended", "first", "second", "by its descriptor"):
        assert len(re.findall(rf"^{said}\b", text, re.MULTILINE)) == ranks, text
    assert len(re.findall("episode_return", text)) == 1
    assert re.search(r"episode_return +20\b", text)
    assert "100%  1,152 of 1,152 steps" in text
    assert text.index("logs and checkpoints in run") < text.index("begun and ended") < text.index("episode_return")
    assert text.index("100%") < text.index("done: 1,152 steps")
    assert any("0%  0 of 1,152 steps" in earlier for earlier in before)
    assert not re.search(r"^ *\d+ +[\d,]+ steps  return", text, re.MULTILINE)
    assert screen.colours


@pytest.mark.slow
def test_a_small_terminal_has_what_matters_most(tmp_path: Path) -> None:
    screen, _ = seen(1, tmp_path, columns=44, lines=10, NO_COLOR="1")
    assert max(map(len, screen.text.splitlines())) <= 44
    assert re.search(r"episode_return +20\b", screen.text)
    assert "100%" in screen.text
    assert "done: 1,152 steps" in screen.text


@pytest.mark.slow
@pytest.mark.parametrize(("more", "variables"), [((), {"TERM": "dumb"}), (("--progress", "line"), {})])
def test_without_a_live_table_there_are_lines(more: tuple[str, ...], variables: dict[str, Any], tmp_path: Path) -> None:
    screen, _ = seen(1, tmp_path, *more, "--log-interval", 0, **variables)
    assert screen.colours == 0
    shown = re.findall(r"^ +(\d) +([\d,]+) steps  return +20.0  length", screen.text, re.MULTILINE)
    assert shown == [(str(k), f"{192 * k:,}") for k in range(1, 7)]


@pytest.mark.slow
@pytest.mark.parametrize("columns", [60, 140])
def test_a_bar_is_one_line_and_nothing_that_is_said_is_lost(columns: int, tmp_path: Path) -> None:
    screen, before = seen(2, tmp_path, "--progress", "bar", columns=columns)
    for said in ("begun and ended", "first", "second"):
        assert len(re.findall(rf"^{said}$", screen.text, re.MULTILINE)) == 2, screen.text
    assert len(re.findall("█", screen.text)) == 16
    assert "100% ████████████████  1,152 of 1,152 steps" in screen.text
    assert any("  0% ░░░░░░░░░░░░░░░░  0 of 1,152 steps" in earlier for earlier in before)


@pytest.mark.slow
def test_an_ascii_terminal_gets_ascii(tmp_path: Path) -> None:
    screen, _ = seen(1, tmp_path, PYTHONIOENCODING="ascii")
    assert screen.text.isascii()
    assert "100%" in screen.text


@pytest.mark.slow
def test_a_quiet_training_says_how_it_ended_and_no_more(tmp_path: Path) -> None:
    screen, _ = seen(1, tmp_path, "--quiet", "--wrapper", "none")
    lines = screen.text.splitlines()
    own = [line for line in lines if line not in ("begun and ended", "first", "second", "by its descriptor")]
    assert [line.split(":")[0] for line in own][:2] == ["done", "run"], screen.text


@pytest.mark.slow
def test_output_behind_an_mpirun_that_is_piped_has_no_codes_of_a_terminal(tmp_path: Path) -> None:
    """`mpirun ... | cat` in a terminal."""
    (tmp_path / "says.py").write_text(SAYS)
    line = command(2, "-m", "baselines_ppo.run", *map(str, flags("says:Says-v0", "ppo2", 6)), "--logdir", "run")
    piped = ["sh", "-c", f"{' '.join(line)} 2>&1 | cat"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
    screen, _, code = typed(piped, tmp_path, environment)
    assert (code, screen.colours) == (0, 0)
    assert "by its descriptor" in screen.text
    assert re.search(r"^ +6 +1,152 steps  return +20.0  length", screen.text, re.MULTILINE)
