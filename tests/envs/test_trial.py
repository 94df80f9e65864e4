"""What environments of all kinds get before training: a trial, a treatment, or one line that says what is wrong."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import tests.environments  # noqa: F401  # registers them
from baselines_ppo import configure, train
from baselines_ppo.common.envs.backends import SerialBackend
from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.common.envs.treatment import AS_USUAL, Treatment, treatment_from_json
from baselines_ppo.common.envs.trial import Trial, try_out, try_out_spec
from baselines_ppo.common.envs.vec_env import Step, VecEnv
from baselines_ppo.common.failures import DataError, UsageError
from baselines_ppo.common.files.agent import load_agent
from baselines_ppo.common.screen.lines import Lines
from baselines_ppo.run.agents.scoring import measure
from baselines_ppo.run.cli import main
from tests.conftest import Finished
from tests.odd_environments import Entropic, First, Global, Odd, Once, Remembering, Unmakeable
from tests.runs import arrays, assert_same_bits, flags
from tests.untrained import untrained

Run = Callable[..., Finished]

SMALL: dict[str, Any] = {
    "num_timesteps": 64,
    "num_envs": 2,
    "num_steps": 32,
    "num_minibatches": 2,
    "num_epochs": 1,
    "preset": "none",
}
TREATED = [Global, Remembering, First]


def envs_of(make: Callable[[], Any], indices: range, treatment: Treatment) -> VecEnv:
    seeds = [1000 + index for index in indices]
    envs = VecEnv(SerialBackend(make, len(indices), "X", treatment, seeds), indices, seed=3, env_id="X", rank=0)
    envs.reset()
    return envs


def driven(envs: VecEnv, first: int, last: int, disturb: bool = False) -> list[Step]:
    """Step with actions that depend on the step and the environment alone."""
    steps = []
    for t in range(first, last):
        if disturb:  # somebody else draws, too
            random.random(), np.random.uniform()
        steps.append(envs.step(np.array([(t * 7 + index * 5) % 3 for index in envs.indices])))
    return steps


def bits(steps: list[Step], columns: slice = slice(None)) -> bytes:
    return b"".join(x[columns].tobytes() for step in steps for x in step)


@pytest.mark.parametrize(
    ("make", "treatment"),
    [
        (Global, Treatment(streams=("numpy.random", "random"))),
        (Remembering, Treatment(fresh=True)),
        (First, Treatment(warm=True)),
        (Entropic, Treatment(repeats=False)),
        (lambda: gymnasium.make("LunarLander-v3"), AS_USUAL),
        (lambda: gymnasium.make("BipedalWalker-v3"), Treatment(fresh=True)),
    ],
)
def test_what_an_episode_depends_on_is_found_out_and_told(make: Callable[[], Any], treatment: Treatment) -> None:
    trial = try_out(make, "X")
    assert trial.treatment == treatment
    assert bool(trial.told) == (treatment != AS_USUAL)
    assert treatment_from_json(json.loads(json.dumps(treatment._asdict()))) == treatment


def test_a_trial_leaves_the_streams_of_the_process_alone() -> None:
    random.seed(5), np.random.seed(5)
    expected = random.random(), np.random.uniform()
    random.seed(5), np.random.seed(5)
    try_out(Global, "X")
    assert (random.random(), np.random.uniform()) == expected


def test_a_treatment_in_a_forged_file_is_none() -> None:
    changes: list[dict[str, Any]] = [
        {"fresh": 1},
        {"streams": [[]]},
        {"streams": ["os"]},
        {"streams": "random"},
        {"x": 1},
    ]
    forged: list[Any] = [None, [], {}, "fresh", *({**AS_USUAL._asdict(), **change} for change in changes)]
    assert [treatment_from_json(bad) for bad in forged] == [None] * len(forged)


@pytest.mark.parametrize("make", TREATED)
def test_episodes_depend_on_their_seeds_alone_whoever_shares_the_process(make: type[Odd]) -> None:
    treatment = try_out(make, "X").treatment
    whole = driven(envs_of(make, range(4), treatment), 0, 50)
    for part in (range(1), range(1, 4)):
        apart = driven(envs_of(make, part, treatment), 0, 50, disturb=True)
        assert bits(whole, slice(part.start, part.stop)) == bits(apart)


@pytest.mark.parametrize("taken", [3, 15, 40])
@pytest.mark.parametrize("make", TREATED)
def test_what_is_treated_goes_on_after_a_replay_bit_for_bit(make: type[Odd], taken: int) -> None:
    treatment = try_out(make, "X").treatment
    envs = envs_of(make, range(3), treatment)
    driven(envs, 0, taken)
    records = envs.capture()
    again = envs_of(make, range(3), treatment)
    assert again.restore(records) == []
    assert bits(driven(envs, taken, taken + 40)) == bits(driven(again, taken, taken + 40, disturb=True))


@pytest.mark.parametrize("make", TREATED)
def test_what_is_treated_would_not_go_on_untreated(make: type[Odd]) -> None:
    lost = []
    for taken in (10, 40):
        untreated = envs_of(make, range(3), AS_USUAL)
        driven(untreated, 0, taken)
        lost += envs_of(make, range(3), AS_USUAL).restore(untreated.capture())
    assert lost


def test_environments_that_draw_while_they_are_made_are_not_all_alike() -> None:
    treatment = try_out(Global, "X").treatment
    gifts = [envs_of(Global, indices, treatment).observations[:, 1] for indices in (range(3), range(1, 3))]
    assert len(set(gifts[0].tolist())) == 3
    np.testing.assert_array_equal(gifts[0][1:], gifts[1])


@pytest.mark.parametrize("name", ["Global", "Remembering"])
def test_a_run_of_such_environments_is_the_same_on_two_ranks_and_after_a_resume(
    name: str, stubbed: Run, tmp_path: Path
) -> None:
    line = flags(f"tests.environments:Odd{name}-v0", "ppo2", 4)
    for ranks in (1, 2):
        begun = stubbed(ranks, *line, "--logdir", f"on-{ranks}")
        assert begun.returncode == 0, begun.stderr
        assert f"Odd{name}-v0: it " in begun.stdout.split("| iteration")[0]
    one, two = arrays(tmp_path / "on-1"), arrays(tmp_path / "on-2")
    collected = [key for key in one if key.startswith("environments/") or key == "window"]
    assert_same_bits({key: one[key] for key in collected}, {key: two[key] for key in collected})
    middle = ("--resume", "on-1/checkpoints/ckpt-00000002", "--env", line[1], "--logdir", "again")
    resumed = stubbed(1, *middle)
    assert "steps: exact" in resumed.stdout, resumed.stderr
    assert_same_bits(one, arrays(tmp_path / "again"))


def test_what_cannot_be_repeated_is_said_at_the_start_and_written_down(tmp_path: Path, stubbed: Run) -> None:
    finished = stubbed(1, *flags("tests.environments:OddEntropic-v0", "ppo2", 1), "--logdir", "run")
    start = finished.stdout.split("| iteration")[0]
    assert "do not repeat with the same seed; a resume of this environment begins new episodes" in start
    assert json.loads((tmp_path / "run" / "config.json").read_text())["environment"]["repeats"] is False


@pytest.mark.usefixtures("stub")
def test_one_that_can_be_made_once_at_a_time_is_trained_on(tmp_path: Path) -> None:
    trial = try_out(Once, "X")
    assert trial.treatment == AS_USUAL
    assert "only one can be made at a time" in trial.alone
    assert trial.told == (f"X: {trial.alone}",)
    with pytest.raises(UsageError, match=r"only one can be made at a time: .*; let each make its own, or"):
        train(configure("X", **SMALL), environment=Once, logdir=tmp_path / "several")
    config = configure("X", **{**SMALL, "num_envs": 1})
    assert train(config, environment=Once, logdir=tmp_path / "run").total_steps == 64
    Once.taken = False


def test_what_raises_in_a_trial_is_left_to_the_training_to_report() -> None:
    class Fragile(Remembering):
        def draw(self, action: int) -> float:
            raise RuntimeError("no track")

        def close(self) -> None:
            raise RuntimeError("closed twice")

    trial = try_out(Fragile, "X")
    fact = "X: it could not be tried out, step raised RuntimeError: no track"
    assert trial.told == (fact,)
    assert trial.told_in_training == (f"{fact}; whether its episodes repeat is not known before a resume",)
    with pytest.raises(DataError, match=r"environment 0, episode 0 .*step raised RuntimeError: no track"):
        driven(envs_of(Fragile, range(1), trial.treatment), 0, 1)


def test_environments_that_are_known_to_repeat_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("baselines_ppo.common.envs.trial.try_out", None)
    for env_id in ("CartPole-v1", "Humanoid-v4", "RoboAnt-v1"):
        assert try_out_spec(EnvironmentSpec(env_id)) == Trial(AS_USUAL)


@pytest.mark.parametrize("name", ["Global", "Remembering", "First"])
def test_what_an_episode_of_an_evaluation_comes_to_does_not_depend_on_the_others(name: str, tmp_path: Path) -> None:
    env_id = f"tests.environments:Odd{name}-v0"
    agent = load_agent(str(untrained(tmp_path, env_id)))
    one, several = (measure(agent, EnvironmentSpec(env_id), 6, seed=1, rows=rows) for rows in (1, 4))
    assert one == several
    assert len({episode.episode_return for episode in one["stochastic"]}) > 1


def test_a_constructor_that_raises_is_one_line_with_its_traceback_below(stubbed: Run, tmp_path: Path) -> None:
    env_id = "tests.environments:OddUnmakeable-v0"
    finished = stubbed(2, *flags(env_id, "ppo2", 1), "--logdir", "run")
    assert finished.returncode == 2, finished.stderr
    first, *below = finished.stderr.splitlines()
    assert first == f"error: environment {env_id}, rank 0, raised KeyError: 'port'"
    assert below.count("Traceback (most recent call last):") == 1
    assert any("odd_environments.py" in line for line in below)
    assert "checkpoint" not in finished.stderr
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match="environment Mine, rank 0, raised KeyError: 'port'"):
        train(configure("Mine", **SMALL), environment=Unmakeable, logdir=tmp_path / "own")


@pytest.mark.usefixtures("stub")
@pytest.mark.parametrize("alg", ["ppo2", "ppo_kl"])
def test_a_slow_iteration_says_how_far_it_is(
    alg: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Lines, "patience", 0.4)
    counted = ("--num-episodes", 2, "--num-steps", 256, "--num-timesteps", 20) if alg == "ppo_kl" else ()
    line = (*flags("tests.environments:OddSlow-v0", alg, 1, num_envs=2), *counted)
    assert main([*map(str, line), "--logdir", str(tmp_path / "run")]) == 0
    before = capsys.readouterr().out.splitlines()
    told = [text.split()[2] for text in before if text.startswith("iteration 1: ") and "steps/s" in text]
    made = [int(number) for number in told]
    assert len(made) > 2
    assert made == sorted(made)
    assert made[0] > 0
    assert made[-1] <= (64 if alg == "ppo2" else 30)
