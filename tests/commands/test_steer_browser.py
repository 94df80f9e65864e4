"""Steering in a real browser: headless Chromium, driven by playwright."""

from __future__ import annotations

import http.client
import io
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pytest

from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.common.files.agent import load_agent
from baselines_ppo.run.agents.live import Live
from baselines_ppo.run.agents.steering import Session, make_steered
from baselines_ppo.run.show.local_server import POLICY, local_server
from baselines_ppo.run.show.page import CHASE, Page
from tests.browser import open_browser, require_playwright
from tests.conftest import ROOT

playwright = require_playwright()

AGENT, OTHER = "RoboHumanoidFlagrun-v1", "RoboHalfCheetah-v1"
WIDTH, HEIGHT = 640, 480  # pixels
FREE = (150, 330)  # where the picture shows the floor and nothing else
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


def at_distance(camera: Any, view: Mapping[str, Any]) -> bool:
    return bool(abs(np.linalg.norm(camera.position - camera.look_at) - view["distance"]) < 0.01)


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


def test_the_page_has_its_own_name_and_its_panel_is_folded_on_a_phone(opened: Opened) -> None:
    assert opened.page.title() == "steer"
    speed = opened.page.get_by_text("speed", exact=True)

    def top(shown: Any) -> float:
        """Return where it begins, from above; far below while the page puts new numbers in its place."""
        box = shown.bounding_box()
        return 1e9 if box is None else box["y"]

    until(opened.page, lambda: top(speed) < HEIGHT)
    with opened.page.context.browser.new_page(viewport={"width": 390, "height": 844}) as phone:
        phone.goto(opened.page.url)
        title = phone.locator("#root").get_by_text("steer", exact=True)
        title.wait_for(timeout=1000 * PATIENCE)
        until(phone, lambda: 0.9 * 844 < top(title) < 844)  # the panel is at the bottom, and no higher
        phone.wait_for_timeout(500)
        title.click()
        until(phone, lambda: top(title) < 0.5 * 844)


def test_malformed_messages_are_dropped_without_a_word(opened: Opened, capfd: pytest.CaptureFixture[str]) -> None:
    import msgspec
    import viser
    from websockets.sync.client import connect

    session = opened.live.session
    ray = {"ray_origin": [0, 0, 2], "ray_direction": [0.5, 0.25, -1.0], "screen_pos": [[0.5, 0.5]], "modifier": None}
    click = {"type": "ScenePointerMessage", "event_type": "click", **ray}
    turned = {"wxyz": [1, 0, 0, 0], "position": [0, 0, 1], "look_at": [1, 0, 0], "up_direction": [0, 0, 1]}
    camera = {
        "type": "ViewerCameraMessage",
        **turned,
        "fov": 1.0,
        "near": 0.1,
        "far": 9,
        "image_height": 9,
        "image_width": 9,
    }
    wrong: list[Any] = [
        {**click, "ray_origin": None}, {**click, "ray_direction": [0, 1]}, {**click, "ray_direction": "xyz"},
        {**click, "ray_direction": [float("nan")] * 3}, {**click, "event_type": "rect-select", "screen_pos": []},
        {**click, "screen_pos": []}, {**camera, "position": [None] * 3}, {**camera, "fov": "wide"},
        {**camera, "look_at": [float("inf"), 0, 0]}, {"type": "GuiUpdateMessage", "uuid": 7, "updates": {}},
        {"type": "GuiUpdateMessage", "uuid": "", "updates": {"removed": True}}, {"type": "Unheard"}, {}, [1, 2], None,
        {"type": "CommandTriggerMessage", "uuid": ["r"]}, {"type": "FileTransferStartUpload"},
    ]  # fmt: skip
    address, protocol = opened.page.url.replace("http", "ws"), f"viser-v{viser.__version__}"
    capfd.readouterr()
    with connect(address, subprotocols=[protocol], max_size=None) as stranger:  # type: ignore[list-item]
        stranger.send(msgspec.msgpack.encode(camera))
        for message in wrong:
            stranger.send(msgspec.msgpack.encode(message))
        stranger.send(b"\xc1\x00")
        stranger.send("text")
        before = session.target
        stranger.send(msgspec.msgpack.encode(click))  # what is right still counts
        until(opened.page, lambda: session.target != before)
    assert np.isfinite(session.target or np.nan).all()
    assert capfd.readouterr() == ("", "")


def test_nothing_left_the_machine(opened: Opened) -> None:
    assert len(opened.requests) >= 2  # the page and its websocket
    assert {urlsplit(address.removeprefix("blob:")).hostname for address in opened.requests} == {"127.0.0.1"}
    assert not opened.page.get_by_role("button", name="Share").is_visible()
    handlers = opened.server._websock_server._incoming_handlers
    assert not any("Share" in message.__name__ and "Request" in message.__name__ for message in handlers)


def test_other_names_and_other_sites_are_refused(opened: Opened) -> None:
    port = opened.server.get_port()
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    upgrade["Sec-WebSocket-Key"] = "AAAAAAAAAAAAAAAAAAAAAA=="
    own = f"127.0.0.1:{port}"
    assert answer(port, {"Host": own}) == 200
    assert answer(port, {"Host": f"localhost:{port}"}) == 200
    assert answer(port, {"Host": f"evil.example:{port}"}) == 403
    assert answer(port, {"Host": own, "Origin": f"http://{own}", **upgrade}) == 101
    assert answer(port, {"Host": own, "Origin": "http://evil.example", **upgrade}) == 403
    assert answer(port, {"Host": "evil.example", "Origin": "http://evil.example", **upgrade}) == 403


def test_links_and_frames_do_not_put_other_scripts_on_the_page(opened: Opened) -> None:
    """A page of viser's runs what scripts it is sent by a server, and its address can name any."""
    own = opened.page.url
    with viser_server() as other, opened.page.context.browser.new_page() as page:
        refused = page.goto(f"{own}?websocket=ws://127.0.0.1:{other.get_port()}")
        assert refused.status == 403
        answered = page.goto(own)
        assert answered.headers["content-security-policy"] == POLICY
        assert "frame-ancestors 'none'" in POLICY
        assert page.evaluate(CONNECT, f"ws://127.0.0.1:{other.get_port()}") == "connect-src"
        assert page.evaluate(CONNECT, own.replace("http", "ws")) == "open"


CONNECT = """address => new Promise(done => {
    addEventListener("securitypolicyviolation", event => done(event.effectiveDirective));
    new WebSocket(address).onopen = () => done("open");
})"""


@contextmanager
def viser_server() -> Iterator[Any]:
    """Run what anybody can: a server that has every page which connects to it run a script."""
    import viser
    from viser._messages import RunJavascriptMessage

    server = viser.ViserServer(host="127.0.0.1", port=0, verbose=False)
    server._websock_server.queue_message(RunJavascriptMessage("document.title = 'taken over'"))
    yield server
    server.stop()


def answer(port: int, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("GET", "/", skip_host=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def test_the_command_prints_its_address_serves_and_ends_by_ctrl_c() -> None:
    command = [sys.executable, "-m", "baselines_ppo.run", "steer", OTHER, "--host", "localhost", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.match(r"open http://(\S+):(\d+) in a browser", line)
        assert found, line + (process.stderr.read() if process.stderr else "")
        assert answer(int(found[2]), {"Host": f"{found[1]}:{found[2]}"}) == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert (process.stderr.read() if process.stderr else "") == ""


def test_ctrl_c_before_there_is_a_page_says_nothing_of_a_training() -> None:
    # It comes as soon as the command is chosen, while all that it needs is loaded.
    program = """
import signal, sys
import baselines_ppo.run.cli as cli
from baselines_ppo.common.ending import run_job
class Interrupting:
    def find_spec(self, name, *_):
        if name == "baselines_ppo.run.show.page":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
run_job(lambda: cli.main(["steer"]))
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")
