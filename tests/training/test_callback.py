"""A user's function after each iteration: what it asks for happens on all ranks, and a resume goes on with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import TrainingProgress, configure, train
from baselines_ppo.common import minibatch_loop
from baselines_ppo.common.failures import LoadError, UsageError
from baselines_ppo.common.files import checkpoint
from baselines_ppo.settings.config import TrainConfig
from tests.conftest import ROOT, Finished
from tests.runs import arrays, assert_same_bits, figures
from tests.training.windy import Windy

Run = Callable[..., Finished]

# A curriculum: from iteration 2 on a wind, from iteration 4 on a stronger one. With the learner of tests/faults.py.
SCRIPT = """
import os, sys
sys.path.insert(0, ROOT)
from baselines_ppo.common.job.threads import limit_threads
limit_threads()
from baselines_ppo import configure, train
from tests.faults import use_stub
use_stub()
WHAT, FOLDER, RESUME = sys.argv[1:4]

def callback(progress):
    if progress.iteration in (2, 4):
        progress.set_environments("wind", 0.05 * progress.iteration)
    if WHAT == f"killed-{progress.iteration}":
        os.kill(os.getpid(), 9)
    if WHAT == "raises" and progress.iteration == 2:
        raise ValueError("no good")
    if WHAT == "refused":
        progress.change(gamma=0.5)

shape = dict(num_envs=4, num_steps=8, num_minibatches=2, num_epochs=1, num_timesteps=8 * 32, save_interval=0)
config = configure("tests.training.windy:Windy-v0", preset="none", **shape)
given = {"resume": RESUME} if RESUME else {"logdir": FOLDER}
train(config, callback=callback, **given)
""".replace("ROOT", repr(str(ROOT)))


def made(mpi: Run, ranks: int, what: str, folder: str, resume: str = "") -> Finished:
    return mpi(ranks, "-c", SCRIPT, what, folder, resume)


def small(**fields: Any) -> TrainConfig:
    """Return the configuration of a run of four iterations."""
    shape = {"num_envs": 2, "num_steps": 16, "num_timesteps": 128, "save_interval": 0, "num_minibatches": 2}
    return configure("tests.training.windy:Windy-v0", "ppo1", preset="none", hidden_sizes=(4,), **shape | fields)


def at(iteration: int, act: Callable[[TrainingProgress], object]) -> Callable[[TrainingProgress], None]:
    """Return a callback that does something after one iteration."""

    def callback(progress: TrainingProgress) -> None:
        if progress.iteration == iteration:
            act(progress)

    return callback


def test_attributes_are_set_on_all_ranks_and_a_killed_run_goes_on_with_them_bit_for_bit(
    mpi: Run, tmp_path: Path
) -> None:
    """Killed when a new wind is set, while episodes are under way that have begun with another."""
    for ranks, what, folder in ((1, "whole", "one"), (2, "whole", "two")):
        finished = made(mpi, ranks, what, folder)
        assert finished.returncode == 0, finished.stderr
    assert_same_bits(arrays(tmp_path / "one"), arrays(tmp_path / "two"))
    for iteration, now, before in ((3, {"wind": 0.1}, {}), (5, {"wind": 0.2}, {"wind": 0.1})):
        killed = f"killed-{iteration}"
        assert made(mpi, 2, killed, killed).returncode != 0
        last = checkpoint.find(tmp_path / killed)[0].manifest["attributes"]
        assert last["now"] == now
        assert before in last["episodes"]
        resumed = made(mpi, 2, "whole", "", killed)
        assert "steps: exact" in resumed.stdout, resumed.stderr
        assert_same_bits(arrays(tmp_path / "two"), arrays(tmp_path / killed))
        assert figures(tmp_path / "two") == figures(tmp_path / killed)


@pytest.mark.usefixtures("stub")
def test_an_attribute_is_set_where_an_episode_begins_and_never_within_one(tmp_path: Path) -> None:
    winds: list[list[float]] = []  # of each episode, its steps

    class Recorded(Windy):
        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            winds.append([])
            return super().reset(seed=seed)

        def step(self, action: np.ndarray) -> Any:
            winds[-1].append(self.wind)
            return super().step(action)

    callback = at(2, lambda progress: progress.set_environments("wind", np.float64(0.25)))
    train(small(num_envs=1, num_timesteps=64), logdir=tmp_path, environment=Recorded, callback=callback)
    assert all(len({*steps}) == 1 for steps in winds if steps)
    assert [steps[0] for steps in winds if steps][-1] == 0.25
    assert any(steps and steps[0] == 0.0 for steps in winds)


@pytest.mark.parametrize(
    ("what", "code", "said"), [("raises", 1, "ValueError: no good"), ("refused", 2, "gamma cannot be changed")]
)
def test_what_goes_wrong_in_a_callback_ends_all_ranks(what: str, code: int, said: str, mpi: Run) -> None:
    finished = made(mpi, 2, what, "run")
    assert finished.returncode == code
    assert finished.stderr.count(said) == (2 if what == "raises" else 1)  # below its traceback, and as the last line
    assert "rank 1" not in finished.stderr


@pytest.mark.parametrize("alg", ["ppo1", pytest.param("ppo_kl", marks=pytest.mark.slow)])
def test_a_changed_setting_is_that_of_an_override_and_a_resume_goes_on_with_it(alg: str, tmp_path: Path) -> None:
    counted = {"num_minibatches": 2} if alg == "ppo1" else {"num_episodes": None, "value_epochs": 1, "wrapper": ()}
    shape = {"num_envs": 2, "num_steps": 16, "num_epochs": 1, "num_timesteps": 128, "save_interval": 0, **counted}
    config = configure("tests.training.windy:Windy-v0", alg, preset="none", hidden_sizes=(4,), **shape)
    now = {"learning_rate": 1e-5} if alg == "ppo_kl" else {"learning_rate": 1e-5, "entropy_coef": 0.5}
    changing = at(2, lambda progress: progress.change(**now))
    train(config, logdir=tmp_path / "changed", callback=changing)
    train(config, logdir=tmp_path / "plain")
    middle = tmp_path / "plain" / "checkpoints" / "ckpt-00000002"
    lower = configure("tests.training.windy:Windy-v0", alg, preset="none", hidden_sizes=(4,), **now, **shape)
    train(lower, logdir=tmp_path / "overridden", resume=middle, override=tuple(now))
    assert_same_bits(arrays(tmp_path / "changed"), arrays(tmp_path / "overridden"))
    assert not np.array_equal(arrays(tmp_path / "changed")["parameters"], arrays(tmp_path / "plain")["parameters"])
    for name, given in (("same", config), ("new", lower)):  # who asks for what it began with, or for what it is now
        third = tmp_path / "changed" / "checkpoints" / "ckpt-00000003"
        train(given, logdir=tmp_path / name, resume=third)
        assert_same_bits(arrays(tmp_path / "changed"), arrays(tmp_path / name))
        assert checkpoint.find(tmp_path / name)[0].manifest["config"]["algorithm"]["learning_rate"] == 1e-5
    train(config, logdir=tmp_path / "back", resume=third, override=tuple(now))
    assert "changed" not in checkpoint.find(tmp_path / "back")[0].manifest


@pytest.mark.parametrize("alg", ["ppo1", "ppo2", "trpo"])
def test_step_sizes_and_the_bonus_change_in_every_iteration_without_another_compilation(
    alg: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorFlow keeps what it has compiled for ever."""
    rate = "value_learning_rate" if alg == "trpo" else "learning_rate"
    made, made_before = list[str](), list[int]()
    program = minibatch_loop.program

    def noted(function: Callable[..., Any], *parts: Any, **options: Any) -> Any:
        made.append(function.__qualname__)
        return program(function, *parts, **options)

    def change(progress: TrainingProgress) -> None:
        made_before.append(len(made))
        progress.change(**{rate: 1e-3 / progress.iteration, "entropy_coef": 10.0 * progress.iteration})

    monkeypatch.setattr(minibatch_loop, "program", noted)
    shape = {"num_envs": 2, "num_steps": 16, "num_timesteps": 256, "num_minibatches": 2}
    config = configure("CartPole-v1", alg, preset="none", hidden_sizes=(4,), **shape)
    train(config, logdir=tmp_path / "run", callback=change)
    assert len(set(made_before)) == 1
    assert len(made_before) == 8
    stored = checkpoint.find(tmp_path / "run")[0].manifest["config"]["algorithm"]
    assert (stored["entropy_coef"], stored[rate]) == (80.0, 1e-3 / 8)


@pytest.mark.usefixtures("stub")
def test_it_stops_saves_and_logs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[TrainingProgress] = []

    def callback(progress: TrainingProgress) -> None:
        seen.append(progress)
        if progress.iteration == 2:
            progress.save()
            progress.log(temperature=np.float32(0.5), unknown=float("nan"))
        if progress.iteration == 3:
            progress.stop()

    result = train(small(save_interval=1e9, num_timesteps=10_000), logdir=tmp_path, callback=callback)
    assert (result.total_steps, result.exit_code) == (96, 0)
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())] == [
        "ckpt-00000001", "ckpt-00000002", "ckpt-00000003",
    ]  # fmt: skip
    rows = figures(tmp_path)
    assert [row["temperature"] for row in rows] == ["", "0.5", ""]
    assert [(row["iteration"], row["episode_return"]) for row in rows] == [
        (str(progress.iteration), str(progress.row["episode_return"])) for progress in seen
    ]
    assert "stopped by the callback; checkpoint 00000003 written" in capsys.readouterr().out
    assert (seen[0].folder, seen[0].total_steps, seen[0].config.num_envs) == (tmp_path, 32, 2)


@pytest.mark.usefixtures("stub")
@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda progress: progress.log(approx_kl=1.0), "rows have a column of this name"),
        (lambda progress: progress.log(success_rate=1.0), "rows have a column of this name"),
        (lambda progress: progress.log(note="well"), "the callback logs note='well', expected a number"),
        (lambda progress: progress.log(steps=10**400), "the callback logs steps=10+.*, expected a number"),
        (lambda progress: progress.change(learning_rat=1e-4), "learning_rat cannot be changed on the way"),
        (lambda progress: progress.change(learning_rate="fast"), "--learning-rate is 'fast', expected float"),
        (lambda progress: progress.set_environments("wnd", 1.0), "has no attribute wnd to set.*wind"),
        (lambda progress: progress.set_environments("wind", object()), "wind is <object object.*expected what JSON"),
        (lambda progress: progress.set_environments("wind", float("nan")), "wind is nan, expected what JSON"),
        (
            lambda progress: progress.set_environments("wind", np.zeros((200, 200))),
            "with wind a checkpoint may have .* characters of attributes of 2 environments, expected at most 500,000",
        ),
        (lambda progress: progress.set_environments("__class__", 1), "'__class__' is no name of an attribute"),
        (lambda progress: progress.set_environments("wind", "/etc/passwd"), "wind may lead to a file"),
    ],
)
def test_what_there_is_not_is_refused_in_one_line(
    act: Callable[[TrainingProgress], object], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        train(small(), logdir=tmp_path, callback=at(1, act))
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("stub")
def test_the_largest_attributes_are_in_every_checkpoint_whatever_episode_is_under_way(tmp_path: Path) -> None:
    class Tabled(Windy):
        table = ""

    def callback(progress: TrainingProgress) -> None:
        progress.set_environments("table", f"{progress.iteration:166000d}")

    result = train(small(save_interval=0, num_steps=4), logdir=tmp_path, environment=Tabled, callback=callback)
    newest = checkpoint.find(result.folder)[0].manifest
    assert newest["total_steps"] == result.total_steps
    assert len(newest["attributes"]["episodes"]) > 1


@pytest.mark.usefixtures("stub")
def test_robots_that_are_stepped_as_one_have_no_attributes_of_their_own(tmp_path: Path) -> None:
    shape: dict[str, Any] = {"num_envs": 2, "num_steps": 16, "num_timesteps": 64, "num_minibatches": 2}
    config = configure("RoboHopper-v1", "ppo1", preset="none", hidden_sizes=(4,), **shape)
    callback = at(1, lambda progress: progress.set_environments("gravity", -5.0))
    with pytest.raises(UsageError, match=r"RoboHopper-v1 steps all its environments as one.*put a wrapper around it"):
        train(config, logdir=tmp_path, callback=callback)


@pytest.mark.usefixtures("stub")
def test_attributes_of_a_stranger_that_may_lead_to_a_file_are_not_set(tmp_path: Path) -> None:
    train(small(), logdir=tmp_path / "run", callback=at(1, lambda progress: progress.set_environments("wind", 0.1)))
    found = checkpoint.find(tmp_path / "run")[0]
    forged: tuple[Any, ...] = ({"now": {"wind": "../x"}, "episodes": [{}], "of_environments": [0, 0]}, {"now": {}}, [1])
    for attributes in forged:
        manifest = {**found.manifest, "attributes": attributes}
        path = checkpoint.save(tmp_path, "ckpt-00000009", manifest, found.arrays)
        with pytest.raises(LoadError, match="its environments' attributes cannot be taken"):
            train(small(num_timesteps=999), logdir=tmp_path / "other", resume=path)
