"""Whole runs: the same on any number of ranks, and agents that act as they did in training."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import configure, load, train
from baselines_ppo.common.failures import DataError, LoadError
from baselines_ppo.common.files import checkpoint
from tests.conftest import Finished
from tests.runs import COUNTING, LSTM, arrays, assert_same_bits, figures, flags, run_all

Run = Callable[..., Finished]


SPLIT = ("--split-minibatches", "true")
PPO1 = flags("HalfCheetah-v4", "ppo1", 1)
PPO2 = (*flags("HalfCheetah-v4", "ppo2", 1), "--normalize-value-targets", "true")
# Episodes are cut off within an iteration, and others at its end.
RECOMPUTED = (*flags("tests.environments:ShortPendulum-v0", "ppo2", 1), "--recompute-advantages", "true")
REMEMBERING = (*flags("CartPole-v1", "ppo2", 1, num_envs=12), *LSTM, "--num-minibatches", 2)

# Each algorithm's first iteration; counting episodes, six of them are more than enough.
SHARED_OUT: dict[str, tuple[object, ...]] = {
    "ppo1": (*PPO1, *SPLIT),
    "ppo2": (*PPO2, *SPLIT),
    "recomputed": (*RECOMPUTED, *SPLIT),
    "trpo": flags("Pendulum-v1", "trpo", 1),
    "ppo_kl": flags("Pendulum-v1", "ppo_kl", 1),
    "counting": (*flags("CartPole-v1", "ppo_kl", 1), *COUNTING, "--num-timesteps", 6),
    "lstm": (*REMEMBERING, *SPLIT),
}
# Small minibatches, which every rank learns whole: two iterations, so that what one leaves to the next counts too.
WHOLE: dict[str, tuple[object, ...]] = {
    f"{name} whole": (*line, "--num-timesteps", 2 * 32 * environments)
    for name, line, environments in (
        ("ppo1", PPO1, 6),
        ("ppo2", PPO2, 6),
        ("recomputed", RECOMPUTED, 6),
        ("lstm", REMEMBERING, 12),
    )
}
SHORT_RUNS = {**SHARED_OUT, **WHOLE}
QUICK = ("ppo2", "counting", "recomputed whole")  # each is compiled by four ranks; trpo is among those of test_ranks.py


def some_slow(names: Iterable[str]) -> list[Any]:
    """Return the names as parameters."""
    return [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in names]


@pytest.fixture(scope="module")
def first_iterations(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, str], Path]:
    """Return the folder of a run on some ranks; all that are as quick, or as slow, are made at the first call."""

    def run_folder(ranks: int, name: str) -> Path:
        return made(ranks, name in QUICK) / name

    @functools.cache
    def made(ranks: int, quick: bool) -> Path:
        folder = tmp_path_factory.mktemp(f"ranks-{ranks}")
        chosen = {name: line for name, line in SHORT_RUNS.items() if (name in QUICK) == quick}
        run_all(ranks, [(*line, "--preset", "none", "--logdir", folder / name) for name, line in chosen.items()])
        return folder

    return run_folder


@pytest.mark.parametrize("ranks", [3, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", some_slow(WHOLE))
def test_whole_minibatches_give_the_same_bits_on_any_number_of_ranks(
    name: str, ranks: int, first_iterations: Callable[[int, str], Path]
) -> None:
    one, other = (checkpoint.find(first_iterations(count, name))[0] for count in (1, ranks))
    assert one.manifest["iteration"] == other.manifest["iteration"] == 2
    assert {key: x.tobytes() for key, x in one.arrays.items()} == {key: x.tobytes() for key, x in other.arrays.items()}


@pytest.mark.parametrize("ranks", [3, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", some_slow(SHARED_OUT))
def test_one_two_and_three_ranks_train_alike(
    name: str, ranks: int, first_iterations: Callable[[int, str], Path]
) -> None:
    """After one iteration trajectories are equal exactly, parameters up to the rounding of sums.

    The textbook's PPO2 standardises advantages over global minibatches, clips values and scales rewards. Ten steps
    of conjugate gradient enlarge the rounding of TRPO's sums.
    """
    closeness = 1e-4 if name == "trpo" else 1e-5
    one, other = (checkpoint.find(first_iterations(count, name))[0] for count in (1, ranks))
    assert set(one.arrays) == set(other.arrays)
    for key, x in one.arrays.items():
        y = other.arrays[key]
        if key.startswith("environments/") or key.endswith("_count") or key == "learning/observations":
            np.testing.assert_array_equal(x, y, err_msg=key)
        elif key.endswith(("/mean", "/variance", "/count", "value_targets")):
            np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5, err_msg=key)
        elif key == "parameters" or key.endswith(("adam/m", "adam/v")):
            np.testing.assert_allclose(x, y, atol=min(closeness, 1e-3 * np.abs(x).max()), rtol=0, err_msg=key)
    for key in ("iteration", "updates", "episodes", "total_steps"):
        assert one.manifest[key] == other.manifest[key]
    assert one.manifest["iteration"] == 1
    assert one.manifest["lineage"][0]["ranks"] == 1
    assert other.manifest["lineage"][0]["ranks"] == ranks


def test_each_environment_makes_its_share_of_the_episodes(first_iterations: Callable[[int, str], Path]) -> None:
    found = checkpoint.find(first_iterations(3, "counting"))[0]
    assert found.arrays["environments/episode"].tolist() == [1] * 6
    assert found.manifest["episodes"] == 6
    lengths = found.arrays["window"][:, 1]
    assert len(set(lengths)) > 1  # so that the ranks' shares of the steps are not equal
    assert found.manifest["total_steps"] == lengths.sum()
    assert sorted(found.arrays["learning/value_targets_count"]) == sorted(lengths)


def test_two_runs_of_the_same_seed_are_the_same_and_of_another_are_not(tmp_path: Path) -> None:
    config = small("Pendulum-v1")
    for name in ("one", "two"):
        train(config, logdir=tmp_path / name)
    assert_same_bits(arrays(tmp_path / "one"), arrays(tmp_path / "two"))
    train(small("Pendulum-v1", seed=1), logdir=tmp_path / "other")
    assert (arrays(tmp_path / "one")["parameters"] != arrays(tmp_path / "other")["parameters"]).any()


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
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(trained))
    events.Reload()
    tags = events.Tags()["tensors"]
    assert {name.split("/")[0] for name in tags} == {"rollout", "train", "time", "config", "_hparams_"}
    assert {"rollout/episodes", "train/policy_loss", "time/seconds"} <= {*tags}
    told = events.Tensors("config")[0].tensor_proto.string_val[0].decode()
    assert (trained / "config.json").read_text().splitlines() == [line[4:] for line in told.splitlines()]
    from tensorboard.plugins.hparams import metadata

    content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    fields = dict(metadata.parse_session_start_info_plugin_data(content).hparams)
    assert (fields["num_envs"].number_value, fields["seed"].number_value) == (4, config["seed"])
    assert (fields["env"].string_value, fields["alg"].string_value) == ("Pendulum-v1", "ppo2")
    assert fields["clip_observations"].number_value == config["rollout"]["clip_observations"]
    assert not {"ranks", "command", "numpy"} & {*fields}


@pytest.mark.parametrize(
    ("env", "network"),
    [("Pendulum-v1", "mlp"), ("CartPole-v1", "lstm"), ("tests.environments:ShownByFrames-v0", "cnn")],
)
def test_the_first_ratio_is_1_and_the_first_kl_0(env: str, network: str, tmp_path: Path) -> None:
    """One minibatch and one epoch: the metrics are those before the first step, of what acted in numpy."""
    once = {"num_minibatches": 1, "num_epochs": 1, "num_timesteps": 128 * 3, "learning_rate": 1e-2}
    train(small(env, network=network, hidden_sizes=(16,), lstm_size=16, **once), logdir=tmp_path / "run")
    for row in figures(tmp_path / "run"):
        assert abs(float(row["approx_kl"])) < 1e-7
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


def test_an_observation_of_another_size_is_refused(trained: Path, trainer_here: Run) -> None:
    agent = load(str(trained))
    for wrong in (np.zeros(1), np.zeros((5, 4)), np.zeros((2, 2, 3))):
        with pytest.raises(DataError, match=r"expected shape \(3,\), or a batch"):
            agent.act(wrong)
    finished = trainer_here(1, "evaluate", trained, "--env", "CartPole-v1")
    assert finished.returncode == 66
    assert "trained on Pendulum-v1 with other spaces than CartPole-v1 has here: observation shape" in finished.stderr


def test_evaluation_is_the_same_on_any_number_of_ranks(trained: Path, trainer_here: Run) -> None:
    one, two = (trainer_here(ranks, "evaluate", trained, "--episodes", 4) for ranks in (1, 2))
    assert one.returncode == 0, one.stderr
    assert one.stdout == two.stdout
    rows = {line.split()[0]: line.split()[1:] for line in one.stdout.splitlines()[2:]}
    assert set(rows) == {"deterministic", "stochastic"}
    assert rows["deterministic"][:4] != rows["stochastic"][:4]
    assert rows["deterministic"][4] == "200.0"


def test_play_without_a_display_says_so(trained: Path, trainer_here: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    finished = trainer_here(1, "play", trained)
    assert finished.returncode == 2
    assert "there is no display here" in finished.stderr


def test_a_warm_start_begins_with_the_agent_and_an_empty_optimiser(trained: Path, tmp_path: Path) -> None:
    config = small("Pendulum-v1", num_timesteps=128, learning_rate=1e-30)
    train(config, logdir=tmp_path / "warm", load_path=trained)
    warm, source = arrays(tmp_path / "warm"), arrays(trained)
    np.testing.assert_array_equal(warm["parameters"], source["parameters"])
    assert warm["observations/count"] == source["observations/count"] + 128
    explores = small("Pendulum-v1", num_timesteps=128, learning_rate=1e-30, init_log_std=-0.25)
    train(explores, logdir=tmp_path / "wide", load_path=trained)
    layout = load(str(trained)).policy.network.layout
    wide, own = (layout.split(x["parameters"]) for x in (arrays(tmp_path / "wide"), source))
    assert wide.pop("log_std").tolist() == [-0.25] != own.pop("log_std").tolist()
    for name, part in own.items():
        np.testing.assert_array_equal(wide[name], part)
    with pytest.raises(LoadError, match=r"another network: hidden layers 64-64, here 8; give .*--hidden-sizes 64,64"):
        train(small("Pendulum-v1", hidden_sizes=(8,)), logdir=tmp_path / "other", load_path=trained)
    with pytest.raises(LoadError, match=r"here: observation shape \[3\], here \[4\]; action Box, here Discrete"):
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
    values, again_values = (policy.values(observations, policy.initial_states(9)) for policy in (one, other))
    np.testing.assert_allclose(values, again_values, rtol=1e-4)
    assert abs(values).max() > 5


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
