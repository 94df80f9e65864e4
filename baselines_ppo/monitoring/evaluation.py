"""Evaluations on the way: episodes of their own, of which the training notices nothing."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from time import perf_counter

import numpy as np

from baselines_ppo.common.envs.backend_contract import Backend
from baselines_ppo.common.envs.episodes import Episodes, PlayedEpisode
from baselines_ppo.common.envs.facts import means_of
from baselines_ppo.common.envs.treatment import STREAMS, OwnStreams
from baselines_ppo.common.failures import DataError
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.seeding import Purpose, episode_seed
from baselines_ppo.settings.config import TrainConfig

ROWS = 16  # episodes at once on a rank, at most

Figures = dict[str, float]  # by the names of their columns


class Evaluator:
    """Plays the same episodes again and again with the policy as it is, shared out among the ranks.

    The most likely actions are taken. What an episode comes to depends on its number, the seed and the policy alone, so
    figures do not depend on the number of ranks, nor on earlier evaluations.
    """

    def __init__(
        self, config: TrainConfig, comm: Comm, agent: Agent, make: Callable[[int], Backend], most_steps: float
    ) -> None:
        """Make the environments, apart from those of the training.

        Args:
          agent: acts with the training's own policy.
          make: makes so many environments.
          most_steps: of an episode, which may have no end of its own.

        Raises:
          UsageError: making an environment failed.
        """
        self.seconds = math.inf  # that the last evaluation took; of the first, nobody knows
        self._config, self._comm, self._agent = config, comm, agent
        self._own = range(comm.rank, config.eval_episodes, comm.size)
        self._seed = episode_seed(config.seed, 2, 0, Purpose.MEASURING)  # of global streams
        self._streams = OwnStreams(tuple(STREAMS), self._seed)
        self._backend: Backend | None = None
        self._player: Episodes | None = None
        self._rows = min(len(self._own), ROWS)
        if self._rows:
            with self._streams:
                self._backend = make(self._rows)
            self._player = Episodes(
                agent, self._backend, self._rows, config.env, config.seed, most_steps, Purpose.MEASURING
            )

    def is_due(self, iteration: int, last: bool = False) -> bool:
        """Return whether the policy after an iteration is evaluated.

        Args:
          last: all steps are made.
        """
        interval = self._config.eval_interval
        return interval is not None and (last or iteration % interval == 0)

    def evaluate(self) -> Figures:
        """Return figures over all episodes on rank 0, and nothing elsewhere.

        Where environments that raise may be made again, nothing on any rank, with a warning, if one did.

        Raises:
          DataError: an environment raised, or gave something unusable; the same on all ranks.
        """
        begun = perf_counter()
        self._streams.seed(self._seed)
        with self._streams:
            played = self._comm.together(self._play, "an evaluation")
        gathered = self._comm.gather(played, "evaluated episodes") or []
        self.seconds = perf_counter() - begun
        count = 0 if None in gathered or not gathered else self._config.eval_episodes
        parts = [part or [] for part in gathered]
        episodes = [parts[k % self._comm.size][k // self._comm.size] for k in range(count)]
        return figures_of(episodes) if episodes else {}

    def _play(self) -> list[PlayedEpisode] | None:
        """Return what this rank's episodes come to; None where an environment raised and all were made again."""

        def tell(how_far: Callable[[], str]) -> None:
            self._comm.alive.note(f"evaluating, {how_far()}")

        if self._player is None or self._backend is None:
            return []
        try:
            return self._player.play(self._own, deterministic=True, tell=tell)
        except DataError as error:
            if not (self._config.env_restarts and hasattr(self._backend, "environments")):  # a vector form has none
                raise
            sys.stderr.write(f"warning: an evaluation was left: {error}\n")
            for row in range(self._rows):
                self._backend.make_again(row)
            return None

    def close(self) -> None:
        """Close the environments."""
        if self._backend is not None:
            self._backend.close()


def figures_of(episodes: list[PlayedEpisode]) -> Figures:
    """Return means over episodes in their order, by the names of their columns."""
    means = {
        "return": float(np.mean([episode.episode_return for episode in episodes])),
        "length": float(np.mean([episode.length for episode in episodes])),
        **means_of(episode.facts for episode in episodes),
    }
    return {f"eval_{name}": value for name, value in means.items()}
