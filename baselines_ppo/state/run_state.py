"""What a run is made of, and how far it is: the data that its checkpoints hold."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TypedDict

import numpy as np

from baselines_ppo.algorithm import Algorithm
from baselines_ppo.common.envs.treatment import Treatment
from baselines_ppo.common.mpi import Comm
from baselines_ppo.common.policy.normalizer import Normalizer
from baselines_ppo.common.rollout import Collector
from baselines_ppo.settings.config import TrainConfig
from baselines_ppo.state.code import code_digest

WINDOW = 100  # finished episodes that returns and lengths are averaged over


@dataclass
class Counters:
    """How far a run is; all global, the window on rank 0 only."""

    iteration: int = 0
    total_steps: int = 0
    episodes: int = 0
    seconds: float = 0.0
    window: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=WINDOW))  # returns, lengths

    @property
    def mean_return(self) -> float | None:
        """Mean raw return of the last finished episodes."""
        return float(np.mean([episode[0] for episode in self.window])) if self.window else None

    @property
    def mean_length(self) -> float | None:
        """Mean length of the last finished episodes, in steps."""
        return float(np.mean([episode[1] for episode in self.window])) if self.window else None


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
