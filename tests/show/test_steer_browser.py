"""Steering in a real browser: headless Chromium, driven by playwright."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from baselines_ppo.run.agents.steering import Session
from tests.browser import open_page
from tests.show.conftest import AGENT, HEIGHT, OTHER, PATIENCE, WIDTH, Opened, at_distance, changes, press, until

FREE = (150, 330)  # where the picture shows the floor and nothing else


def picture(page: Any) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)


def test_the_robot_stands_in_the_middle_on_a_floor_under_a_sky(steered: Opened) -> None:
    def robot() -> np.ndarray:
        red, _, blue = np.moveaxis(picture(steered.page), -1, 0)
        skin, marked = red - blue > 60, blue - red > 80
        return (skin | marked)[120:440, 220:420]

    until(steered.page, lambda: 500 < robot().sum() < 20000)
    whole = picture(steered.page)
    sky, floor = whole[8, WIDTH // 2 - 60], whole[HEIGHT - 20, 40]
    assert sky[2] > sky[0]
    assert floor[1] > max(floor[0], floor[2])


def test_a_click_on_the_ground_puts_the_flag_there_and_the_robot_runs_to_it(steered: Opened) -> None:
    session = steered.live.session
    until(steered.page, lambda: session.position[0] > 2.0)
    press(steered, "p", lambda: steered.live.paused)
    steered.page.wait_for_timeout(500)
    steered.page.mouse.click(*FREE)
    until(steered.page, lambda: session.target != (20.0, 0.0))
    (camera,) = (client.camera for client in steered.server.get_clients().values())
    expected = on_the_floor(camera, *FREE) + session.position
    assert session.target == pytest.approx(tuple(expected), abs=0.05)
    before = session.numbers.distance
    assert before is not None
    assert before > 1.0
    flags = session.numbers.flags_reached
    press(steered, "p", lambda: not steered.live.paused)
    until(steered.page, lambda: session.numbers.flags_reached > flags)


def on_the_floor(camera: Any, x: int, y: int) -> np.ndarray:
    """Return where a pixel shows the floor, in m from what the camera follows, by a pinhole camera's arithmetic."""
    ahead = camera.look_at - camera.position
    ahead = ahead / np.linalg.norm(ahead)
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right = right / np.linalg.norm(right)
    down = np.cross(ahead, right)
    scale = 2 * np.tan(camera.fov / 2) / HEIGHT
    way = ahead + scale * ((x + 0.5 - WIDTH / 2) * right + (y + 0.5 - HEIGHT / 2) * down)
    return (camera.position - way * camera.position[2] / way[2])[:2]


def test_dragging_turns_the_camera_and_leaves_the_flag(steered: Opened) -> None:
    (camera,) = (client.camera for client in steered.server.get_clients().values())
    before = camera.position.copy()
    mouse = steered.page.mouse
    mouse.move(*FREE)
    mouse.down()
    mouse.move(FREE[0] + 60, FREE[1], steps=5)
    mouse.up()
    until(steered.page, lambda: np.linalg.norm(camera.position - before) > 0.1)
    until(steered.page, lambda: time.time() - camera.update_timestamp > 0.5)  # it comes to rest
    assert steered.live.session.target == (20.0, 0.0)


def test_keys_move_the_flag_as_seen_by_the_camera(steered: Opened) -> None:
    session = steered.live.session
    (camera,) = (client.camera for client in steered.server.get_clients().values())
    away = (camera.look_at - camera.position)[:2] / np.linalg.norm((camera.look_at - camera.position)[:2])
    left = np.array([-away[1], away[0]])
    for key, way in {"i": away, "k": -away, "j": left, "l": -left}.items():
        before = np.array(session.target)
        changes(steered, lambda: session.target, partial(steered.page.keyboard.press, key))
        assert np.array(session.target) - before == pytest.approx(way, abs=1e-6)


def test_keys_and_buttons_do_the_same(steered: Opened) -> None:
    live, page = steered.live, steered.page
    states: dict[tuple[str, str], Callable[[], object]] = {
        ("pause", "p"): lambda: live.paused,
        ("slow motion", "m"): lambda: live.pace,
        ("wander", "n"): lambda: live.session.wander,
    }
    for (label, key), state in states.items():
        changes(steered, state, partial(page.keyboard.press, key))
        changes(steered, state, page.get_by_role("button", name=label).click)
    assert (live.paused, live.pace, live.session.wander) == (False, 1.0, True)


def test_cubes_pushes_and_a_new_beginning(steered: Opened) -> None:
    live, page = steered.live, steered.page
    for act in both(page, "c", "throw a cube"):
        live.ask(live.session.reset)
        until(page, lambda: height_of_cube(live.session) == 20.0)
        act()
        until(page, lambda: height_of_cube(live.session) < 5.0)
    for act in both(page, "v", "push"):
        changes(steered, lambda: live.session._side, act)  # from which the last push came
    press(steered, "p", lambda: live.paused)  # no episode ends by itself
    for act in both(page, "r", "reset"):
        changes(steered, lambda: live.session.episodes, act)


def both(page: Any, key: str, button: str) -> tuple[Callable[[], object], ...]:
    return partial(page.keyboard.press, key), page.get_by_role("button", name=button).click


def height_of_cube(session: Session) -> float:
    return float(session._task.simulation.qpos[0, -5])


def test_a_key_that_is_held_down_counts_once_but_for_those_that_move_the_flag(steered: Opened) -> None:
    session, page = steered.live.session, steered.page
    press(steered, "p", lambda: steered.live.paused)
    before = session.episodes
    for _ in range(5):
        page.keyboard.down("r")  # the browser takes all but the first for repeats
    page.keyboard.up("r")
    session.set_target(20.0, 0.0)
    for _ in range(5):
        page.keyboard.down("i")  # these come after
    page.keyboard.up("i")
    until(page, lambda: session.target is not None and np.hypot(session.target[0] - 20, session.target[1]) > 4.99)
    assert session.episodes == before + 1


def test_numbers_are_live(steered: Opened) -> None:
    text = steered.page.inner_text("table")
    assert "m/s" in text
    assert "flags reached" in text
    until(steered.page, lambda: steered.page.inner_text("table") != text)


def test_pictures_keep_coming_and_none_when_paused(steered: Opened) -> None:
    def come() -> int:
        before = len(steered.frames)
        steered.page.wait_for_timeout(500)
        return len(steered.frames) - before

    before = len(steered.frames)
    until(steered.page, lambda: len(steered.frames) > before + 60)
    press(steered, "p", lambda: steered.live.paused)
    until(steered.page, lambda: come() == 0)


def test_another_agent_takes_over_and_clicks_do_not_disturb_it(steered: Opened) -> None:
    live, page = steered.live, steered.page
    (camera,) = (client.camera for client in steered.server.get_clients().values())
    choose(page, OTHER)
    until(page, lambda: live.session.target is None)
    until(page, lambda: page.evaluate("document.activeElement.tagName") != "INPUT")
    press(steered, "m", lambda: live.pace < 1.0)
    press(steered, "m", lambda: live.pace == 1.0)
    page.mouse.click(*FREE)
    until(page, lambda: live.session.numbers.episode_seconds > 1.0)
    assert not page.get_by_role("button", name="wander").is_visible()
    assert page.get_by_role("button", name="throw a cube").is_visible()
    assert "to the flag" not in page.inner_text("table")
    view = live.session.simulated.view
    until(page, lambda: at_distance(camera, view))
    choose(page, AGENT)
    until(page, lambda: live.session.target is not None)
    until(page, lambda: page.get_by_role("button", name="wander").is_visible())
    changes(steered, lambda: live.session.target, partial(page.mouse.click, *FREE))


def choose(page: Any, name: str) -> None:
    page.locator("input[role=combobox]:visible").click()
    page.get_by_role("option", name=name).click()


@pytest.mark.slow
def test_the_page_has_its_own_name_and_its_panel_is_folded_on_a_phone(opened: Opened) -> None:
    assert opened.page.title() == "steer"
    speed = opened.page.get_by_text("speed", exact=True)

    def top(shown: Any) -> float:
        """Return where it begins, from above; far below while the page puts new numbers in its place."""
        box = shown.bounding_box()
        return 1e9 if box is None else box["y"]

    until(opened.page, lambda: top(speed) < HEIGHT)
    with open_page(opened.page.context.browser, viewport={"width": 390, "height": 844}) as phone:
        phone.goto(opened.page.url)
        title = phone.locator("#root").get_by_text("steer", exact=True)
        title.wait_for(timeout=1000 * PATIENCE)
        until(phone, lambda: 0.9 * 844 < top(title) < 844)  # the panel is at the bottom, and no higher
        phone.wait_for_timeout(500)
        title.click()
        until(phone, lambda: top(title) < 0.5 * 844)
