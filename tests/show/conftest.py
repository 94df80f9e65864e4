"""A page of `steer` that is open in a browser."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.common.files.agent import load_agent
from baselines_ppo.run.agents.live import Live
from baselines_ppo.run.agents.steering import Session, make_steered
from baselines_ppo.run.show.local_server import local_server
from baselines_ppo.run.show.page import CHASE, Page
from tests.browser import open_browser, require_playwright

AGENT, OTHER = "RoboHumanoidFlagrun-v1", "RoboHalfCheetah-v1"
WIDTH, HEIGHT = 640, 480  # pixels
PATIENCE = 60.0  # s, for what takes a moment on a quiet machine


class Opened(NamedTuple):
    """A page that is open in a browser, and what it shows."""

    page: Any
    live: Live
    server: Any
    requests: list[str]  # addresses
    frames: list[float]  # when something came from the server, s


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    """Steer an agent, and open the page."""
    playwright = require_playwright()
    live = Live(session_of(AGENT))
    stop = threading.Event()
    with local_server("127.0.0.1", 0, "steer") as server, playwright.sync_playwright() as driver:
        shown = Page(server, live, [AGENT, OTHER], session_of)
        thread = threading.Thread(target=live.run, args=(shown.show, shown.watched, stop))
        thread.start()
        browser = open_browser(driver)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        requests: list[str] = []
        frames: list[float] = []
        page.on("request", lambda request: requests.append(request.url))

        def listen(websocket: Any) -> None:
            requests.append(websocket.url)
            websocket.on("framereceived", lambda _: frames.append(time.monotonic()))

        page.on("websocket", listen)
        page.goto(f"http://127.0.0.1:{server.get_port()}")
        until(page, shown.watched)
        page.wait_for_selector("text=speed")
        until(page, lambda: all(at_distance(client.camera, CHASE) for client in server.get_clients().values()))
        yield Opened(page, live, server, requests, frames)
        browser.close()
        stop.set()
        thread.join(10)
        live.session.close()


@pytest.fixture
def steered(opened: Opened) -> Opened:
    """A page on which an episode of the runner has just begun."""
    if opened.live.paused:
        opened.page.keyboard.press("p")
        until(opened.page, lambda: not opened.live.paused)
    begun = threading.Event()
    opened.live.ask(opened.live.session.reset)
    opened.live.ask(partial(opened.live.session.set_target, 20.0, 0.0))
    opened.live.ask(begun.set)
    until(opened.page, begun.is_set)
    return opened


def session_of(name: str) -> Session:
    return Session(load_agent(f"zoo:{name}"), EnvironmentSpec(name), make_steered)


def until(page: Any, true: Callable[[], object]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it never came"
        page.wait_for_timeout(20)


def press(steered: Opened, key: str, true: Callable[[], object]) -> None:
    steered.page.keyboard.press(key)
    until(steered.page, true)


def changes(steered: Opened, state: Callable[[], object], act: Callable[[], object]) -> None:
    """Do something, and wait until it has changed something."""
    before = state()
    act()
    until(steered.page, lambda: state() != before)


def at_distance(camera: Any, view: Mapping[str, Any]) -> bool:
    return bool(abs(np.linalg.norm(camera.position - camera.look_at) - view["distance"]) < 0.01)
