"""Trials of a search: waited for, judged by their logs, ranked, and drawn."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from baselines_ppo import configure
from baselines_ppo.common.failures import FINISHED
from baselines_ppo.common.files.lock import hold
from baselines_ppo.experiments.jobs import End
from baselines_ppo.experiments.tuning.candidates import Candidate
from baselines_ppo.experiments.tuning.figures import HISTORY, write_figures
from baselines_ppo.experiments.tuning.report import ranked, summary
from baselines_ppo.experiments.tuning.screen import Screen
from baselines_ppo.experiments.tuning.study import RETURNS, SETTING, WORST, Trials
from baselines_ppo.experiments.tuning.trial_run import TOO_SHORT, Outcome, TrialRun, returns_at
from tests.experiments.on_disk import made_run


@pytest.mark.parametrize("scores", [(-3.0, 0.0, -1.0), (0.0, 0.0, 0.0), (2.0, 0.0, WORST)])
def test_a_score_of_0_is_one_like_any_other(scores: tuple[float, ...], tmp_path: Path) -> None:
    """Where a reward is rare, most trials come to exactly 0."""
    study = optuna.create_study(direction="maximize")
    for score in scores:
        study.tell(study.ask(), score)
    assert [trial.value for trial in ranked(study.trials)] == sorted((x for x in scores if x > WORST), reverse=True)
    assert write_figures(study.trials, "rare", tmp_path) == [tmp_path / HISTORY]


@pytest.mark.parametrize(("gamma", "words"), [(0.9, "the setting to begin with"), (0.5, "a setting of the space")])
def test_it_is_said_whether_the_first_trial_has_the_setting_to_begin_with(gamma: float, words: str) -> None:
    study = optuna.create_study(direction="maximize")
    trial = study.ask()
    trial.set_user_attr(SETTING, {"gamma": gamma, "hidden_sizes": [8]})
    trial.set_user_attr(RETURNS, [3.0])
    study.tell(trial, 3.0)
    said = summary(study.trials, configure("CartPole-v1", gamma=0.9, hidden_sizes=(8,)), Path())
    assert f"Trial 0 has {words}" in said
    assert "lucky" not in said  # one of one


def test_a_training_that_still_saves_holds_nothing_up(tmp_path: Path) -> None:
    trial = optuna.create_study().ask()
    run = TrialRun(trial, Candidate(configure("CartPole-v1")), tmp_path, seeds=[0], steps=[])
    (tmp_path / "seed-0").mkdir()
    with hold(tmp_path / "seed-0"):
        assert not run.begin_next()
    assert run.waiting and not run.running


def test_a_trial_without_an_end_of_an_episode_is_not_refused_and_has_no_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = optuna.create_study(direction="maximize")
    run = TrialRun(study.ask(), Candidate(configure("Pendulum-v1", num_timesteps=128)), tmp_path, [0, 1], steps=[])
    for seed in (0, 1):
        made_run(tmp_path / f"seed-{seed}", [None], steps=128)
        run._ends[seed] = End(FINISHED, "")
    outcome = run.look()
    assert outcome == Outcome(TOO_SHORT, WORST, "128 steps are too few for an episode to end", [None, None])
    assert outcome is not None
    Screen(Trials(study, 1, "here"), run.candidate.config, 2).ended(run, outcome)
    said = capsys.readouterr().out
    assert said.startswith("trial 0: no episode ended: 128 steps are too few for an episode to end; ")


def test_a_trial_is_judged_by_the_first_iteration_that_has_made_so_many_steps(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", [None, 10.0, 20.0, 30.0], steps=128)  # at 128, 256, 384, 512 steps
    assert returns_at(run, [100, 129, 256, 257, 512, 513]) == {129: 10.0, 256: 10.0, 257: 20.0, 512: 30.0}
    with (run / "progress.csv").open("a") as log:
        log.write("5,64")  # is being written
    assert returns_at(run, [512, 513]) == {512: 30.0}
    assert returns_at(tmp_path / "nowhere", [1]) == {}
