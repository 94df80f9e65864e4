"""Pages are guarded: other names, other sites, links, frames, malformed messages; and nothing leaves the machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from baselines_ppo.run.show.local_server import POLICY
from tests.browser import open_page
from tests.show.conftest import Opened, until
from tests.show.test_steer_command import answer


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
    with viser_server() as other, open_page(opened.page.context.browser) as page:
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
