"""Whole searches, by the real command and with real trainings: killed, stopped, shared, refused."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from baselines_ppo import Choice, LogUniform, configure, tune
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.files import checkpoint
from baselines_ppo.experiments.tuning.settings import search_of
from tests.conftest import ROOT
from tests.runs import figures

STEPS = 16_384
ENV = "tests.stubbed:CartPole-v1"
FLAGS = ("--env", ENV, "--preset", "CartPole-v1", "--num-timesteps", STEPS)
SEARCH = ("--space", "learning_rate=1e-4..1e-2", "--seeds", 1, "--jobs", 1, "--pruner", "none")
SECONDS = 200


def started(folder: Path, *more: object) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "baselines_ppo.run", "tune", *map(str, (*FLAGS, *SEARCH, *more))]
    return subprocess.Popen(
        words, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )


def trains(run: Path) -> None:
    """Wait until a run has made its first iterations."""
    end = time.monotonic() + SECONDS
    while not (run / "progress.csv").exists() or len((run / "progress.csv").read_text().splitlines()) < 4:
        assert time.monotonic() < end
        time.sleep(0.05)


def trials_of(folder: Path) -> list[FrozenTrial]:
    return optuna.load_study(study_name="tune-ppo2", storage=f"sqlite:///{folder}/study.db").trials


def test_a_search_that_was_killed_goes_on_and_counts_each_trial_once(tmp_path: Path) -> None:
    study = tmp_path / "study"
    killed = started(tmp_path, "--trials", 2, "--logdir", "study")
    trains(study / "trials" / "0000" / "seed-0")
    config, space = configure(ENV, preset="CartPole-v1", num_timesteps=STEPS), [LogUniform("learning_rate", 1e-4, 1e-2)]
    with pytest.raises(UsageError, match=rf"is in use by process {killed.pid} on "):
        tune(config, space=space, logdir=study)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    (under_way,) = trials_of(study)
    assert under_way.state == TrialState.RUNNING

    said, _ = started(tmp_path, "--trials", 2, "--logdir", "study").communicate(timeout=SECONDS)
    assert "trial 0: goes on" in said and "2 trials of 16,384 steps: 2 complete." in said
    ended = trials_of(study)
    assert [trial.state for trial in ended] == [TrialState.COMPLETE] * 2
    assert ended[0].params == under_way.params
    for trial in ended:
        run = study / "trials" / f"{trial.number:04d}" / "seed-0"
        rows = figures(run)
        assert checkpoint.find(run)[0].manifest["total_steps"] == STEPS
        assert [int(row["iteration"]) for row in rows] == [*range(1, len(rows) + 1)]
        assert trial.value == float(rows[-1]["episode_return"])
    assert {path.name for path in study.iterdir()} >= {"results.md", "trials.csv", "history.png"}

    begun = time.time()
    found = tune(config, space=space, logdir=study, trials=2, seeds=1, jobs=1, pruner="none")
    assert (found.score, found.trials, found.exit_code) == (max(trial.value or 0 for trial in ended), 2, 0)
    assert all(path.stat().st_mtime < begun for path in study.glob("trials/*/*/*"))
    best = max(ended, key=lambda trial: trial.value or 0)
    assert found.best.algorithm.learning_rate == pytest.approx(best.params["learning_rate"], rel=0.01)  # type: ignore[attr-defined]

    with pytest.raises(UsageError, match="seeds 1 -> 2; give another --study"):
        tune(config, space=space, logdir=study, trials=2, seeds=2)
    with pytest.raises(UsageError, match=r"is the folder of study tune-ppo2 in study\.db"):
        tune(configure(ENV, "trpo"), logdir=study)


def test_trials_that_diverge_or_are_refused_are_counted_as_the_worst(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configure("tests.stubbed:Broken-nan-v0", "ppo_kl", num_timesteps=100, seed=1, wrapper=())
    networks = Choice("network", "auto", "lstm")
    found = tune(config, space=[networks], logdir=tmp_path / "study", trials=2, seeds=1, jobs=1)
    assert (found.trials, found.score, found.best) == (2, None, config)
    said = capsys.readouterr().out
    assert "trial 0: diverged: " in said and "nan" in said.lower()
    assert "trial 1: refused: ppo_kl takes networks without memory" in said
    assert "No trial was trained to its end." in said


def test_what_cannot_be_trained_at_all_ends_the_search_at_once(tmp_path: Path) -> None:
    for env, message in (("Nope-v0", "unknown environment Nope-v0"), ("OddUnmakeable-v0", ".")):
        with pytest.raises(UsageError, match=message):
            tune(configure(env), logdir=tmp_path / "study")
    with pytest.raises(UsageError, match="num_minibatches 3 does not divide"):
        tune(configure("CartPole-v1", num_minibatches=3), logdir=tmp_path / "study")
    assert not (tmp_path / "study").exists()
    (tmp_path / "somebody.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"is not empty and holds no study \(somebody.txt\)"):
        tune(configure("CartPole-v1"), logdir=tmp_path)
    with pytest.raises(UsageError, match="the first trial cannot be trained: ppo_kl takes networks without"):
        tune(configure("CartPole-v1", "ppo_kl"), space=[Choice("network", "lstm")], logdir=tmp_path / "study")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"trial": 3}, r"tune takes no trial \(did you mean trials"),
        ({"learning_rate": 3}, "fields of the training go to configure"),
        ({"trials": 0}, "--trials is 0, expected at least 1"),
        ({"sampler": "tpes"}, "choose from tpe, cmaes, random"),
        ({"jobs": 1.5}, "--jobs is 1.5, expected int"),
    ],
)
def test_how_to_search_is_checked(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        search_of(values)


@pytest.mark.slow
def test_a_search_that_is_stopped_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    process = started(tmp_path, "--trials", 2, "--logdir", "study")
    run = tmp_path / "study" / "trials" / "0000" / "seed-0"
    trains(run)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "stopped; 0 of 2 trials are made; the same command goes on" in said
    assert checkpoint.find(run)[0].manifest["iteration"] >= 3
    (under_way,) = trials_of(tmp_path / "study")
    assert under_way.state == TrialState.RUNNING


@pytest.mark.slow
def test_two_hosts_share_one_study(tmp_path: Path) -> None:
    """Two processes with folders of their own are to the storage what two hosts are."""
    shared = ("--trials", 4, "--storage", f"sqlite:///{tmp_path}/shared.db")
    both = [started(tmp_path, *shared, "--logdir", name) for name in ("one", "other")]
    said = [process.communicate(timeout=SECONDS)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    study = optuna.load_study(study_name="tune-ppo2", storage=f"sqlite:///{tmp_path}/shared.db")
    made = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    assert len(made) == 4
    runs = [path.name for name in ("one", "other") for path in (tmp_path / name / "trials").iterdir()]
    assert sorted(runs) == [f"{trial.number:04d}" for trial in made]
    assert all("4 trials of 16,384 steps: 4 complete." in text for text in said)
