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
from gymnasium import spaces

import tests.environments  # noqa: F401  # registers them
from baselines_ppo import configure, train
from baselines_ppo.common.envs.backends import SerialBackend
from baselines_ppo.common.envs.interface import own_environment
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
from tests.odd_environments import Entropic, First, Global, Odd, Once, Remembering, Sharing, Unmakeable
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


# What is found out.


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


# What a treatment does.


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
    name: str, faulty: Run, tmp_path: Path
) -> None:
    line = flags(f"tests.environments:Odd{name}-v0", "ppo2", 4)
    for ranks in (1, 2):
        begun = faulty(ranks, "stub+none", *line, "--logdir", f"on-{ranks}")
        assert begun.returncode == 0, begun.stderr
        assert f"Odd{name}-v0: it " in begun.stdout.split("| iteration")[0]
    one, two = arrays(tmp_path / "on-1"), arrays(tmp_path / "on-2")
    collected = [key for key in one if key.startswith("environments/") or key == "window"]
    assert_same_bits({key: one[key] for key in collected}, {key: two[key] for key in collected})
    middle = ("--resume", "on-1/checkpoints/ckpt-00000002", "--env", line[1], "--logdir", "again")
    resumed = faulty(1, "stub+none", *middle)
    assert "steps: exact" in resumed.stdout, resumed.stderr
    assert_same_bits(one, arrays(tmp_path / "again"))


def test_what_cannot_be_repeated_is_said_at_the_start_and_written_down(tmp_path: Path, faulty: Run) -> None:
    finished = faulty(1, "stub+none", *flags("tests.environments:OddEntropic-v0", "ppo2", 1), "--logdir", "run")
    start = finished.stdout.split("| iteration")[0]
    assert "do not repeat with the same seed; a resume of this environment begins new episodes" in start
    assert json.loads((tmp_path / "run" / "config.json").read_text())["environment"]["repeats"] is False


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


# What is refused.


def test_a_function_that_gives_the_same_object_again_is_refused(tmp_path: Path) -> None:
    one, inner = gymnasium.make("CartPole-v1"), gymnasium.make("Acrobot-v1").unwrapped
    for number, make in enumerate((lambda: one, lambda: gymnasium.wrappers.TimeLimit(inner, 50))):
        for count in (1, 4):
            config = configure("Mine", **{**SMALL, "num_envs": count})
            with pytest.raises(UsageError, match="each call must return a new environment: write"):
                train(config, environment=make, logdir=tmp_path / str(number))
            assert not (tmp_path / str(number)).exists()
        with pytest.raises(UsageError, match="each call must return a new environment"):
            SerialBackend(make, 2, "Mine")


def test_environments_that_share_something_are_refused_where_there_are_several(tmp_path: Path) -> None:
    assert try_out(Sharing, "X")[::2] == (
        AS_USUAL,
        "one environment changes what another gives, so they share something",
    )
    with pytest.raises(UsageError, match="they share something"):
        train(configure("Mine", **SMALL), environment=Sharing, logdir=tmp_path / "run")
    track = np.zeros(1)  # in a closure

    class OnOneTrack(Odd):
        def begin(self) -> None:
            track[0] = 0

        def draw(self, action: int) -> float:
            track[0] += action
            return float(track[0])

    assert try_out(OnOneTrack, "X").alone
    assert not try_out(Remembering, "X").alone


def test_a_constructor_that_raises_is_one_line_with_its_traceback_below(faulty: Run, tmp_path: Path) -> None:
    env_id = "tests.environments:OddUnmakeable-v0"
    finished = faulty(2, "stub+none", *flags(env_id, "ppo2", 1), "--logdir", "run")
    assert finished.returncode == 2, finished.stderr
    first, *below = finished.stderr.splitlines()
    assert first == f"error: environment {env_id}, rank 0, raised KeyError: 'port'"
    assert below.count("Traceback (most recent call last):") == 1
    assert any("odd_environments.py" in line for line in below)
    assert "checkpoint" not in finished.stderr
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match="environment Mine, rank 0, raised KeyError: 'port'"):
        train(configure("Mine", **SMALL), environment=Unmakeable, logdir=tmp_path / "own")


def stranger(module: str) -> Callable[[], Any]:
    kind = type("Theirs", (), {"__module__": module, "num_envs": 2, "action_space": 1, "observation_space": 1})
    return lambda: kind()


class NoActions(gymnasium.Env[Any, Any]):
    """Lacks a space."""

    observation_space = spaces.Box(-1, 1, (1,))


MISTAKES: dict[str, tuple[Any, str]] = {
    "nothing": (lambda: None, "is None; end it with `return`"),
    "several": (lambda: gymnasium.make_vec("Pendulum-v1", 3), "is a vector environment; let the function make one"),
    "wrapped": (lambda: gymnasium.make_vec("Pendulum-v1", 2, vectorization_mode="sync"), "is a vector environment"),
    "a list": (lambda: [gymnasium.make("Pendulum-v1")], "is a list of 1; let the function make one"),
    "a class": (lambda: Global, "is the class Global; call it"),
    "an object": (lambda: object(), r"\(object\) is no gymnasium.Env; derive its class"),
    "half": (NoActions, "has no action_space; set self.action_space in __init__"),
    "envpool": (stranger("envpool.atari"), "steps several environments at once; let the function make one"),
    "pettingzoo": (stranger("pettingzoo.utils.env"), "has several agents; these algorithms train one"),
    "supersuit": (stranger("supersuit.vector.concat_vec_env"), "vector environment of supersuit"),
    "sb3": (stranger("stable_baselines3.common.vec_env"), "vector environment of Stable-Baselines3"),
    "gym": (stranger("gym.core"), "is of the old package gym; derive it from gymnasium.Env"),
    "an environment": (
        gymnasium.make("Pendulum-v1"),
        "is a TimeLimit, expected a function .* environment=lambda: MyEnv",
    ),
    "an id": ("Pendulum-v1", "is 'Pendulum-v1', expected a function that makes one; give an id to configure"),
    "a number": (7, "is 7, expected a function"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_is_no_function_that_makes_an_environment_is_said_with_the_cure(name: str, tmp_path: Path) -> None:
    given, message = MISTAKES[name]
    with pytest.raises(UsageError, match=f"^environment Mine: .*{message}") as caught:
        train(configure("Mine", **SMALL), environment=given, logdir=tmp_path / "run")
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match=message):
        own_environment(given, "Mine")()


# What environments give.


class Giving(Odd):
    """Gives whatever it is told to."""

    def __init__(self, begun: Callable[[Any], Any] = lambda o: (o, {}), **given: Any) -> None:
        self.begun, self.given = begun, given

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return self.begun(np.zeros(2))

    def step(self, action: Any) -> Any:
        values = {"reward": 1.0, "terminated": False, "truncated": False, **self.given}
        return np.zeros(2), values["reward"], values["terminated"], values["truncated"], {}


def given(**how: Any) -> Step:
    """Return the first step of an environment."""
    return driven(envs_of(lambda: Giving(**how), range(1), AS_USUAL), 0, 1)[0]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"begun": lambda o: o}, "reset returned an array of shape .2,., expected an observation and a dict"),
        ({"begun": lambda o: (o, o)}, "reset returned 2 values, expected an observation and a dict"),
        ({"begun": lambda o: None}, "reset returned None, expected"),
        ({"terminated": np.array([False, True])}, r"terminated is an array of shape \(2,\), expected True or False"),
        ({"truncated": None}, "truncated is None, expected True or False"),
        ({"truncated": "no"}, "truncated is 'no', expected True or False"),
        ({"terminated": 0.5}, "terminated is 0.5, expected"),
        ({"reward": np.ones(2)}, r"the reward is an array of shape \(2,\), expected a number"),
        ({"reward": "1.0"}, "the reward is '1.0', expected a number"),
        ({"reward": 1j}, "the reward is 1j, expected a number"),
        ({"reward": np.ma.masked}, "the reward is masked, expected a number"),
        ({"reward": 1e300}, r"the reward is 1e\+300, beyond what float32 holds \(3.4e\+38\)"),
        ({"reward": -np.inf}, "the reward is -inf; last action"),
        ({"begun": lambda o: (o + 1e39, {})}, r"the observation has 1e\+39 at \[0, 1\], beyond what float32 holds"),
        ({"begun": lambda o: (o / [1, np.inf] + [np.nan, np.inf], {})}, r"has NaN at \[0\] and Inf at \[1\]; last"),
        ({"begun": lambda o: (np.ma.array(o, mask=[False, True]), {})}, "a masked array that hides 1 of its numbers"),
    ],
)
def test_what_is_not_of_the_interface_is_said_with_its_origin(how: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=f"env X, rank 0, environment 0, episode 0 .*{message}"):
        given(**how)


@pytest.mark.parametrize(
    "one", [1.0, 1, np.float32(1), np.int64(1), np.ones(1), np.ones((1, 1), np.float32), np.array(1.0)]
)
def test_what_is_unambiguous_is_taken(one: Any) -> None:
    step = given(reward=one, terminated=one, truncated=np.bool_(False), begun=lambda o: [o, None])
    assert (step.rewards[0], step.terminated[0], step.truncated[0]) == (1.0, True, False)


# Signs of progress.


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
