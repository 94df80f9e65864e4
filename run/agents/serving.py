"""`steer`: an agent in the browser that runs where one clicks; any agent to watch there; and what serves all pages."""

from __future__ import annotations

import socket
from collections.abc import Callable

from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.job.opengl import has_display
from baselines_ppo.run.agents.choices import Shows, is_ours, is_turned, offered
from baselines_ppo.run.agents.live import Live, S
from baselines_ppo.run.agents.scoring import trusted
from baselines_ppo.run.agents.steering import Session, make_steered
from baselines_ppo.run.show.local_server import LOCAL, local_server
from baselines_ppo.run.show.page import Page
from baselines_ppo.run.show.stage import require_viser
from baselines_ppo.run.show.steer_page import SteerPage

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

    def load(typed: str) -> Session:
        chosen = (env, wrapper, network, env_kwargs) if typed == agent else (None, None, None, None)
        return Session(*trusted(typed, *chosen), make_steered, seed)

    return serve(SteerPage, agent, load, is_ours, host, port)


def watch(
    agent: str, loaded: tuple[Agent, EnvironmentSpec], seed: int, deterministic: bool, host: str, port: int
) -> int:
    """Serve a page on which an agent acts by itself in any environment of MuJoCo's, until Ctrl-C.

    Args:
      loaded: what `trusted` returned for this agent; others are loaded when they are chosen.

    Raises:
      UsageError: viser is not installed, the port is taken, or MuJoCo does not simulate this environment.
      LoadError: the environment has other spaces than the agent.
    """
    require_viser()

    def load(typed: str) -> Session:
        acting = loaded if typed == agent else trusted(typed, None, None, None)
        return Session(*acting, make_environment, seed, deterministic)

    return serve(SteerPage, agent, load, is_turned, host, port)


def serve(page_of: type[Page[S]], agent: str, load: Callable[[str], S], shows: Shows, host: str, port: int) -> int:
    """Serve a page with an agent, and others to choose from, until Ctrl-C; returns the exit code.

    Args:
      page_of: the kind of page.
      load: returns a session with what is typed.
      shows: whether it can, by the environment.

    Raises:
      UsageError: the port is taken.
    """
    agents = offered(agent, shows)
    live = Live(load(agent))
    try:
        with local_server(host, port, "baselines_ppo") as server:
            page = page_of(server, live, list(agents), lambda name: load(agents[name]))
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
