"""A viser server that sends nothing but pages: to this machine's own browser, or to all where `--host` says so."""

from __future__ import annotations

import contextlib
import http
import io
import ipaddress
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.run.show.stage import require_viser

if TYPE_CHECKING:
    import viser

LOCAL = ("localhost", "127.0.0.1", "::1")
NARROW = 600  # pixels, of a phone
# Names the page, and folds the panel where it would cover half of the picture; a touch of its title unfolds it.
DRESSING = """
document.title = {title};
if (innerWidth < {narrow}) {{
    const panel = setInterval(() => {{
        const titled = [...document.querySelectorAll("#root *")].filter(
            e => !e.children.length && e.textContent === {title} && e.getClientRects().length);
        if (titled.length) {{ clearInterval(panel); titled.pop().click(); }}
    }}, 100);
}}"""
# The page has its scripts and all else from here, and is no part of another.
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; frame-ancestors 'none'"


@contextlib.contextmanager
def local_server(host: str, port: int, title: str) -> Iterator[viser.ViserServer]:
    """Give a server of 3D scenes that listens at a port of a host, 0: any free one; it is stopped afterwards.

    Raises:
      UsageError: viser is not installed, or not as it is known here, or nothing can listen there.
    """
    require_viser()
    import viser
    from viser import _messages

    address = _free_address(host, port)
    with _guarded(host) as guarded, _quiet():
        server = viser.ViserServer(host=address, port=port, label=title, verbose=False)
    try:
        if not guarded.is_set():
            raise UsageError(f"viser {viser.__version__} cannot be guarded; pip install 'viser>=1.1.1,<1.2'")
        server.gui.configure_theme(show_logo=False, show_share_button=False)
        # A page that does not show the button could still ask for a tunnel to a server of viser's.
        server._websock_server.unregister_handler(_messages.ShareUrlRequest)
        script = _messages.RunJavascriptMessage(DRESSING.format(title=json.dumps(title), narrow=NARROW))
        server.on_client_connect(lambda client: client._websock_connection.queue_message(script))  # no part of replays
        yield server
    finally:
        with _quiet():
            server.stop()


def refusal(headers: Mapping[str, str], host: str, path: str = "/") -> str | None:
    """Return why a request is refused, or None if it is not.

    Without this, any web site that the user visits could steer too: a page of its own may open a websocket to any
    address (its Origin tells), and a name of its own may be made to lead here (its Host tells). Or it leads the user
    here, by a link that has the page take its scripts from another server (`?websocket=`) or a recording
    (`?playbackPath=`).

    Args:
      headers: of the request.
      host: what the server listens at.
      path: what is asked for.
    """
    host, asked = host.lower(), headers.get("Host", "").lower()
    name = _name(asked)
    here = socket.gethostname().lower()
    if name not in (*LOCAL, host) and (host in LOCAL or not (_is_address(name) or name == here)):
        return f"this server is not {name or 'without a name'}\n"
    origin = headers.get("Origin")
    if origin is not None and origin.lower().partition("://")[2] != asked:
        return "another site has no business here\n"
    if "?" in path:
        return "this address has a question mark; open what comes before it\n"
    return None


@contextlib.contextmanager
def _guarded(host: str) -> Iterator[threading.Event]:
    """Let the server that is started meanwhile check who asks, and what; viser itself has no setting for it.

    Gives what is set when there is such a server.
    """
    import websockets.asyncio.server as websockets_server

    serve, guarded = websockets_server.serve, threading.Event()

    from baselines_ppo.run.show.messages import checked  # of viser's packages, which nothing else here needs

    def serve_own(handler: Any, *arguments: Any, process_request: Callable[..., Any], **settings: Any) -> Any:
        def process(connection: Any, request: Any) -> Any:
            reason = refusal(request.headers, host, request.path)
            if reason:
                return connection.respond(http.HTTPStatus.FORBIDDEN, reason)
            response = process_request(connection, request)
            if response is not None:
                response.headers["Content-Security-Policy"] = POLICY
            return response

        guarded.set()
        return serve(checked(handler), *arguments, process_request=process, **settings)

    websockets_server.serve = serve_own  # type: ignore[assignment,misc]
    try:
        yield guarded
    finally:
        websockets_server.serve = serve  # type: ignore[misc]


def _free_address(host: str, port: int) -> str:
    """Return the first address of a host at which one can listen; viser would take the next port, or wait for ever.

    Raises:
      UsageError: there is none.
    """
    if not 0 <= port < 1 << 16:
        raise UsageError(f"--port is {port}, expected 0 to 65535")
    reason: Exception | None = None
    try:
        for family, *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            problem = _problem(family, address)
            if problem is None:
                return str(address[0])
            reason = reason or problem
    except (OSError, UnicodeError) as error:
        reason = error
    text = getattr(reason, "strerror", None) or reason
    raise UsageError(f"cannot listen at port {port} of {short(host)}: {text}; give another --port, or 0")


def _problem(family: int, address: Any) -> OSError | None:
    """Return why one cannot listen at an address, or None if one can."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        return error
    return None


def _name(host: str) -> str:
    """Return the name or address in a Host header, without the port; "" if there is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep viser from printing its own banner, which would be a picture in a notebook."""
    import rich  # as viser prints it

    console = rich.get_console()
    before, console.quiet = console.quiet, True
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        console.quiet = before
