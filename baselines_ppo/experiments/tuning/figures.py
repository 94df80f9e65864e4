"""Pictures of a search: how the score rose, and which fields it depends on."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from baselines_ppo.common.files.whole import whole_file
from baselines_ppo.experiments.tuning.report import ranked, score_of

HISTORY, IMPORTANCE = "history.png", "importance.png"
ENOUGH = 10  # trials, below which nothing can be said of importance
BLUE, GREY, ORANGE = "#0072b2", "#9a9a9a", "#d55e00"  # that everybody can tell apart (Okabe and Ito 2008)


def write_figures(trials: Sequence[FrozenTrial], title: str, folder: Path) -> list[Path]:
    """Draw what there is enough of into a study's folder; returns the files. Without Matplotlib nothing is drawn.

    Raises:
      WriteError: one cannot be written.
    """
    if importlib.util.find_spec("matplotlib") is None:
        sys.stderr.write("warning: no pictures without Matplotlib; pip install 'matplotlib>=3.7', then tune again\n")
        return []
    drawn = []
    if ranked(trials):
        drawn.append(_saved(_history(trials, title), folder / HISTORY))
    if importance := importance_of(trials):
        drawn.append(_saved(_importance(importance, title), folder / IMPORTANCE))
    return drawn


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


def _figure(width: float, height: float) -> tuple[Any, Any]:
    """Return a figure and its axes, without a screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _saved(figure: Any, path: Path) -> Path:
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=150)
    return path


def _history(trials: Sequence[FrozenTrial], title: str) -> Any:
    """Return a picture of every trial's score, and of the best so far."""
    figure, axes = _figure(6.4, 4.4)
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
    axes.plot(pruned.keys(), pruned.values(), "x", color=GREY, markersize=5, label="pruned, return when it ended")
    axes.plot(scored.keys(), scored.values(), "o", color=BLUE, markersize=4, label="trained to the end")
    if 0 in scored:
        axes.axhline(scored[0], color=ORANGE, linewidth=1, linestyle="--", label="the setting to begin with")
    if lost:
        low = axes.get_ylim()[0]
        axes.plot(lost, [low] * len(lost), "v", color=ORANGE, markersize=5, clip_on=False, label="could not be trained")
    axes.set(xlabel="trial", ylabel="mean return of the last 100 episodes", title=title)
    figure.legend(frameon=False, fontsize="small", loc="outside lower center", ncols=2)  # over no point
    return figure


def _importance(importance: dict[str, float], title: str) -> Any:
    """Return a picture of how much the score depends on each field."""
    names = list(importance)[::-1]
    figure, axes = _figure(6.4, 0.8 + 0.28 * len(names))
    axes.barh(names, [importance[name] for name in names], color=BLUE, height=0.6)
    axes.set(xlabel="importance (parts of 1)", title=title)
    return figure
