"""`steer`: an agent in the browser that runs where one clicks; and any agent to watch there."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from baselines_ppo.common.agent import Agent
from baselines_ppo.common.envs import OWN_ID, make_environment
from baselines_ppo.common.opengl import has_display
from baselines_ppo.common.pretrained import PREFIX, locate, names
from baselines_ppo.run.evaluate import trusted
from baselines_ppo.run.live import Live
from baselines_ppo.run.local_server import LOCAL, local_server
from baselines_ppo.run.page import Load, Page
from baselines_ppo.run.stage import require_viser
from baselines_ppo.run.steering import Session, make_steered

HOST, PORT = "127.0.0.1", 8080
EVERYWHERE = ("0.0.0.0", "::")  # which are no address to open


def steer(
    agent: str,
    env: str | None,
    wrapper: tuple[str, ...] | None,
    network: str | None,
    seed: int,
    host: str,
    port: int,
    env_kwargs: str | None = None,
) -> int:
    """Serve a page on which an agent is told where to run, until Ctrl-C; returns the exit code.

    Raises:
      UsageError: viser is not installed, the port is taken, or the environment is not one of ours.
      LoadError: there is no such agent.
    """
    require_viser()

    def load(name: str) -> Session:
        chosen = (env, wrapper, network, env_kwargs) if name == agent else (None, None, None, None)
        loaded, env_id, wrappers, keywords = trusted(name, *chosen)
        return Session(loaded, make_steered(env_id, wrappers, **keywords), env_id, seed)

    session = load(agent)
    own = [f"{PREFIX}{name}" for name in names() if OWN_ID.fullmatch(name)]
    others = [name for name in own if locate(name) != locate(agent)]
    return serve(session, host, port, [agent, *others], load)


def watch(
    loaded: Agent,
    env_id: str,
    wrappers: Sequence[str] = (),
    seed: int = 0,
    deterministic: bool = True,
    host: str = HOST,
    port: int = PORT,
    keywords: Mapping[str, Any] = MappingProxyType({}),
) -> int:
    """Serve a page on which an agent acts by itself in any environment of MuJoCo's, until Ctrl-C.

    Raises:
      UsageError: viser is not installed, the port is taken, or MuJoCo does not simulate this environment.
      LoadError: the environment has other spaces than the agent.
    """
    require_viser()
    environment = make_environment(env_id, wrappers, **keywords)
    return serve(Session(loaded, environment, env_id, seed, deterministic), host, port)


def serve(session: Session, host: str, port: int, agents: Sequence[str] = (), load: Load | None = None) -> int:
    """Serve a page with a session until Ctrl-C; returns the exit code.

    Args:
      agents, load: see `Page`.

    Raises:
      UsageError: the port is taken.
    """
    live = Live(session)
    try:
        with local_server(host, port, "baselines_ppo") as server:
            page = Page(server, live, agents, load)
            print(address(host, server.get_port()), flush=True)
            live.run(page.show, page.watched)
    except KeyboardInterrupt:
        print("stopped")
    finally:
        live.session.close()
    return 0


def address(host: str, port: int) -> str:
    """Return what to tell a user who is to open the page."""
    name = socket.gethostname() if host in EVERYWHERE else host
    place = f"http://{f'[{name}]' if ':' in name else name}:{port}"
    if has_display() or host.lower() not in LOCAL:
        return f"open {place} in a browser; Ctrl-C ends it"
    tunnel = f"ssh -L {port}:localhost:{port} {socket.gethostname()}"
    return f"open {place} in a browser; from another machine, first {tunnel}; Ctrl-C ends it"
