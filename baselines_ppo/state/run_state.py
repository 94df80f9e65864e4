"""What a run is made of, and how far it is: the data that its checkpoints hold."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypedDict

import numpy as np

from baselines_ppo.algorithm import Algorithm
from baselines_ppo.common.envs.facts import Facts
from baselines_ppo.common.envs.treatment import Treatment
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.normalizer import Normalizer
from baselines_ppo.common.rollout import Collector
from baselines_ppo.settings.config import TrainConfig
from baselines_ppo.state.code import code_digest

WINDOW = 100  # finished episodes that returns and lengths are averaged over


class Finished(NamedTuple):
    """What a finished episode came to."""

    episode_return: float  # raw
    length: int  # steps
    facts: Facts  # what its environment said of it


@dataclass
class Counters:
    """How far a run is; all global."""

    iteration: int = 0
    total_steps: int = 0
    seconds: float = 0.0
    episodes: int = 0  # on rank 0 only, like the next three
    eval_return: float | None = None  # of an evaluation after this very iteration
    best_eval_return: float | None = None
    window: deque[Finished] = field(default_factory=lambda: deque(maxlen=WINDOW))  # the last ones

    @property
    def mean_return(self) -> float | None:
        """Mean raw return of the last finished episodes."""
        return float(np.mean([episode.episode_return for episode in self.window])) if self.window else None

    @property
    def mean_length(self) -> float | None:
        """Mean length of the last finished episodes, in steps."""
        return float(np.mean([episode.length for episode in self.window])) if self.window else None


class Segment(TypedDict):
    """One stretch of a run between two starts."""

    from_iteration: int
    ranks: int
    exact: bool  # whether it continues the one before it bit for bit
    began: str
    code: str  # which made it, see `code_digest`


@dataclass
class RunState:
    """The parts of a run, all that changes from one iteration to the next among them."""

    config: TrainConfig
    comm: Comm
    collector: Collector  # with the environments, the policy and the statistics
    algorithm: Algorithm
    treatment: Treatment  # of the environments
    counters: Counters = field(default_factory=Counters)
    lineage: list[Segment] = field(default_factory=list)
    changed: dict[str, Any] = field(default_factory=dict)  # on the way: what the run began with, by field
    stages: list[dict[str, Any]] = field(default_factory=list)  # trainings of the agent it began with; see `stages_of`

    @property
    def learns_from_its_own(self) -> bool:
        """Whether this rank learns from its own steps, together with the others; else it learns from everyone's."""
        return self.algorithm.environments == self.collector.envs.indices

    def replicated(self) -> dict[str, np.ndarray]:
        """Return everything that all ranks hold alike, as named arrays."""
        state = dict(self.algorithm.state())
        for name, normalizer in self.normalizers().items():
            state.update({f"{name}/{key}": x for key, x in normalizer.state().items()})
        return state

    def normalizers(self) -> dict[str, Normalizer]:
        """Return all running statistics by the names under which they are saved."""
        policy, scaler = self.collector.policy, self.collector.reward_scaler
        always = {"observations": policy.observations, "value_targets": policy.value_targets}
        return always if scaler is None else {**always, "rewards": scaler}

    def begin_segment(self, exact: bool) -> None:
        """Note in the lineage that a stretch begins now."""
        began = time.strftime("%Y-%m-%d %H:%M:%S")
        now = self.counters.iteration
        stretch = Segment(from_iteration=now, ranks=self.comm.size, exact=exact, began=began, code=code_digest())
        self.lineage = [*self.lineage, stretch]
