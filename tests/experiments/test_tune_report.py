"""What has come of trials, from a real study: ranked, and drawn."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from baselines_ppo.experiments.tuning.figures import HISTORY, write_figures
from baselines_ppo.experiments.tuning.report import ranked
from baselines_ppo.experiments.tuning.study import WORST


@pytest.mark.parametrize("scores", [(-3.0, 0.0, -1.0), (0.0, 0.0, 0.0), (2.0, 0.0, WORST)])
def test_a_score_of_0_is_one_like_any_other(scores: tuple[float, ...], tmp_path: Path) -> None:
    """Where a reward is rare, most trials come to exactly 0."""
    study = optuna.create_study(direction="maximize")
    for score in scores:
        study.tell(study.ask(), score)
    assert [trial.value for trial in ranked(study.trials)] == sorted((x for x in scores if x > WORST), reverse=True)
    assert write_figures(study.trials, "rare", tmp_path) == [tmp_path / HISTORY]
