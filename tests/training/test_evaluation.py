"""Evaluations on the way: what they say is true on any number of ranks, and the training does not notice them."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from baselines_ppo import configure, load, train
from baselines_ppo.common.failures import DataError, UsageError
from baselines_ppo.common.files import checkpoint, pretrained
from baselines_ppo.common.job.alive import Alive
from baselines_ppo.common.seeding import Purpose, episode_seed
from baselines_ppo.run.cli import main
from tests.conftest import Finished
from tests.runs import arrays, assert_same_bits, figures, flags
from tests.training.windy import Windy

Run = Callable[..., Finished]
WINDY, SLY = "tests.training.windy:Windy-v0", "tests.training.windy:Sly-v0"
EVALUATED = ("--eval-interval", 2, "--eval-episodes", 5)
# The commands of tests/series.py, with the learner of tests/faults.py that needs no TensorFlow.
SERIES = """
import sys
sys.path.insert(0, "")
from baselines_ppo.common.job.threads import limit_threads
limit_threads()
from tests.faults import use_stub
from tests.series import lines, main, run_job
use_stub()
run_job(lambda: max(main(line) for line in lines(sys.argv[1:])))
"""


@pytest.fixture(scope="module")
def seen() -> dict[str, list[dict[str, str]]]:
    return {}


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_training_does_not_notice_its_evaluations(
    ranks: int, mpi: Run, tmp_path: Path, seen: dict[str, list[dict[str, str]]]
) -> None:
    """Not even one whose environments draw, unseen by the trial, from the stream that all of the process share."""
    words: list[object] = []
    for name, env, more in (("plain", SLY, ()), ("sly", SLY, EVALUATED), ("windy", WINDY, EVALUATED)):
        words += ["+", *flags(env, "ppo2", 5), *more, "--logdir", name]
    finished = mpi(ranks, "-c", SERIES, *words[1:])
    assert finished.returncode == 0, finished.stderr
    assert_same_bits(arrays(tmp_path / "plain"), arrays(tmp_path / "sly"))
    without = [{name: x for name, x in row.items() if "eval_" not in name} for row in figures(tmp_path / "sly")]
    assert without == figures(tmp_path / "plain")
    rows = [{name: x for name, x in row.items() if "eval_" in name} for row in figures(tmp_path / "windy")]
    assert [bool(row["eval_return"]) for row in rows] == [False, True, False, True, True]  # the last is the end
    assert seen.setdefault("windy", rows) == rows  # the same on two ranks as on one


def test_an_evaluation_says_what_its_episodes_come_to_one_by_one(tmp_path: Path) -> None:
    """Each of them is played once more here, in an environment of Gymnasium's, by the agent in the checkpoint."""
    line = flags(WINDY, "ppo1", 4, num_envs=2)
    assert main([*map(str, (*line, *EVALUATED, "--hidden-sizes", 4, "--logdir", tmp_path))]) == 0
    environment = Windy()
    for row in figures(tmp_path)[1::2]:
        agent = load(tmp_path / "checkpoints" / f"ckpt-{int(row['iteration']):08d}")
        returns, lengths, successes = list[float](), list[int](), list[bool]()
        for number in range(5):
            observation, _ = environment.reset(seed=episode_seed(0, 0, number, Purpose.MEASURING))
            rewards, ended = [], False
            while not ended:
                observation, reward, _, ended, info = environment.step(agent.act(observation))
                rewards.append(reward)
            returns, lengths = [*returns, sum(rewards)], [*lengths, len(rewards)]
            successes.append(info["is_success"])
        assert float(row["eval_return"]) == pytest.approx(np.mean(returns), rel=1e-12)
        assert float(row["eval_length"]) == np.mean(lengths)
        assert float(row["eval_success_rate"]) == np.mean(successes)


def test_a_killed_run_that_is_evaluated_resumes_bit_for_bit(stubbed: Run, faulty: Run, tmp_path: Path) -> None:
    line = (*flags(WINDY, "ppo2", 5), *EVALUATED)
    assert stubbed(2, *line, "--logdir", "whole").returncode == 0
    assert faulty(2, "stub+kill-1", *line, "--logdir", "killed").returncode != 0
    resumed = stubbed(2, *line, "--logdir", "killed", "--resume", "auto")
    assert "steps: exact" in resumed.stdout, resumed.stderr
    assert_same_bits(arrays(tmp_path / "whole"), arrays(tmp_path / "killed"))
    assert figures(tmp_path / "whole") == figures(tmp_path / "killed")
    assert {"window", "window/is_success"} <= {*arrays(tmp_path / "killed")}
    stored = [checkpoint.find(tmp_path / name)[0].manifest["best_eval_return"] for name in ("whole", "killed")]
    assert stored[0] == stored[1]


def test_the_best_checkpoint_is_that_of_the_best_evaluation(stubbed: Run, tmp_path: Path) -> None:
    """And it is there, though none is due by the clock."""
    line = (*flags(WINDY, "ppo2", 12), "--save-interval", 1e9, "--eval-interval", 1)
    assert stubbed(1, *line, "--logdir", "run").returncode == 0
    returns = [float(row["eval_return"]) for row in figures(tmp_path / "run")]
    best = checkpoint.find(tmp_path / "run", unsaid=pretrained.BEST)[0].manifest
    assert best["eval_return"] == max(returns)
    assert best["iteration"] == 1 + int(np.argmax(returns))


def test_a_run_that_goes_on_in_a_new_folder_has_a_best_of_its_own(stubbed: Run, tmp_path: Path) -> None:
    """The best of the old folder was better, and is not in the new one."""
    every = ("--save-interval", 1e9, "--eval-interval", 2)
    assert stubbed(1, *flags(WINDY, "ppo2", 4), *every, "--logdir", "old").returncode == 0
    best = checkpoint.find(tmp_path / "old", unsaid=pretrained.BEST)[0]
    begun = int(best.manifest["iteration"])
    line = (*flags(WINDY, "ppo2", begun + 6), *every, "--logdir", "new", "--resume", best.path)
    assert stubbed(1, *line).returncode == 0
    rows = [row for row in figures(tmp_path / "new") if int(row["iteration"]) > begun and row["eval_return"]]
    returns = [float(row["eval_return"]) for row in rows]
    assert max(returns) < best.manifest["eval_return"]
    assert max(returns) != returns[-1]  # which is saved in any case
    kept = checkpoint.find(tmp_path / "new", unsaid=pretrained.BEST)[0].manifest
    assert kept["eval_return"] == max(returns)


@pytest.mark.usefixtures("stub")
def test_it_can_be_seen_that_an_evaluation_is_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[str] = []
    original = Alive.note

    def note(self: Alive, doing: str, saving: bool = False, brief: bool = False) -> None:
        noted.append(doing)
        original(self, doing, saving, brief)

    monkeypatch.setattr(Alive, "note", note)
    line = flags(WINDY, "ppo1", 1, num_envs=2)
    assert main([*map(str, (*line, "--eval-interval", 1, "--hidden-sizes", 4, "--logdir", tmp_path))]) == 0
    steps = [doing for doing in noted if doing.startswith("evaluating, ")]
    assert steps[0] == "evaluating, 0 of 10 episodes ended, step 1 of one under way"
    with (tmp_path / "progress.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert 5 <= len(steps) <= 15  # all ten at once, as long as the longest
    assert float(row["evaluating_share"]) > 0


def test_environments_that_cannot_live_side_by_side_are_not_evaluated(tmp_path: Path) -> None:
    line = (*flags("tests.environments:OddOnce-v0", "ppo2", 1, num_envs=1), "--logdir", tmp_path / "run")
    with pytest.raises(UsageError, match=r"only one can be made at a time: .* leave --eval-interval out"):
        main([*map(str, (*line, "--eval-interval", 1))])


@pytest.mark.usefixtures("stub")
def test_an_environment_that_raises_in_an_evaluation_ends_the_job_and_is_told(tmp_path: Path) -> None:
    """In its second episode, which none of the training's has begun."""
    line = (*flags("tests.environments:Raising-always-v0", "ppo1", 1, num_envs=2), "--hidden-sizes", 4)
    short = ("--num-steps", 8, "--num-minibatches", 1, "--num-timesteps", 16, "--logdir", tmp_path / "run")
    with pytest.raises(DataError, match=r"evaluation episode 1\d, step 4: step raised .* the wheel came off"):
        main([*map(str, (*line, *short, "--eval-interval", 1, "--eval-episodes", 20))])


@pytest.mark.usefixtures("stub")
def test_an_evaluation_is_left_where_environments_that_raise_may_be_made_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = (*flags("tests.environments:Raising-always-v0", "ppo1", 1, num_envs=2), "--hidden-sizes", 4)
    short = ("--num-steps", 8, "--num-minibatches", 1, "--num-timesteps", 16, "--logdir", tmp_path, "--env-restarts", 1)
    assert main([*map(str, (*line, *short, "--eval-interval", 1, "--eval-episodes", 20))]) == 0
    assert "warning: an evaluation was left: env tests.environments:Raising-always-v0" in capsys.readouterr().err
    assert [row["eval_return"] for row in figures(tmp_path)] == [""]


@pytest.mark.usefixtures("stub")
def test_the_last_lines_tell_how_to_evaluate_the_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = (*flags("CartPole-v1", "ppo2", 2), *EVALUATED, "--hidden-sizes", 4, "--logdir", tmp_path / "a b")
    assert main([*map(str, line)]) == 0
    (told,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("best:")]
    words = shlex.split(told, comments=True)
    assert main([*words[words.index("evaluate") :], "--episodes", "2"]) == 0
    best = max(
        (row for row in figures(tmp_path / "a b") if row["eval_return"]), key=lambda row: float(row["eval_return"])
    )
    assert f"ckpt-{int(best['iteration']):08d} on CartPole-v1" in capsys.readouterr().out


def test_an_episode_without_an_end_is_cut_whatever_the_id_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The function makes an environment that never ends; CartPole's id has a time limit."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("baselines_ppo.start.MOST_STEPS", 50)
    config = configure(
        "CartPole-v1", preset="none", num_envs=2, num_steps=16, num_minibatches=2, num_timesteps=32, eval_interval=1,
        eval_episodes=2, progress="table",
    )  # fmt: skip
    train(config, environment=lambda: gymnasium.make("tests.environments:Endless-v0"), logdir="run")
    (row,) = figures(Path("run"))
    assert float(row["eval_length"]) == 50
