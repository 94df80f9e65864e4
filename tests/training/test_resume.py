"""Runs that are killed, stopped, extended or moved to other ranks, and go on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from baselines_ppo.common.files import checkpoint
from baselines_ppo.run.cli import main
from tests.conftest import Finished
from tests.runs import COUNTING, LSTM, arrays, assert_same_bits, figures, flags, forget
from tests.tasks import STRICT

Run = Callable[..., Finished]


RUNS: dict[str, tuple[object, ...]] = {
    **{alg: flags("Pendulum-v1", alg, 4) for alg in ("ppo1", "ppo2", "ppo_kl", "trpo")},
    "counting": (*flags("CartPole-v1", "ppo_kl", 4), *COUNTING, "--num-timesteps", 450),
    "lstm": (*flags("CartPole-v1", "ppo2", 4), *LSTM),
    "zoo": flags("RoboHumanoidFlagrunHarder-v1", "ppo2", 8),
}
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("line", "ranks"),
    [
        (RUNS["ppo2"], 1),
        pytest.param(RUNS["counting"], 1, marks=SLOW),
        pytest.param(RUNS["counting"], 2, marks=SLOW),
        pytest.param(flags("HalfCheetah-v4", "ppo2", 4), 2, marks=SLOW),
        pytest.param(RUNS["lstm"], 1, marks=SLOW),
        pytest.param(RUNS["zoo"], 2, marks=SLOW),
        pytest.param(flags("HalfCheetah-v4", "ppo1", 4), 1, marks=SLOW),
        pytest.param(RUNS["ppo_kl"], 2, marks=SLOW),
        pytest.param(RUNS["trpo"], 2, marks=SLOW),
        pytest.param(flags("LunarLander-v3", "ppo2", 6), 1, marks=SLOW),
        pytest.param(flags("Humanoid-v4", "ppo2", 6), 3, marks=SLOW),
        pytest.param(flags("Humanoid-v4", "ppo1", 6), 2, marks=SLOW),
        pytest.param(flags("CartPole-v1", "ppo2", 6), 2, marks=SLOW),
    ],
    ids=lambda value: "-".join(map(str, value[1:4:2])) if isinstance(value, tuple) else str(value),
)
def test_a_killed_run_resumes_bit_for_bit(
    line: tuple[object, ...], ranks: int, trainer: Run, trainer_here: Run, faulty: Run, tmp_path: Path
) -> None:
    """Killed in iteration 3, then resumed by the same command with --resume auto."""
    assert trainer_here(ranks, *line, "--logdir", "whole").returncode == 0
    assert faulty(ranks, f"kill-{ranks - 1}", *line, "--logdir", "killed").returncode != 0
    resumed = trainer(ranks, *line, "--logdir", "killed", "--resume", "auto")
    assert resumed.returncode == 0, resumed.stderr
    assert "resumed ckpt-00000002 at" in resumed.stdout
    assert "steps: exact" in resumed.stdout
    assert_same_bits(arrays(tmp_path / "whole"), arrays(tmp_path / "killed"))
    assert figures(tmp_path / "whole") == figures(tmp_path / "killed")
    lineage = checkpoint.find(tmp_path / "killed")[0].manifest["lineage"]
    assert [(part["from_iteration"], part["exact"]) for part in lineage] == [(0, True), (2, True)]


@pytest.mark.parametrize("name", RUNS)
def test_a_checkpoint_in_mid_run_goes_on_bit_for_bit(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it holds is all that the rest of the run depends on, whatever the algorithm and the network."""
    whole, again = tmp_path / "whole", tmp_path / "again"
    assert main([*map(str, RUNS[name]), "--logdir", str(whole)]) == 0
    middle = whole / "checkpoints" / "ckpt-00000002"
    assert main(["--resume", str(middle), "--logdir", str(again)]) == 0
    assert "steps: exact" in capsys.readouterr().out
    assert_same_bits(arrays(whole), arrays(again))
    assert checkpoint.find(again)[0].manifest["iteration"] > 2
    held = arrays(whole, 2)
    if name == "lstm":
        assert held["environments/state"].any(axis=1).all()  # each environment is in mid-episode, and remembered
    if name == "zoo":  # which says its state, so that nothing has to be replayed
        assert len(held["environments/actions"]) == 0
        assert held["environments/captured/simulation"].shape[0] == 6
        assert np.isfinite(arrays(whole)["environments/captured/successes"]).any()  # of earlier episodes
    if "ppo_kl" in RUNS[name]:
        assert (held["learning/value_targets_count"] > 0).all()  # the experience of the iteration before


def test_a_run_stopped_by_a_signal_resumes_bit_for_bit(stubbed: Run, faulty: Run, tmp_path: Path) -> None:
    line = flags("Pendulum-v1", "ppo2", 6)
    assert stubbed(2, *line, "--logdir", "whole").returncode == 0
    assert faulty(2, "stub+term-1", *line, "--logdir", "stopped").returncode == 75
    assert stubbed(2, "--resume", "stopped").returncode == 0
    assert_same_bits(arrays(tmp_path / "whole"), arrays(tmp_path / "stopped"))


def test_elastic_resume_over_two_three_and_one_rank(stubbed: Run, tmp_path: Path) -> None:
    """The parameters that a rank count ends with are those that the next begins with, bit for bit."""
    line = flags("Pendulum-v1", "ppo2", 3)
    assert stubbed(2, *line, "--logdir", "run").returncode == 0
    finished = []
    for ranks, steps in ((3, 5 * 192), (1, 7 * 192)):
        before = checkpoint.find(tmp_path / "run")[0]
        finished.append(stubbed(ranks, "--resume", "run", "--num-timesteps", steps))
        assert finished[-1].returncode == 0, finished[-1].stderr
        assert f"resumed {before.path.name}" in finished[-1].stdout
    assert "elastic, 2 -> 3 ranks" in finished[0].stdout
    assert "elastic, 3 -> 1 ranks" in finished[1].stdout
    found = checkpoint.find(tmp_path / "run")[0]
    assert found.manifest["total_steps"] == 7 * 192
    assert [part["ranks"] for part in found.manifest["lineage"]] == [2, 3, 1]
    assert stubbed(1, *flags("Pendulum-v1", "ppo2", 7), "--logdir", "one").returncode == 0
    for name, x in arrays(tmp_path / "one").items():
        if name.startswith("environments/") and x.dtype.kind == "i":
            np.testing.assert_array_equal(x, found.arrays[name])  # the same episodes, as if never moved


def test_more_environments_on_resume_use_no_seed_again(stubbed: Run, tmp_path: Path) -> None:
    line = flags("Pendulum-v1", "ppo1", 3, num_envs=2)
    assert stubbed(2, *line, "--logdir", "run").returncode == 0
    refused = stubbed(3, "--resume", "run", "--num-timesteps", 1e4)
    assert refused.returncode == 2
    assert "num_envs 2 is not a multiple of 3 ranks; give --num-envs 3" in refused.stderr
    grown = stubbed(3, "--resume", "run", "--num-envs", 3, "--num-timesteps", 4 * 96)
    assert grown.returncode == 0, grown.stderr
    episodes = arrays(tmp_path / "run")["environments/episode"]
    assert episodes[2] >= 3 * 64  # numbered after every episode that can have been


def test_the_step_size_of_a_resumed_run_may_be_overridden_and_its_discount_may_not(
    stubbed: Run, tmp_path: Path
) -> None:
    assert stubbed(1, *flags("Pendulum-v1", "ppo2", 2), "--logdir", "run").returncode == 0
    more = ("--resume", "run", "--num-timesteps", 3 * 192)
    asked = stubbed(1, *more, "--learning-rate", 1e-4)
    assert asked.returncode == 2
    assert "add --override learning_rate" in asked.stderr
    refused = stubbed(1, *more, "--gamma", 0.5, "--override", "gamma")
    assert refused.returncode == 2
    assert "--override gamma: what may be changed is learning_rate, " in refused.stderr
    alone = stubbed(1, *flags("Pendulum-v1", "ppo2", 2), "--override", "learning_rate")
    assert alone.returncode == 2
    assert "--override changes a run that goes on; give --resume too" in alone.stderr
    changed = stubbed(1, *more, "--learning-rate", 1e-4, "--override", "learning_rate")
    assert changed.returncode == 0, changed.stderr
    assert "changed learning_rate 0.000754 -> 0.0001" in changed.stdout
    assert checkpoint.find(tmp_path / "run")[0].manifest["config"]["algorithm"]["learning_rate"] == 1e-4


def test_a_run_resumes_with_safe_changes_only(stubbed: Run, tmp_path: Path) -> None:
    assert stubbed(1, *flags("Pendulum-v1", "ppo2", 2), "--logdir", "run").returncode == 0
    for change, message in (
        (("--gamma", 0.5), "gamma 0.95 -> 0.5"),
        (("--env", "CartPole-v1"), "env Pendulum-v1 -> CartPole-v1"),
        (("--hidden-sizes", "32,32"), "hidden_sizes None -> (32, 32)"),
        (("--alg", "ppo1"), "it is a run of ppo2"),
    ):
        refused = stubbed(1, "--resume", "run", *change)
        assert refused.returncode == 2
        assert message in refused.stderr
    extended = stubbed(1, "--resume", "run", "--num-timesteps", 4 * 192)
    assert extended.returncode == 0
    assert "changed num_timesteps 384 -> 768" in extended.stdout
    lineage = checkpoint.find(tmp_path / "run")[0].manifest["lineage"]
    assert [part["exact"] for part in lineage] == [True, False]
    elsewhere = stubbed(1, "--resume", "run", "--logdir", "elsewhere")
    assert elsewhere.returncode == 2
    assert "goes on in its own place" in elsewhere.stderr
    again = stubbed(1, *flags("Pendulum-v1", "ppo2", 2), "--logdir", "run")
    assert again.returncode == 2
    assert "holds a run already; go on with --resume run, or" in again.stderr


def test_an_environment_that_cannot_be_replayed_is_said_and_trained_on(stubbed: Run, tmp_path: Path) -> None:
    line = flags("tests.environments:Entropy-v0", "ppo2", 2)
    assert stubbed(1, *line, "--logdir", "run").returncode == 0
    forget()
    refused = stubbed(1, "--resume", "run", "--num-timesteps", 3 * 192)
    assert refused.returncode == 66  # the module that a file names is not imported
    assert "add --env tests.environments:Entropy-v0" in refused.stderr
    resumed = stubbed(1, "--resume", "run", "--env", line[1], "--num-timesteps", 3 * 192)
    assert resumed.returncode == 0, resumed.stderr
    assert "not exact, new episodes in environments 0, 1, 2, 3, 4, 5" in resumed.stdout
    lineage = checkpoint.find(tmp_path / "run")[0].manifest["lineage"]
    assert [part["exact"] for part in lineage] == [True, False]


def test_auto_finds_the_newest_run_of_this_environment_algorithm_and_seed(stubbed: Run, tmp_path: Path) -> None:
    line = flags("Pendulum-v1", "ppo2", 2)
    for seed in (0, 2):
        begun = stubbed(1, *line, "--seed", seed, "--resume", "auto")
        assert "nothing to resume yet; beginning a new run" in begun.stdout
    assert len(list((tmp_path / "runs" / "Pendulum-v1").iterdir())) == 2
    again = stubbed(1, *line, "--seed", 2, "--resume", "auto", "--load-path", "long-gone")
    assert "resumed ckpt-00000002 at 384 steps: exact" in again.stdout, again.stderr
    assert "all 384 steps are made" in again.stdout
    assert len(list((tmp_path / "runs" / "Pendulum-v1").iterdir())) == 2


def test_a_run_that_dies_early_loses_no_more_than_its_first_iteration(
    stubbed: Run, faulty: Run, tmp_path: Path
) -> None:
    """The first checkpoint does not wait for --save-interval."""
    line = flags("Pendulum-v1", "ppo2", 4)[:-2]
    assert stubbed(1, *line, "--logdir", "whole").returncode == 0
    assert faulty(1, "stub+kill-0", *line, "--logdir", "run").returncode != 0
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["ckpt-00000001"]
    finished = stubbed(1, *line, "--logdir", "run", "--resume", "auto")
    assert "resumed ckpt-00000001 at 192 steps: exact" in finished.stdout, finished.stderr
    assert_same_bits(arrays(tmp_path / "whole"), arrays(tmp_path / "run"))
    assert figures(tmp_path / "whole") == figures(tmp_path / "run")


def test_resuming_past_damaged_checkpoints_keeps_what_it_writes(stubbed: Run, tmp_path: Path) -> None:
    """Three damaged newer ones must not push the good ones out."""
    assert stubbed(1, *flags("Pendulum-v1", "ppo2", 4), "--logdir", "run").returncode == 0
    for iteration in (2, 3, 4):
        (tmp_path / "run" / "checkpoints" / f"ckpt-{iteration:08d}" / "arrays.npz").write_bytes(b"damaged")
    none_left = stubbed(2, "--resume", "run")
    assert none_left.returncode == 66
    assert none_left.stderr.count("error: no usable checkpoint in run: ") == 1
    source = tmp_path / "run" / "checkpoints" / "ckpt-00000002"
    assert stubbed(1, *flags("Pendulum-v1", "ppo2", 1), "--logdir", "good").returncode == 0
    (tmp_path / "good" / "checkpoints" / "ckpt-00000001").rename(source.with_name("ckpt-00000001"))
    resumed = stubbed(1, "--resume", "run", "--num-timesteps", 4 * 192)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr.count("warning: skipping a checkpoint: ") == 3
    assert "resumed ckpt-00000001 " in resumed.stdout
    names = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert names == [*(f"bad-ckpt-{k:08d}" for k in (2, 3, 4)), *(f"ckpt-{k:08d}" for k in (2, 3, 4))]


def test_a_single_checkpoint_begins_a_new_run(stubbed: Run, tmp_path: Path) -> None:
    assert stubbed(1, *flags("Pendulum-v1", "ppo2", 3), "--logdir", "run").returncode == 0
    branch = stubbed(1, "--resume", "run/checkpoints/ckpt-00000002", "--logdir", "branch")
    assert branch.returncode == 0, branch.stderr
    assert_same_bits(arrays(tmp_path / "run"), arrays(tmp_path / "branch"))


@pytest.mark.parametrize(("name", "ranks"), [("Grid", 1), ("Choices", 1), ("Whole", 2)])
def test_episodes_of_actions_of_several_dimensions_are_replayed_bit_for_bit(
    name: str, ranks: int, stubbed: Run, tmp_path: Path
) -> None:
    """The environment refuses what is not in its space, and what it shows depends on every digit of it."""
    line = flags(f"tests.environments:Strict{name}-v0", "ppo2", 3)
    assert stubbed(1, *line, "--logdir", "whole").returncode == 0
    second = tmp_path / "whole" / "checkpoints" / "ckpt-00000002"  # in mid-episode: 64 steps, of 50 each
    assert stubbed(ranks, "--resume", second, *line[:2], "--logdir", "again").returncode == 0
    assert checkpoint.load(second).arrays["environments/actions"].shape == (6 * 14, *(STRICT[name].shape or ()))
    assert_same_bits(arrays(tmp_path / "whole"), arrays(tmp_path / "again"))
