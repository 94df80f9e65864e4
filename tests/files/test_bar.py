"""The line with a bar: what it says, how long it is, and what it is drawn with."""

from __future__ import annotations

from typing import Any

import pytest

from baselines_ppo.common.screen.bar import BLOCKS, LENGTH, PLAIN, WIDTH, blocks_for, progress_line
from baselines_ppo.common.screen.contract import Figures


def line(steps: int, of: int = 1000, news: str = "", **row: Any) -> str:
    return progress_line(Figures({"total_steps": steps, **row}, of, None, None), news, PLAIN)


@pytest.mark.parametrize(("steps", "done"), [(0, 0), (500, LENGTH // 2), (999, LENGTH - 1), (1000, LENGTH)])
def test_the_bar_is_full_when_all_steps_are_made_and_not_before(steps: int, done: int) -> None:
    assert line(steps).count("#") == done
    assert line(steps).count("-") == LENGTH - done


def test_more_steps_than_were_asked_for_are_not_more_than_all() -> None:
    assert line(1024).startswith(f"100% {'#' * LENGTH}  1,024 of 1,000 steps")


def test_a_return_that_is_not_known_yet_is_no_number_and_news_take_its_place() -> None:
    assert line(10, episode_return=None).endswith("return -")
    assert line(10, news="step 3 of 128", episode_return=1.0).endswith("10 of 1,000 steps  step 3 of 128")


def test_the_longest_line_fits_into_a_cell() -> None:
    row = {"total_steps": 1_000_000_000, "episode_return": -123456.7}
    assert len(progress_line(Figures(row, 1_000_000_000, 100_000.0, 360_000.0), "", BLOCKS)) <= WIDTH


@pytest.mark.parametrize(
    ("encoding", "blocks"), [("utf-8", BLOCKS), ("ascii", PLAIN), (None, PLAIN), ("no-such", PLAIN)]
)
def test_it_is_drawn_with_what_the_encoding_has(encoding: str | None, blocks: str) -> None:
    assert blocks_for(encoding) == blocks
