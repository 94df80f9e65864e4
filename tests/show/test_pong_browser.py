"""Pong in a real browser: keys that are held down move the paddle, and the page counts the points."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from baselines_ppo.run.agents.duel import Duel, player
from baselines_ppo.run.agents.live import Live
from baselines_ppo.run.show.pong_page import PongPage
from tests.show.conftest import Opened, changes, opened_in_browser, press, until


@pytest.fixture(scope="module")
def playing() -> Iterator[Opened]:
    with opened_in_browser(Live(Duel(player("zoo:RoboPong-v1"))), PongPage) as opened:
        opened.page.wait_for_selector("text=longest rally")
        yield opened


def duel(playing: Opened) -> Duel:
    session = playing.live.session
    assert isinstance(session, Duel)
    return session


@pytest.mark.parametrize(
    ("keys", "way"),
    [
        (["ArrowUp"], (0, 1)),
        (["s"], (0, -1)),
        (["ArrowRight"], (1, 0)),
        (["a"], (-1, 0)),
        (["w", "ArrowRight"], (1, 1)),
        (["ArrowUp", "ArrowDown"], (0, 0)),
    ],
)
def test_keys_move_the_paddle_as_long_as_they_are_held_and_not_the_camera(
    playing: Opened, keys: list[str], way: tuple[int, int]
) -> None:
    game, page = duel(playing), playing.page
    (camera,) = (client.camera for client in playing.server.get_clients().values())
    playing.live.ask(game.reset)
    before, home = camera.position.copy(), (-1.3, 0.0)
    for key in keys:
        page.keyboard.down(key)
    until(page, lambda: game._way.tolist() == [*way])
    until(
        page, lambda: all(w * (now - rest) >= 0.1 * abs(w) for w, now, rest in zip(way, game.place, home, strict=True))
    )
    for key in keys:
        page.keyboard.up(key)
    until(page, lambda: game._way.tolist() == [0, 0])
    assert camera.position.tolist() == before.tolist()


def test_the_page_shows_the_score(playing: Opened) -> None:
    page, game = playing.page, duel(playing)
    playing.live.ask(game.reset)
    until(page, lambda: page.get_by_text("0 : 0").is_visible())
    page.keyboard.down("ArrowUp")  # who stays in a corner misses
    until(page, lambda: page.get_by_text("0 : 1").is_visible())
    page.keyboard.up("ArrowUp")


def test_pause_level_and_a_new_game(playing: Opened) -> None:
    page, live, game = playing.page, playing.live, duel(playing)
    changes(playing, lambda: game.level, partial(page.keyboard.press, "l"))
    until(page, lambda: page.get_by_role("button", name=f"level: {game.level}").is_visible())
    press(playing, "p", lambda: live.paused)
    press(playing, "r", lambda: game.points.tolist() == [0, 0])
    press(playing, "p", lambda: not live.paused)


def test_a_page_that_loses_the_focus_lets_the_paddle_go(playing: Opened) -> None:
    page, game = playing.page, duel(playing)
    page.keyboard.down("ArrowDown")
    until(page, lambda: game._way.tolist() == [0, -1])
    page.evaluate("window.dispatchEvent(new Event('blur'))")
    until(page, lambda: game._way.tolist() == [0, 0])
    page.keyboard.up("ArrowDown")
