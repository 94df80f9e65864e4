"""Pages that are open in a browser, such as one of `steer`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.common.files.agent import load_agent
from baselines_ppo.run.agents.live import Live
from baselines_ppo.run.agents.steering import Session, make_steered
from baselines_ppo.run.show.local_server import local_server
from baselines_ppo.run.show.steer_page import CHASE, SteerPage
from tests.browser import open_browser, open_page, require_playwright

AGENT, OTHER = "RoboHumanoidFlagrun-v1", "RoboHalfCheetah-v1"
WIDTH, HEIGHT = 640, 480  # pixels
PATIENCE = 60.0  # s, for what takes a moment on a quiet machine


class Opened(NamedTuple):
    """A page that is open in a browser, and what it shows."""

    page: Any
    live: Live[Any]
    server: Any
    requests: list[str]  # addresses
    frames: list[float]  # when something came from the server, s


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    """Steer an agent, and open the page."""
    with opened_in_browser(Live(session_of(AGENT)), partial(SteerPage, agents=[AGENT, OTHER], load=session_of)) as page:
        page.page.wait_for_selector("text=speed")
        cameras = [client.camera for client in page.server.get_clients().values()]
        until(page.page, lambda: all(at_distance(camera, CHASE) for camera in cameras))
        yield page


@contextmanager
def opened_in_browser(live: Live[Any], page_of: Callable[..., Any]) -> Iterator[Opened]:
    """Serve a page, of the kind that is made of a server and what goes on, and open it."""
    playwright = require_playwright()
    stop = threading.Event()
    with local_server("127.0.0.1", 0, "steer") as server, playwright.sync_playwright() as driver:
        shown = page_of(server, live)
        thread = threading.Thread(target=live.run, args=(shown.show, shown.watched, stop))
        thread.start()
        browser = open_browser(driver)
        page = open_page(browser, viewport={"width": WIDTH, "height": HEIGHT})
        requests: list[str] = []
        frames: list[float] = []
        page.on("request", lambda request: requests.append(request.url))

        def listen(websocket: Any) -> None:
            requests.append(websocket.url)
            websocket.on("framereceived", lambda _: frames.append(time.monotonic()))

        page.on("websocket", listen)
        page.goto(f"http://127.0.0.1:{server.get_port()}")
        until(page, shown.watched)
        try:
            yield Opened(page, live, server, requests, frames)
        finally:
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
