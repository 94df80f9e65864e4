"""Pictures of a search: how the score rose, and which fields it depends on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from optuna.trial import FrozenTrial, TrialState

from baselines_ppo.common.failures import UsageError
from baselines_ppo.experiments.figures import COLOURS, GREY, panels, paper_style, write_figure
from baselines_ppo.experiments.tuning.report import ranked, score_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HISTORY, IMPORTANCE = "history.png", "importance.png"
ENOUGH = 10  # trials, below which nothing can be said of importance
BLUE, ORANGE, *_ = COLOURS


def write_figures(trials: Sequence[FrozenTrial], title: str, folder: Path) -> list[Path]:
    """Draw what there is enough of into a study's folder; returns the files, none without Matplotlib and SciPy.

    Raises:
      WriteError: one cannot be written.
    """
    figures: dict[str, Figure] = {}
    try:
        with paper_style():
            if ranked(trials):
                figures[HISTORY] = _history(trials, title)
            if importance := importance_of(trials):
                figures[IMPORTANCE] = _importance(importance, title)
    except UsageError as missing:
        sys.stderr.write(f"warning: no pictures: {missing}, then tune again\n")
        return []
    for name, figure in figures.items():
        write_figure(figure, folder / name)
    return [folder / name for name in figures]


def importance_of(trials: Sequence[FrozenTrial]) -> dict[str, float]:
    """Return how much of what makes trials good lies in each field, in parts of 1; {} where there are too few trials.

    PED-ANOVA (Watanabe et al. 2023, arXiv:2304.10255), over the trials that were trained to their end.
    """
    best = ranked(trials)
    if len(best) < ENOUGH:
        return {}
    scored = optuna.create_study(direction="maximize")
    scored.add_trials(best)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    return optuna.importance.get_param_importances(scored, evaluator=evaluator)


def _history(trials: Sequence[FrozenTrial], title: str) -> Figure:
    """Return a picture of every trial's score, and of the best so far."""
    figure, (axes,) = panels(1, 5.4, 3.8)
    scored = {trial.number: score_of(trial) for trial in ranked(trials)}
    pruned = {
        trial.number: trial.intermediate_values[max(trial.intermediate_values)]
        for trial in trials
        if trial.state == TrialState.PRUNED and trial.intermediate_values
    }
    lost = [trial.number for trial in trials if trial.number not in scored and trial.number not in pruned]
    numbers = sorted(scored)
    best = [max(scored[k] for k in numbers if k <= number) for number in numbers]
    axes.step([*numbers, trials[-1].number], [*best, best[-1]], where="post", color=BLUE, label="best so far")
    if pruned:
        axes.plot([*pruned], [*pruned.values()], "x", color=GREY, markersize=5, label="pruned, return when it ended")
    axes.plot([*scored], [*scored.values()], "o", color=BLUE, markersize=4, label="trained to the end")
    if 0 in scored:
        axes.axhline(scored[0], color=ORANGE, linewidth=1, linestyle="--", label="trial 0")
    if lost:
        low = axes.get_ylim()[0]
        axes.plot(lost, [low] * len(lost), "v", color=ORANGE, markersize=5, clip_on=False, label="could not be trained")
    axes.set(xlabel="trial", ylabel="mean return of the last 100 episodes", title=title)
    figure.legend(loc="outside lower center", ncols=2)  # over no point
    return figure


def _importance(importance: dict[str, float], title: str) -> Figure:
    """Return a picture of how much the score depends on each field."""
    names = list(importance)[::-1]
    figure, (axes,) = panels(1, 5.4, 0.8 + 0.25 * len(names))
    axes.barh(names, [importance[name] for name in names], color=BLUE, height=0.6)
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="importance (parts of 1)", title=title)
    return figure
