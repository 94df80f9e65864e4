"""The row of an iteration, from what the ranks report: global, raw figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from baselines_ppo.common.envs.facts import means_of
from baselines_ppo.common.job.messages import Cost
from baselines_ppo.common.rollout import Episode
from baselines_ppo.monitoring.evaluation import Figures
from baselines_ppo.state.run_state import Counters, Finished, RunState

EVALUATED = ("eval_return", "eval_length")  # columns of a run that is evaluated, empty where it was not


class Report(NamedTuple):
    """What one rank has to say of an iteration."""

    episodes: list[Episode]  # that ended
    steps: int
    spent: dict[str, float]  # s, by what the time went to
    messages: Cost  # since its last report
    megabytes: float  # of memory


def count_episodes(counters: Counters, reports: Sequence[Report]) -> None:
    """Count the episodes that the ranks report, and take them among the last ones, in the order in which they ended."""
    finished = sorted(episode for report in reports for episode in report.episodes)
    counters.episodes += len(finished)
    counters.window.extend(Finished(episode.episode_return, episode.length, episode.facts) for episode in finished)


def row_of(
    run: RunState, reports: Sequence[Report], metrics: dict[str, float], evaluated: Figures | None, seconds: float
) -> dict[str, Any]:
    """Return the row of an iteration whose episodes have been counted.

    Args:
      reports: of all ranks.
      evaluated: figures of this iteration's evaluation; None where there was none.
      seconds: that the iteration took.
    """
    counters = run.counters
    columns = {} if run.config.eval_interval is None else dict.fromkeys(EVALUATED)
    times = {name: float(np.mean([report.spent[name] for report in reports])) for name in reports[0].spent}
    return {
        "iteration": counters.iteration,
        "total_steps": counters.total_steps,
        "updates": run.algorithm.updates,
        "seconds": counters.seconds,
        "steps_per_second": sum(report.steps for report in reports) / seconds,
        "episodes": counters.episodes,
        "episodes_averaged": len(counters.window),
        "episode_return": counters.mean_return,
        "episode_length": counters.mean_length,
        **means_of(episode.facts for episode in counters.window),
        **columns,
        **(evaluated or {}),
        **metrics,
        **{f"{name}_share": time / seconds for name, time in times.items()},
        "waiting_share": float(np.mean([report.messages.waited for report in reports])) / seconds,
        "sent_mb": max(report.messages.sent for report in reports) / 1e6,
        "memory_mb": max(report.megabytes for report in reports),
    }
