"""Environments that raise, and wrappers and networks that are not there, do not fit or are not trusted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import configure, train
from baselines_ppo.common.failures import DataError
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.agent import load_agent
from baselines_ppo.common.seeding import episode_seed
from tests.conftest import Finished
from tests.envs.test_rollout import collector, vec_env
from tests.odd_environments import Odd
from tests.runs import arrays

Run = Callable[..., Finished]

SHAPE = ("--preset", "none", "--num-envs", 2, "--num-steps", 16, "--num-minibatches", 4, "--num-timesteps", 128)
FOREIGN = """
import pathlib, gymnasium
from baselines_ppo.common.policy.networks import mlp
pathlib.Path("imported").touch()
class Same(gymnasium.Wrapper):
    pass
def network(shape, settings):
    return mlp(shape, settings)
"""


def raising(when: str) -> tuple[object, ...]:
    """Return a run of four iterations, of two environments, whose episodes take ten steps."""
    return ("--env", f"tests.environments:Raising-{when}-v0", *SHAPE, "--logdir", "run", "--save-interval", 0)


def test_an_environment_that_raises_ends_the_job_and_is_traced_to_its_line(stubbed: Run) -> None:
    finished = stubbed(1, *raising("always"))
    assert finished.returncode == 65, finished.stderr
    first, *trace = finished.stderr.splitlines()
    where = f"rank 0, environment 0, episode 1 (seed {episode_seed(0, 0, 1)}), step 5, last action ["
    assert first.startswith(f"error: env tests.environments:Raising-always-v0, {where}")
    assert first.endswith("]: step raised RuntimeError: the wheel came off")
    assert any("tests/environments.py" in line and "in step" in line for line in trace)
    assert finished.stderr.count("Traceback") == 1
    assert trace[-1] == "RuntimeError: the wheel came off"


def test_ranks_whose_environments_all_raise_report_once(stubbed: Run) -> None:
    finished = stubbed(2, *raising("always"))
    assert finished.returncode == 65, finished.stderr
    assert "rank 0, environment 0, episode 1" in finished.stderr
    assert finished.stderr.count("Traceback") == 1


def test_one_rank_whose_environment_raises_ends_both(stubbed: Run, tmp_path: Path) -> None:
    finished = stubbed(2, *raising("rank-1"))
    assert finished.returncode == 65, finished.stderr
    assert f"rank 1, environment 1, episode 1 (seed {episode_seed(0, 1, 1)}), step 5" in finished.stderr
    assert "rank 0" not in finished.stderr
    assert finished.stderr.count("RuntimeError: the wheel came off") == 2  # in the message, and under its traceback


@pytest.mark.parametrize(("ranks", "which"), [(1, "always"), (2, "rank-1")])
def test_what_ended_a_job_is_said_before_its_environments_are_closed(ranks: int, which: str, faulty: Run) -> None:
    """They hang in it: a rank alone, and rank 1 of two, whose timeout is ten minutes."""
    finished = faulty(ranks, "stub+hang-close", *raising(which))
    assert finished.returncode == 65, finished.stderr
    assert "the wheel came off" in finished.stderr
    assert finished.stderr.count("warning: closing took over 5 s; not waited for") == 1


@pytest.mark.parametrize("fault", ["leave-close", "interrupt-close"])
def test_nothing_in_closing_changes_how_a_failed_job_ends(fault: str, faulty: Run) -> None:
    finished = faulty(1, f"stub+{fault}", *raising("always"))
    assert finished.returncode == 65, finished.stderr
    assert finished.stderr.count("Traceback") == 1  # where the environment raised
    assert finished.stderr.startswith("error: env tests.environments:Raising-always-v0")


def test_a_reset_that_raises_ends_the_job(stubbed: Run) -> None:
    finished = stubbed(1, *raising("reset"))
    assert finished.returncode == 65, finished.stderr
    seed = episode_seed(0, 0, 1)
    assert (
        f"error: env tests.environments:Raising-reset-v0, rank 0, environment 0, episode 1 (seed {seed}), step 0: "
        in (finished.stderr)
    )
    assert "reset raised RuntimeError: the track is gone" in finished.stderr
    assert "made again" not in finished.stderr


def test_an_environment_whose_reset_raises_is_made_again_as_often_as_allowed(stubbed: Run, tmp_path: Path) -> None:
    """Every second reset of an instance raises: 16 steps have one, before step 11."""
    once = ("--num-envs", 1, "--env-restarts", 1, "--num-timesteps")
    finished = stubbed(1, *raising("reset"), *once, 16)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr.count("made again, 1 of 1 times") == 1
    found = checkpoint.find(tmp_path / "run")[0]
    assert found.arrays["window"].tolist() == [[10.0, 10.0]]
    assert found.arrays["environments/episode"].tolist() == [2]  # the one that did not begin had a number
    assert found.arrays["environments/action_count"].tolist() == [6]
    more = stubbed(1, *raising("reset"), *once, 32, "--logdir", "more")
    assert more.returncode == 65, more.stderr
    assert "error: env tests.environments:Raising-reset-v0, rank 0, environment 0, episode 3 " in more.stderr


def test_how_often_an_environment_was_made_again_is_kept_across_a_checkpoint(stubbed: Run, tmp_path: Path) -> None:
    """The second episode of every instance breaks: before the checkpoint, and after it."""
    line = (*raising("always"), "--env-restarts", 1)
    assert stubbed(1, *line, "--num-timesteps", 32).returncode == 0
    assert arrays(tmp_path / "run")["environments/restarts"].tolist() == [1, 1]
    named = ("--env", "tests.environments:Raising-always-v0")
    resumed = stubbed(1, "--resume", "run", *named, "--num-timesteps", 64)
    assert resumed.returncode == 65, resumed.stderr
    assert "resumed ckpt-00000001 at 32 steps: changed num_timesteps 32 -> 64\n" in resumed.stdout
    assert "error: env tests.environments:Raising-always-v0, rank 0, environment 0, " in resumed.stderr
    assert "made again" not in resumed.stderr


def test_an_environment_that_used_its_restart_has_none_after_a_replay() -> None:
    """The second of two was made again in step 15; replayed, and broken again, it ends the job, the first does not."""
    envs = vec_env("tests.environments:Raising-always-v0", range(2), restarts=1)
    envs.reset()
    for _ in range(12):
        envs.step(np.zeros((2, 1), np.float32))
    records = envs.capture()
    assert [record.restarts for record in records] == [0, 0]
    for _ in range(4):
        envs.step(np.zeros((2, 1), np.float32))
    records[1] = envs.capture()[1]
    assert (records[1].episode, records[1].restarts) == (2, 1)
    again = vec_env("tests.environments:Raising-always-v0", range(2), restarts=1)
    assert again.restore(records) == []
    assert [record.restarts for record in again.capture()] == [0, 1]
    with pytest.raises(DataError, match=r"environment 1, episode 3 .*step 5"):
        for _ in range(20):
            again.step(np.zeros((2, 1), np.float32))
    assert [record.restarts for record in again.capture()] == [1, 1]


def test_an_environment_is_made_again_and_its_broken_episode_not_counted(faulty: Run, tmp_path: Path) -> None:
    """64 steps of each: six whole episodes of one environment, five of the one that broke in step 15 of them."""
    finished = faulty(1, "stub+none", *raising("once"), "--env-restarts", 1)
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr.count("warning: env tests.environments:Raising-once-v0, rank 0, environment 0, ") == 1
    assert "RuntimeError: the wheel came off\nmade again, 1 of 1 times\n" in finished.stderr
    found = checkpoint.find(tmp_path / "run")[0]
    assert found.manifest["episodes"] == 11
    assert found.arrays["window"].tolist() == [[10.0, 10.0]] * 11
    assert found.arrays["environments/episode"].tolist() == [6, 6]  # but it had a number, so no seed comes twice


def test_an_environment_that_raises_in_a_replay_begins_a_new_episode(faulty: Run, tmp_path: Path) -> None:
    """In the new process the fault comes again, in the replayed episode of the environment that had no fault."""
    assert faulty(1, "stub+none", *raising("once"), "--env-restarts", 1).returncode == 0
    named = ("--env", "tests.environments:Raising-once-v0", "--logdir", "again")
    again = faulty(1, "stub+none", "--resume", "run/checkpoints/ckpt-00000003", *named)
    assert again.returncode == 0, again.stderr
    assert "not exact, new episodes in environments 1\n" in again.stdout
    assert "episode 4 " in again.stderr
    one, other = arrays(tmp_path / "run"), arrays(tmp_path / "again")
    assert one["environments/actions"][:9].tobytes() == other["environments/actions"][:9].tobytes()  # environment 0's


def test_raising_more_often_than_allowed_ends_the_job(stubbed: Run) -> None:
    finished = stubbed(1, *raising("always"), "--env-restarts", 1)
    assert finished.returncode == 65, finished.stderr
    assert finished.stderr.count("made again, 1 of 1 times") == 2  # each environment has its own allowance
    assert "error: env tests.environments:Raising-always-v0, rank 0, environment 0, episode 3 " in finished.stderr


@pytest.mark.parametrize(
    ("wrapper", "message"),
    [
        ("gymnasium.wrappers:Nonsense", "wrapper gymnasium.wrappers:Nonsense not found"),
        ("no_such_module:Wrapper", "wrapper no_such_module:Wrapper not found"),
        ("TimeAwareObservation", "expected module:Class"),
        ("gymnasium.wrappers:AtariPreprocessing", "AtariPreprocessing does not take this environment"),
        ("gymnasium.wrappers:TransformReward", "TransformReward does not take this environment"),
    ],
)
def test_a_wrapper_that_cannot_be_used_is_refused_in_one_line(wrapper: str, message: str, stubbed: Run) -> None:
    finished = stubbed(1, "--env", "Pendulum-v1", *SHAPE, "--wrapper", wrapper)
    assert finished.returncode == 2, finished.stderr
    (line,) = finished.stderr.splitlines()
    assert message in line


def test_a_wrapper_changes_what_is_learned_from(stubbed: Run, tmp_path: Path) -> None:
    wrapper = ("--wrapper", "gymnasium.wrappers:TimeAwareObservation")
    finished = stubbed(1, "--env", "Pendulum-v1", *SHAPE, *wrapper, "--logdir", "run")
    assert finished.returncode == 0, finished.stderr
    assert arrays(tmp_path / "run")["environments/observation"].shape == (2, 4)  # the time beside three numbers
    evaluated = stubbed(1, "evaluate", "run", "--episodes", 1)
    assert evaluated.returncode == 0, evaluated.stderr


@pytest.mark.parametrize("kind", ["wrapper", "network"])
def test_a_module_that_a_file_names_is_imported_only_if_the_command_line_names_it(
    kind: str, stubbed: Run, faulty: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is refused could have been imported here; what is accepted is imported in a process of its own."""
    (tmp_path / "foreign.py").write_text(FOREIGN)
    monkeypatch.syspath_prepend(tmp_path)
    sizes = ("--hidden-sizes", "64,64")  # a network of one's own has none unless they are given
    assert stubbed(1, "--env", "Pendulum-v1", *SHAPE, *sizes, "--logdir", "run").returncode == 0
    name = plant(kind, tmp_path / "run")
    longer = ("--num-timesteps", 160)
    for refused in (stubbed(1, "evaluate", "run"), stubbed(1, "--resume", "run", *longer)):
        assert refused.returncode == 66, refused.stderr
        (line,) = refused.stderr.splitlines()
        assert name in line
        assert f"add --{kind} {name}" in line
    assert not (tmp_path / "imported").exists()
    trusted = (f"--{kind}", name)
    for accepted in (
        faulty(1, "none", "evaluate", "run", "--episodes", 1, *trusted),
        faulty(1, "stub+none", "--resume", "run", *longer, *trusted),
    ):
        assert accepted.returncode == 0, accepted.stderr
    assert (tmp_path / "imported").exists()


def plant(kind: str, run: Path) -> str:
    """Write a newer checkpoint that names a wrapper or network of a module `foreign`; returns what it names."""
    found = checkpoint.find(run)[0]
    manifest = found.manifest
    if kind == "wrapper":
        name = "foreign:Same"
        manifest["wrapper"] = manifest["config"]["wrapper"] = [name]
    else:
        name = "foreign:network"
        manifest["config"]["policy"]["network"] = name
        for part in ("policy_network", "value_network"):
            manifest["policy"][part]["name"] = name
    checkpoint.save(run / "checkpoints", "ckpt-00000099", manifest, found.arrays)
    return name


def test_an_episode_that_was_dropped_is_none_of_those_that_are_counted() -> None:
    """Every second episode of an instance breaks in step 5: of three that count, the second begins again."""
    source = collector("tests.environments:Raising-always-v0", indices=range(2), restarts=100)
    rollout = source.collect(0, 1, num_episodes=3)
    for index in range(2):
        whole = [episode for episode in rollout.episodes if episode.environment == index]
        assert [(episode.episode_return, episode.length) for episode in whole] == [(10.0, 10)] * 3
    assert rollout.made.sum(axis=0).tolist() == [40, 40]  # and two broken ones of four steps and one that failed


@pytest.mark.parametrize("normalised", [True, False])
def test_rewards_near_float32s_largest_are_learned_from_or_refused_without_a_warning(
    normalised: bool, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    class Rich(Odd):
        def draw(self, action: int) -> float:
            return 3e38 * (action - 1)

    settings: dict[str, Any] = {"num_envs": 2, "num_steps": 64, "num_minibatches": 4, "num_epochs": 3}
    config = configure("Rich", preset="none", num_timesteps=512, normalize_returns=normalised, **settings)
    outcome: Any = nullcontext() if normalised else pytest.raises(DataError, match="the gradient has NaN or Inf")
    with outcome:
        result = train(config, environment=Rich, logdir=tmp_path / "run")
        assert result.total_steps == 512
        assert np.isfinite(load_agent(result.folder).policy.parameters).all()
    assert [str(each.message) for each in recwarn if "encountered in" in str(each.message)] == []
