"""Whole runs: the same on any number of ranks, the same after a kill, and loaded agents that act the same."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import configure, load, train
from baselines_ppo.common import checkpoint
from baselines_ppo.common.failures import DataError, LoadError
from tests.conftest import Finished

Run = Callable[..., Finished]
TIMES = ("seconds", "steps_per_second", "environments_share", "acting_share", "learning_share")


def flags(env: str, alg: str, iterations: int, num_envs: int = 6) -> tuple[object, ...]:
    """Return a small run: six environments, 32 steps, 4 minibatches, 3 epochs."""
    shape = ("--num-envs", num_envs, "--num-steps", 32, "--num-minibatches", 4, "--num-epochs", 3)
    return ("--env", env, "--alg", alg, *shape, "--num-timesteps", iterations * num_envs * 32, "--save-interval", 0)


def arrays(path: Path, iteration: int | None = None) -> dict[str, np.ndarray]:
    if iteration is not None:
        return checkpoint.load(path / "checkpoints" / f"ckpt-{iteration:08d}").arrays
    return checkpoint.find(path)[0].arrays


def assert_same_bits(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert set(one) == set(other)
    different = [name for name in one if one[name].tobytes() != other[name].tobytes()]
    assert different == []


def figures(path: Path) -> list[dict[str, str]]:
    """Return progress.csv without what depends on the clock."""
    with (path / "progress.csv").open() as file:
        return [{name: x for name, x in row.items() if name not in TIMES} for row in csv.DictReader(file)]


@pytest.mark.parametrize("alg", ["ppo1", "ppo2"])
def test_one_two_and_three_ranks_train_alike(alg: str, trainer: Run, tmp_path: Path) -> None:
    """After one iteration trajectories are equal exactly, parameters up to the rounding of sums.

    The textbook's PPO2 standardises advantages over global minibatches, clips values and scales rewards.
    """
    line = (*flags("HalfCheetah-v4", alg, 1), "--preset", "none")
    line += ("--normalize-value-targets", "true") if alg == "ppo2" else ()
    for ranks in (1, 2, 3):
        finished = trainer(ranks, *line, "--logdir", ranks)
        assert finished.returncode == 0, finished.stderr
    reference = arrays(tmp_path / "1")
    for folder in ("2", "3"):
        other = arrays(tmp_path / folder)
        for name in reference:
            if name.startswith("environments/"):
                np.testing.assert_array_equal(reference[name], other[name], err_msg=name)
            if name.endswith(("/mean", "/variance", "/count")):
                np.testing.assert_allclose(reference[name], other[name], rtol=1e-5, err_msg=name)
        for name in ("parameters", "adam/m", "adam/v"):
            np.testing.assert_allclose(reference[name], other[name], atol=1e-5, rtol=0, err_msg=name)
        np.testing.assert_allclose(reference["adam/m"], other["adam/m"], atol=1e-3 * np.abs(reference["adam/m"]).max())
    first = checkpoint.find(tmp_path / "1")[0].manifest
    assert (first["iteration"], first["updates"], first["total_steps"]) == (1, 12, 192)


@pytest.mark.parametrize(
    ("env", "alg", "ranks"),
    [
        ("HalfCheetah-v4", "ppo2", 2),
        ("HalfCheetah-v4", "ppo1", 1),
        pytest.param("LunarLander-v3", "ppo2", 1, marks=pytest.mark.slow),
        pytest.param("Humanoid-v4", "ppo2", 3, marks=pytest.mark.slow),
        pytest.param("Humanoid-v4", "ppo1", 2, marks=pytest.mark.slow),
        pytest.param("CartPole-v1", "ppo2", 2, marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_resumes_bit_for_bit(
    env: str, alg: str, ranks: int, trainer: Run, faulty: Run, tmp_path: Path
) -> None:
    """Killed in iteration 3 of 6, then resumed by the same command with --resume auto."""
    line = flags(env, alg, 6)
    assert trainer(ranks, *line, "--logdir", "whole").returncode == 0
    assert faulty(ranks, f"kill-{ranks - 1}", *line, "--logdir", "killed").returncode != 0
    resumed = trainer(ranks, *line, "--logdir", "killed", "--resume", "auto")
    assert resumed.returncode == 0, resumed.stderr
    assert "resumed ckpt-00000002 at" in resumed.stdout
    assert "steps: exact" in resumed.stdout
    assert_same_bits(arrays(tmp_path / "whole"), arrays(tmp_path / "killed"))
    assert figures(tmp_path / "whole") == figures(tmp_path / "killed")
    lineage = checkpoint.find(tmp_path / "killed")[0].manifest["lineage"]
    assert [(part["from_iteration"], part["exact"]) for part in lineage] == [(0, True), (2, True)]


def test_a_run_stopped_by_a_signal_resumes_bit_for_bit(faulty: Run, tmp_path: Path) -> None:
    line = flags("Pendulum-v1", "ppo2", 6)
    assert faulty(2, "stub+none", *line, "--logdir", "whole").returncode == 0
    assert faulty(2, "stub+term-1", *line, "--logdir", "stopped").returncode == 75
    assert faulty(2, "stub+none", "--resume", "stopped").returncode == 0
    assert_same_bits(arrays(tmp_path / "whole"), arrays(tmp_path / "stopped"))


def test_two_runs_of_the_same_seed_are_the_same_and_of_another_are_not(tmp_path: Path) -> None:
    config = small("Pendulum-v1")
    for name in ("one", "two"):
        train(config, logdir=tmp_path / name)
    assert_same_bits(arrays(tmp_path / "one"), arrays(tmp_path / "two"))
    train(small("Pendulum-v1", seed=1), logdir=tmp_path / "other")
    assert (arrays(tmp_path / "one")["parameters"] != arrays(tmp_path / "other")["parameters"]).any()


def test_elastic_resume_over_two_three_and_one_rank(faulty: Run, tmp_path: Path) -> None:
    """The parameters that a rank count ends with are those that the next begins with, bit for bit."""
    line = flags("Pendulum-v1", "ppo2", 3)
    assert faulty(2, "stub+none", *line, "--logdir", "run").returncode == 0
    finished = []
    for ranks, steps in ((3, 5 * 192), (1, 7 * 192)):
        before = checkpoint.find(tmp_path / "run")[0]
        finished.append(faulty(ranks, "stub+none", "--resume", "run", "--num-timesteps", steps))
        assert finished[-1].returncode == 0, finished[-1].stderr
        assert f"resumed {before.path.name}" in finished[-1].stdout
    assert "elastic, 2 -> 3 ranks" in finished[0].stdout
    assert "elastic, 3 -> 1 ranks" in finished[1].stdout
    found = checkpoint.find(tmp_path / "run")[0]
    assert found.manifest["total_steps"] == 7 * 192
    assert [part["ranks"] for part in found.manifest["lineage"]] == [2, 3, 1]
    assert faulty(1, "stub+none", *flags("Pendulum-v1", "ppo2", 7), "--logdir", "one").returncode == 0
    for name, x in arrays(tmp_path / "one").items():
        if name.startswith("environments/") and x.dtype.kind == "i":
            np.testing.assert_array_equal(x, found.arrays[name])  # the same episodes, as if never moved


def test_more_environments_on_resume_use_no_seed_again(faulty: Run, tmp_path: Path) -> None:
    line = flags("Pendulum-v1", "ppo1", 3, num_envs=2)
    assert faulty(2, "stub+none", *line, "--logdir", "run").returncode == 0
    refused = faulty(3, "stub+none", "--resume", "run", "--num-timesteps", 1e4)
    assert refused.returncode == 2
    assert "num_envs 2 is not a multiple of 3 ranks; give --num-envs 3" in refused.stderr
    grown = faulty(3, "stub+none", "--resume", "run", "--num-envs", 3, "--num-timesteps", 4 * 96)
    assert grown.returncode == 0, grown.stderr
    episodes = arrays(tmp_path / "run")["environments/episode"]
    assert episodes[2] >= 3 * 64  # numbered after every episode that can have been


def test_a_run_resumes_with_safe_changes_only(faulty: Run, tmp_path: Path) -> None:
    assert faulty(1, "stub+none", *flags("Pendulum-v1", "ppo2", 2), "--logdir", "run").returncode == 0
    for change, message in (
        (("--gamma", 0.5), "gamma 0.9 -> 0.5"),
        (("--env", "CartPole-v1"), "env Pendulum-v1 -> CartPole-v1"),
        (("--hidden-sizes", "32,32"), "hidden_sizes (64, 64) -> (32, 32)"),
        (("--alg", "ppo1"), "it is a run of ppo2"),
    ):
        refused = faulty(1, "stub+none", "--resume", "run", *change)
        assert refused.returncode == 2
        assert message in refused.stderr
    extended = faulty(1, "stub+none", "--resume", "run", "--num-timesteps", 4 * 192)
    assert extended.returncode == 0
    assert "changed num_timesteps 384 -> 768" in extended.stdout
    lineage = checkpoint.find(tmp_path / "run")[0].manifest["lineage"]
    assert [part["exact"] for part in lineage] == [True, False]
    elsewhere = faulty(1, "stub+none", "--resume", "run", "--logdir", "elsewhere")
    assert elsewhere.returncode == 2
    assert "goes on in its own place" in elsewhere.stderr
    again = faulty(1, "stub+none", *flags("Pendulum-v1", "ppo2", 2), "--logdir", "run")
    assert again.returncode == 2
    assert "holds a run already; go on with --resume run" in again.stderr


def test_an_environment_that_cannot_be_replayed_is_said_and_trained_on(faulty: Run, tmp_path: Path) -> None:
    line = flags("tests.environments:Entropy-v0", "ppo2", 2)
    assert faulty(1, "stub+none", *line, "--logdir", "run").returncode == 0
    refused = faulty(1, "stub+none", "--resume", "run", "--num-timesteps", 3 * 192)
    assert refused.returncode == 66  # the module that a file names is not imported
    assert "add --env tests.environments:Entropy-v0" in refused.stderr
    resumed = faulty(1, "stub+none", "--resume", "run", "--env", line[1], "--num-timesteps", 3 * 192)
    assert resumed.returncode == 0, resumed.stderr
    assert "not exact, new episodes in environments 0, 1, 2, 3, 4, 5" in resumed.stdout
    lineage = checkpoint.find(tmp_path / "run")[0].manifest["lineage"]
    assert [part["exact"] for part in lineage] == [True, False]


def test_auto_finds_the_newest_run_of_this_environment_algorithm_and_seed(faulty: Run, tmp_path: Path) -> None:
    line = flags("Pendulum-v1", "ppo2", 2)
    for seed in (0, 2):
        begun = faulty(1, "stub+none", *line, "--seed", seed, "--resume", "auto")
        assert "nothing to resume yet; beginning a new run" in begun.stdout
    assert len(list((tmp_path / "runs" / "Pendulum-v1").iterdir())) == 2
    again = faulty(1, "stub+none", *line, "--seed", 2, "--resume", "auto", "--load-path", "long-gone")
    assert "resumed ckpt-00000002 at 384 steps: exact" in again.stdout, again.stderr
    assert "all 384 steps are made" in again.stdout
    assert len(list((tmp_path / "runs" / "Pendulum-v1").iterdir())) == 2


def test_a_run_that_died_before_its_first_checkpoint_begins_anew(faulty: Run, tmp_path: Path) -> None:
    line = (*flags("Pendulum-v1", "ppo2", 4)[:-2], "--logdir", "run", "--resume", "auto")
    assert faulty(1, "stub+kill-0", *line).returncode != 0
    assert len(figures(tmp_path / "run")) == 2
    finished = faulty(1, "stub+none", *line)
    assert finished.returncode == 0, finished.stderr
    assert [row["iteration"] for row in figures(tmp_path / "run")] == ["1", "2", "3", "4"]
    assert len(list((tmp_path / "run").glob("*-progress.csv"))) == 1  # the rows of the run that died


def test_resuming_past_damaged_checkpoints_keeps_what_it_writes(faulty: Run, tmp_path: Path) -> None:
    """Three damaged newer ones must not push the good ones out."""
    assert faulty(1, "stub+none", *flags("Pendulum-v1", "ppo2", 4), "--logdir", "run").returncode == 0
    for iteration in (2, 3, 4):
        (tmp_path / "run" / "checkpoints" / f"ckpt-{iteration:08d}" / "arrays.npz").write_bytes(b"damaged")
    none_left = faulty(2, "stub+none", "--resume", "run")
    assert none_left.returncode == 66
    assert none_left.stderr.count("error: no usable checkpoint in run: ") == 1
    source = tmp_path / "run" / "checkpoints" / "ckpt-00000002"
    assert faulty(1, "stub+none", *flags("Pendulum-v1", "ppo2", 1), "--logdir", "good").returncode == 0
    (tmp_path / "good" / "checkpoints" / "ckpt-00000001").rename(source.with_name("ckpt-00000001"))
    resumed = faulty(1, "stub+none", "--resume", "run", "--num-timesteps", 4 * 192)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr.count("warning: skipping a checkpoint: ") == 3
    assert "resumed ckpt-00000001 " in resumed.stdout
    names = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert names == [*(f"bad-ckpt-{k:08d}" for k in (2, 3, 4)), *(f"ckpt-{k:08d}" for k in (2, 3, 4))]


def test_a_single_checkpoint_begins_a_new_run(faulty: Run, tmp_path: Path) -> None:
    assert faulty(1, "stub+none", *flags("Pendulum-v1", "ppo2", 3), "--logdir", "run").returncode == 0
    branch = faulty(1, "stub+none", "--resume", "run/checkpoints/ckpt-00000002", "--logdir", "branch")
    assert branch.returncode == 0, branch.stderr
    assert_same_bits(arrays(tmp_path / "run"), arrays(tmp_path / "branch"))


def small(env: str, **values: Any) -> Any:
    shape = {"num_envs": 4, "num_steps": 32, "num_minibatches": 4, "num_epochs": 2, "num_timesteps": 256}
    return configure(env, preset="none", **{**shape, **values})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of PPO2 on Pendulum."""
    folder = tmp_path_factory.mktemp("runs") / "pendulum"
    result = train(small("Pendulum-v1"), logdir=folder)
    assert (result.total_steps, result.exit_code, result.folder) == (256, 0, folder)
    return folder


def test_the_run_folder_holds_what_it_should(trained: Path) -> None:
    config = json.loads((trained / "config.json").read_text())
    assert config["env"] == "Pendulum-v1"
    assert config["rollout"]["num_envs"] == 4
    assert config["platform"]["numpy"] == np.__version__
    rows = figures(trained)
    assert [row["total_steps"] for row in rows] == ["128", "256"]
    assert rows[0]["episode_return"] == ""  # no episode of Pendulum ends within 32 steps
    assert list(trained.glob("events.out.tfevents.*"))


def test_the_first_ratio_is_1_and_the_first_kl_0(tmp_path: Path) -> None:
    """One minibatch and one epoch: the metrics are those before the first step."""
    train(small("Pendulum-v1", num_minibatches=1, num_epochs=1, num_timesteps=128 * 3), logdir=tmp_path / "run")
    for row in figures(tmp_path / "run"):
        assert abs(float(row["approx_kl"])) < 1e-9
        assert float(row["clip_fraction"]) == 0.0
        assert abs(float(row["policy_loss"])) < 1e-5  # minus the mean of standardised advantages


def test_a_loaded_agent_acts_bit_for_bit_alone_and_in_a_batch(trained: Path) -> None:
    agent, again = load(str(trained)), load(str(trained / "checkpoints" / "ckpt-00000002"))
    observations = np.random.default_rng(0).normal(size=(11, 3)).astype(np.float32)
    batch = agent.act(observations)
    assert batch.shape == (11, 1)
    for row, observation in zip(batch, observations, strict=True):
        np.testing.assert_array_equal(again.act(observation), row)
    state = agent.policy.observations.state()
    assert state["count"] == 256  # trained on, and moved by nothing since
    drawn = agent.act(observations, deterministic=False, rng=np.random.default_rng(1))
    assert (drawn != batch).any()


def test_loading_and_acting_needs_no_tensorflow_and_no_pickle(trained: Path, mpi: Run) -> None:
    code = (
        "import sys, pickle, numpy as np\n"
        "def refuse(*a, **k): raise RuntimeError('pickle')\n"
        "pickle.load = pickle.loads = pickle.Unpickler = refuse\n"
        "from baselines_ppo import load\n"
        f"print(load({str(trained)!r}).act(np.zeros(3)).shape)\n"
        "assert 'tensorflow' not in sys.modules and 'gymnasium' not in sys.modules and 'mpi4py' not in sys.modules\n"
    )
    finished = mpi(1, "-c", code)
    assert finished.stdout == "(1,)\n", finished.stderr


def test_an_observation_of_another_size_is_refused(trained: Path, trainer: Run) -> None:
    agent = load(str(trained))
    for wrong in (np.zeros(1), np.zeros((5, 4)), np.zeros((2, 2, 3))):
        with pytest.raises(DataError, match=r"this agent takes \[3\]"):
            agent.act(wrong)
    finished = trainer(1, "evaluate", trained, "--env", "CartPole-v1")
    assert finished.returncode == 66
    assert "trained on Pendulum-v1; CartPole-v1 has other observations or actions" in finished.stderr


def test_evaluation_is_the_same_on_any_number_of_ranks(trained: Path, trainer: Run) -> None:
    one, two = (trainer(ranks, "evaluate", trained, "--episodes", 4) for ranks in (1, 2))
    assert one.returncode == 0, one.stderr
    assert one.stdout == two.stdout
    rows = {line.split()[0]: line.split()[1:] for line in one.stdout.splitlines()[2:]}
    assert set(rows) == {"deterministic", "stochastic"}
    assert rows["deterministic"][:4] != rows["stochastic"][:4]
    assert rows["deterministic"][4] == "200.0"


def test_play_without_a_display_says_so(trained: Path, trainer: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    finished = trainer(1, "play", trained)
    assert finished.returncode == 2
    assert "there is no display here" in finished.stderr


def test_a_warm_start_begins_with_the_agent_and_an_empty_optimiser(trained: Path, tmp_path: Path) -> None:
    config = small("Pendulum-v1", num_timesteps=128, learning_rate=1e-30)
    train(config, logdir=tmp_path / "warm", load_path=trained)
    warm, source = arrays(tmp_path / "warm"), arrays(trained)
    np.testing.assert_array_equal(warm["parameters"], source["parameters"])
    assert warm["observations/count"] == source["observations/count"] + 128
    with pytest.raises(LoadError, match=r"another network: hidden_sizes \(64, 64\), here \(8,\)"):
        train(small("Pendulum-v1", hidden_sizes=(8,)), logdir=tmp_path / "other", load_path=trained)
    with pytest.raises(LoadError, match="observation_size 3, here 4"):
        train(small("CartPole-v1"), logdir=tmp_path / "another", load_path=trained)


def test_a_warm_start_keeps_the_values_of_an_agent_with_standardised_targets(tmp_path: Path) -> None:
    """The rewards are 1 000 times larger than what a value network gives at first."""
    source = train(small("Pendulum-v1", normalize_returns=False, normalize_value_targets=True), logdir=tmp_path / "a")
    again = train(
        small("Pendulum-v1", normalize_returns=False, num_timesteps=128, learning_rate=1e-30),
        logdir=tmp_path / "b",
        load_path=source.folder,
    )
    one, other = load(str(source.folder)).policy, load(str(again.folder)).policy
    observations = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    np.testing.assert_allclose(one.values(observations), other.values(observations), rtol=1e-4)
    assert abs(one.values(observations)).max() > 5


def test_a_notebook_trains_its_own_environment_on_ranks_of_its_own(tmp_path: Path) -> None:
    def make() -> Any:
        import gymnasium

        class Local(gymnasium.Wrapper):
            def reset(self, **named: Any) -> Any:
                observation, info = super().reset(**named)
                return observation * 0 + 0.125, info

        return Local(gymnasium.make("Pendulum-v1"))

    result = train(small("mine", num_timesteps=128), 2, logdir=tmp_path / "run", environment=make)
    assert result.total_steps == 128
    manifest = checkpoint.find(result.folder)[0].manifest
    assert manifest["lineage"][0]["ranks"] == 2
