"""The server of a page: whom it answers, and where it is found."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from baselines_ppo.common.failures import UsageError
from baselines_ppo.run.agents.serving import address
from baselines_ppo.run.show.local_server import local_server, refusal


@pytest.mark.parametrize(
    ("host", "headers", "refused"),
    [
        ("127.0.0.1", {"Host": "127.0.0.1:8080"}, False),
        ("127.0.0.1", {"Host": "localhost:9000"}, False),
        ("127.0.0.1", {"Host": "[::1]:8080"}, False),
        ("127.0.0.1", {"Host": "evil.example:8080"}, True),
        ("127.0.0.1", {"Host": "localhost.evil.example"}, True),
        ("127.0.0.1", {"Host": "192.168.1.2:8080"}, True),
        ("127.0.0.1", {"Host": "[::1"}, True),
        ("127.0.0.1", {}, True),
        ("127.0.0.1", {"Host": "localhost:8080", "Origin": "http://localhost:8080"}, False),
        ("127.0.0.1", {"Host": "localhost:8080", "Origin": "http://evil.example"}, True),
        ("127.0.0.1", {"Host": "localhost:8080", "Origin": "http://localhost:3000"}, True),
        ("127.0.0.1", {"Host": "localhost:8080", "Origin": "null"}, True),
        ("0.0.0.0", {"Host": "192.168.1.2:8080"}, False),
        ("0.0.0.0", {"Host": "evil.example:8080"}, True),
        ("0.0.0.0", {"Host": f"{socket.gethostname().upper()}:8080"}, False),
        ("robots.example", {"Host": "robots.example:8080"}, False),
        ("Robots.Example", {"Host": "robots.EXAMPLE:8080", "Origin": "http://robots.example:8080"}, False),
        ("LocalHost", {"Host": "evil.example:8080"}, True),
        ("LocalHost", {"Host": "192.168.1.2:8080"}, True),
        ("127.0.0.1", {"Host": "localhost:8080", "Origin": "http://[::1"}, True),
    ],
)
def test_other_sites_are_refused(host: str, headers: dict[str, str], refused: bool) -> None:
    assert (refusal(headers, host) is not None) == refused


@pytest.mark.parametrize("path", ["/?websocket=ws://evil.example", "/?%77ebsocket=ws://evil.example", "/index.html?"])
def test_links_that_tell_the_page_what_to_do_are_refused(path: str) -> None:
    assert refusal({"Host": "localhost:8080"}, "127.0.0.1") is None
    assert refusal({"Host": "localhost:8080"}, "127.0.0.1", path) is not None


def test_a_taken_port_and_a_strange_host_are_said_at_once() -> None:
    pytest.importorskip("viser")
    taken = "Address already in use; give another --port"
    with local_server("127.0.0.1", 0, "one") as server, pytest.raises(UsageError, match=taken):
        local_server("127.0.0.1", server.get_port(), "two").__enter__()
    with pytest.raises(UsageError, match=r"cannot listen at port 8080 of nowhere\.invalid"):
        local_server("nowhere.invalid", 8080, "three").__enter__()
    with pytest.raises(UsageError, match="--port is 70000"):
        local_server("127.0.0.1", 70000, "four").__enter__()
    with pytest.raises(UsageError, match="cannot listen at port 8080 of AAA"):
        local_server("A" * 70, 8080, "five").__enter__()


def test_of_several_addresses_the_first_that_is_free_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("viser")
    resolve = socket.getaddrinfo

    def resolve_to_many(host: str, *rest: Any, **settings: Any) -> Any:
        """Resolve as where a name has also an address that is not this machine's, as ::1 often is not."""
        places = ("203.0.113.7", "127.0.0.1", "127.0.0.2") if host == "robots.example" else (host,)
        return [found for place in places for found in resolve(place, *rest, **settings)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve_to_many)
    with local_server("robots.example", 0, "many") as server:
        at = server.get_port()
        with socket.create_connection(("127.0.0.1", at)) as connection:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: robots.example:{at}\r\n\r\n".encode())
            assert connection.recv(12) == b"HTTP/1.1 200"
        with socket.socket() as other:
            assert other.connect_ex(("127.0.0.2", at)) != 0


def test_a_server_that_nobody_guards_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    viser = pytest.importorskip("viser")
    import websockets.asyncio.server

    serve, start = websockets.asyncio.server.serve, viser.ViserServer

    def start_in_another_way(**settings: Any) -> Any:
        websockets.asyncio.server.serve = serve  # type: ignore[misc]
        return start(**settings)

    monkeypatch.setattr(viser, "ViserServer", start_in_another_way)
    with pytest.raises(UsageError, match="cannot be guarded"):
        local_server("127.0.0.1", 0, "open").__enter__()


def test_it_is_told_where_to_open_the_page() -> None:
    assert "http://127.0.0.1:8080 " in address("127.0.0.1", 8080)
    assert "http://[::1]:8080 " in address("::1", 8080)
    assert f"http://{socket.gethostname()}:8080 " in address("0.0.0.0", 8080)
