"""`pong`: a person plays against an agent, in the browser."""

from __future__ import annotations

from baselines_ppo.run.agents.duel import Duel, player
from baselines_ppo.run.agents.serving import serve
from baselines_ppo.run.show.pong_page import PongPage
from baselines_ppo.run.show.stage import require_viser
from baselines_ppo.zoo.tasks.opponents import PLAYED


def pong(agent: str, network: str | None, level: str, seed: int, host: str, port: int) -> int:
    """Serve a page on which a person plays Pong against an agent, until Ctrl-C; returns the exit code.

    Args:
      level: one of `LEVELS`, at which every agent plays at first.

    Raises:
      UsageError: viser is not installed, the port is taken, or the agent does not play Pong.
      LoadError: there is no such agent.
    """
    require_viser()

    def load(typed: str) -> Duel:
        return Duel(player(typed, network if typed == agent else None), seed, level)

    return serve(PongPage, agent, load, lambda env_id: env_id.rpartition(":")[2] in PLAYED, host, port)
