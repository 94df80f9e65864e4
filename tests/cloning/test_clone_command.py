"""`record`, `clone` and a training that begins with the clone, as users type them, on one rank and on two."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from baselines_ppo import CloneConfig, clone, configure
from baselines_ppo.common.failures import LoadError, UsageError
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.demonstrations import load
from baselines_ppo.run.cli import main, parser
from tests.cloning.data import right_episodes, right_file
from tests.conftest import ROOT, Finished
from tests.runs import arrays, assert_same_bits

Trainer = Callable[..., Finished]


@pytest.mark.slow
def test_ppo_begins_where_the_expert_was(trainer: Trainer, tmp_path: Path) -> None:
    """The zoo's agent keeps the pole up for 500 steps; a training from nothing has a return of about 20 at first."""
    recorded = trainer(1, "record", "zoo:CartPole-v1", "--out", "e.npz", "--episodes", 4)
    assert "wrote e.npz: 4 episodes, 2,000 steps" in recorded.stdout, recorded.stderr
    found = load(tmp_path / "e.npz")
    assert (found.env_id, [episode.rewards.sum() for episode in found.episodes]) == ("CartPole-v1", [500.0] * 4)
    cloned = trainer(1, "clone", "--env", "CartPole-v1", "--data", "e.npz", "--out", "cloned")
    assert "train: " in cloned.stdout and cloned.returncode == 0, cloned.stderr
    begun = trainer(
        1, "--env", "CartPole-v1", "--load-path", "cloned", "--num-envs", 8, "--num-steps", 512, "--num-timesteps", 1,
        "--logdir", "run",
    )  # fmt: skip
    mean = re.search(r"mean return of the last \d+ episodes ([\d.]+)", begun.stdout)
    assert mean is not None and float(mean[1]) > 300, begun.stdout + begun.stderr


def test_one_rank_and_two_make_the_same_clone_to_the_last_bit_and_say_the_same_of_it(
    trainer: Trainer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, env = right_file(tmp_path, "TargetBox", 20), "tests.environments:TargetBox-v0"
    clone(configure(env, preset="none"), data, tmp_path / "cloned1", CloneConfig(num_epochs=3))  # the one rank is here
    (said,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch    1 ")]
    finished = trainer(
        2, "clone", "--env", env, "--preset", "none", "--data", data, "--out", "cloned2", "--num-epochs", 3
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.count(f"clone on {env}: 18 episodes") == 1
    assert said in finished.stdout.splitlines()
    assert_same_bits(arrays(tmp_path / "cloned1"), arrays(tmp_path / "cloned2"))
    manifest = checkpoint.load(tmp_path / "cloned2").manifest
    assert (manifest["kind"], manifest["cloned"]["steps"]) == ("agent", 180)


def test_the_training_that_it_names_has_the_flags_that_were_typed_and_takes_the_clone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    data, env = right_file(tmp_path, "TargetBox", 20), "tests.environments:TargetBox-v0"
    typed = ["--preset", "none", "--alg", "trpo", "--hidden-sizes", "empty", "--gamma", "0.5", "--env", env]
    assert main(["clone", *typed, "--data", str(data), "--out", "cloned", "--num-epochs", "1"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("train:")]
    words = shlex.split(line.partition("baselines_ppo.run ")[2])
    options = vars(parser("train", words).parse_args(words))
    shared = ("preset", "alg", "hidden_sizes", "gamma", "env")
    assert [options[name] for name in shared] == ["none", "trpo", (), 0.5, env]
    assert main([*words, "--num-timesteps", "1", "--num-envs", "2", "--num-steps", "32", "--logdir", "run"]) == 0


def test_flags_of_films_are_not_of_demonstrations(trainer: Trainer) -> None:
    refused = trainer(1, "record", "zoo:CartPole-v1", "--out", "e.npz", "--seconds", 3)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert refused.stderr.startswith("error: --seconds is of a film")


def test_a_data_set_of_minari_is_demonstrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its id and by its folder; nothing is downloaded."""
    minari = pytest.importorskip("minari")
    from minari.data_collector.episode_buffer import EpisodeBuffer

    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "sets"))
    buffers = [
        EpisodeBuffer(
            id=number,
            observations=list(episode.observations),
            actions=list(episode.actions),
            rewards=list(episode.rewards),
            terminations=[False] * episode.length,
            truncations=[False] * (episode.length - 1) + [True],
        )
        for number, episode in enumerate(right_episodes("TargetDiscrete", 12))
    ]
    minari.create_dataset_from_buffers("target/right-v0", buffers, env="TargetDiscrete-v0", data_format="hdf5")
    config = configure("tests.environments:TargetDiscrete-v0", preset="none", hidden_sizes=(8,))
    short = CloneConfig(num_epochs=1)
    by_id = clone(config, "minari:target/right-v0", tmp_path / "by_id", short)
    by_folder = clone(config, tmp_path / "sets" / "target" / "right-v0", tmp_path / "by_folder", short)
    assert (by_id.episodes, by_id.steps, round(by_id.mean_return, 6)) == (11, 110, 10.0)
    assert_same_bits(arrays(by_id.folder), arrays(by_folder.folder))
    with pytest.raises(LoadError, match="minari download target/left-v0"):
        clone(config, "minari:target/left-v0", tmp_path / "none")
    cart = EpisodeBuffer(
        id=0, observations=[np.zeros(4, np.float32)] * 3, actions=[0, 1], rewards=[1.0, 1.0],
        terminations=[False, True], truncations=[False, False],
    )  # fmt: skip
    minari.create_dataset_from_buffers("cart/short-v0", [cart], env="CartPole-v1", data_format="hdf5")
    with pytest.raises(UsageError, match="recorded with --env CartPole-v1"):
        clone(configure("Acrobot-v1"), "minari:cart/short-v0", tmp_path / "none")


def test_what_is_no_file_of_demonstrations_is_one_line_with_what_to_do(tmp_path: Path) -> None:
    """An agent in place of its episodes, a data set without a name, no file, a file of something else."""
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "others.npz", weights=np.zeros(3))
    cure = "give one that `record AGENT --out episodes.npz` wrote, or minari:ID$"
    for data, words in (
        ("zoo:CartPole-v1", "^zoo:CartPole-v1 is an agent.*; type record zoo:CartPole-v1 --out episodes.npz, and give"),
        (str(ROOT / "zoo/agents/CartPole-v1"), "CartPole-v1 is an agent, and holds no demonstrations"),
        ("minari:", "^minari: names no data set, expected its id"),
        (str(tmp_path / "none.npz"), f"none.npz cannot be read: No such file or directory; {cure}"),
        (str(tmp_path / "text.npz"), rf"holds no demonstrations \(it ends too early\); {cure}"),
        (str(tmp_path / "others.npz"), rf"holds no demonstrations \(there is no 'about'\); {cure}"),
    ):
        with pytest.raises(LoadError, match=words) as refused:
            clone(configure("CartPole-v1"), data, tmp_path / "agent")
        assert "\n" not in str(refused.value)
    with pytest.raises(LoadError, match=r"it holds none; an agent is made of demonstrations by `clone`$"):
        checkpoint.find(tmp_path / "text.npz")


def test_a_folder_that_is_none_of_minaris_says_what_is_taken(tmp_path: Path) -> None:
    pytest.importorskip("minari")
    (tmp_path / "folder").mkdir()
    with pytest.raises(LoadError, match=r"cannot be read by Minari: .*; give minari:ID, the folder of such a data set"):
        clone(configure("CartPole-v1"), tmp_path / "folder", tmp_path / "agent")
