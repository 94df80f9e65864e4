"""The pretrained agents that ship are whole, and found by their names."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from baselines_ppo import load
from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.failures import Failure, LoadError
from baselines_ppo.common.files import checkpoint, pretrained
from baselines_ppo.run import cli
from baselines_ppo.run.cards import curve, tables
from baselines_ppo.run.cards.measure import files_agree
from baselines_ppo.zoo.card import CARD, PICTURE, read_card
from tests.cards.conftest import PENDULUM
from tests.conftest import ROOT, Finished

Run = Callable[..., Finished]

SHIPPED = pretrained.names()

LARGEST = 2 * 10**6  # bytes of an agent: that of Humanoid-v4 has 276 515 parameters


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_agent_is_whole_and_acts(name: str) -> None:
    folder = pretrained.AGENTS / name
    card, agent = files_agree(checkpoint.load(folder)), load(f"zoo:{name}")
    assert agent.env_id == card.environment
    assert {path.name for path in folder.iterdir()} == {"manifest.json", "arrays.npz", CARD, "curve.csv", PICTURE}
    assert sum(path.stat().st_size for path in folder.iterdir()) < LARGEST
    environment = make_environment(EnvironmentSpec(agent.env_id, agent.wrappers))
    observation, _ = environment.reset(seed=0)
    action = agent.act(observation)
    assert environment.action_space.contains(action)
    environment.step(action)
    environment.close()


# Who falls short of the return at which its environment counts as solved.
MISSED = {"Hopper-v4", "Hopper-v5", "Pusher-v5"}  # Gymnasium has 0 for Pusher, which would be no cost at all


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_card_curve_and_picture_make_sense(name: str) -> None:
    from PIL import Image

    folder = pretrained.AGENTS / name
    card, points = read_card(folder), curve.read_curve(folder)
    assert card.episodes >= 100
    for score in (card.deterministic, card.stochastic):
        assert score.min <= score.mean <= score.max
        assert score.flags_reached is None or "Flagrun" in card.environment
    if card.threshold is not None:  # as far as so many episodes can tell
        scores = (card.deterministic, card.stochastic)
        best = max(score.mean + 3 * score.std / card.episodes**0.5 for score in scores)
        assert (best < card.threshold) == (name in MISSED)
    assert 10 < len(points) <= curve.MOST_ROWS
    assert points[-1].total_steps == card.total_steps
    assert points[-1].episode_return > points[0].episode_return
    with Image.open(folder / PICTURE) as picture:
        assert picture.format == "JPEG"
        assert picture.width <= 480
        assert picture.height <= 480
        assert np.asarray(picture).std() > 5  # something is to be seen


def test_the_table_of_the_docs_is_that_of_zoo_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Its pictures are where they are from docs."""
    tables.table()
    assert capsys.readouterr().out.replace('src="', 'src="../') in (ROOT / "docs" / "zoo.md").read_text()


def test_a_path_comes_first_and_names_are_found_with_and_without_their_prefix(
    agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for typed in (f"zoo:{PENDULUM}", PENDULUM, "zoo:InvertedPendulum-v1", "InvertedPendulum-v1", agents / PENDULUM):
        assert load(str(typed)).path == agents / PENDULUM
    (tmp_path / PENDULUM).mkdir()
    with pytest.raises(LoadError, match="no usable checkpoint in"):
        load(PENDULUM)
    assert load(f"zoo:{PENDULUM}").path == agents / PENDULUM


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("zoo:RoboInvertedPendulm-v1", "no pretrained agent RoboInvertedPendulm-v1 .did you mean RoboInvertedP"),
        ("RoboInvertedPendulm-v1", "RoboInvertedPendulm-v1 does not exist .did you mean RoboInvertedPendulum-v1"),
        (f"zoo:../agents/{PENDULUM}", "no pretrained agent"),
        ("zoo:.", "no pretrained agent"),
        ("zoo:", "no pretrained agent"),
        ("~nosuchuser/x", "nosuchuser"),
        ("x" * 300, "too long"),
        ("zoo:\x1b[2J" + "x" * 900, r"no pretrained agent \\x1b.2Jx+[.]{3}; there are"),
    ],
)
def test_what_is_neither_a_path_nor_a_name_is_refused(typed: str, message: str, agents: Path) -> None:
    with pytest.raises(LoadError, match=message):
        load(typed)


def test_an_agent_is_loaded_and_acts_without_tensorflow(mpi: Run) -> None:
    code = (
        "import sys\n"
        "import gymnasium, baselines_ppo.zoo\n"
        f"environment = gymnasium.make('{PENDULUM}')\n"
        "observation, _ = environment.reset(seed=0)\n"
        "from baselines_ppo import load\n"
        f"environment.step(load('zoo:{PENDULUM}').act(observation))\n"
        "from baselines_ppo.run.cli import main\n"
        f"main(['zoo', 'verify', '{PENDULUM}', '--episodes', '1'])\n"
        f"main(['evaluate', '{PENDULUM}', '--episodes', '1'])\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    finished = mpi(1, "-c", code)
    assert finished.returncode == 0, finished.stderr


def test_a_training_may_begin_with_an_agent_but_not_go_on_with_it(
    trainer: Run, trainer_here: Run, tmp_path: Path
) -> None:
    shape = ("--env", PENDULUM, "--num-timesteps", 2048, "--learning-rate", 1e-30, "--logdir", "run")
    finished = trainer(1, *shape, "--load-path", f"zoo:{PENDULUM}")
    assert finished.returncode == 0, finished.stderr
    begun, agent = checkpoint.find(tmp_path / "run")[0], checkpoint.find(f"zoo:{PENDULUM}")[0]
    np.testing.assert_array_equal(begun.arrays["parameters"], agent.arrays["parameters"])
    refused = trainer_here(1, "--resume", f"zoo:{PENDULUM}")
    assert refused.returncode == 66
    assert "is an agent, not a checkpoint; begin a new run from it with --load-path" in refused.stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("zoo", "zoo: no action; known: list, show"),
        ("zoo scor", "unknown action scor .did you mean score"),
        ("zoo list --episodes 3", "unknown flag --episodes"),
        ("zoo score x --episodes 0", "--episodes is 0, expected at least 1"),
        ("zoo score x --seed -1", "expected"),
        ("zoo show nothing", "nothing does not exist"),
    ],
)
def test_a_wrong_line_is_refused(line: str, message: str) -> None:
    with pytest.raises(Failure, match=message):
        cli.main(line.split())


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_name_that_is_none_ends_all_ranks(ranks: int, trainer: Run) -> None:
    finished = trainer(ranks, "zoo", "show", "nothing")
    assert finished.returncode == 66
    assert finished.stderr.startswith("error: nothing does not exist")


def test_a_reader_that_has_gone_is_no_error_of_ours(tmp_path: Path) -> None:
    line = f"{sys.executable} -u -m baselines_ppo.run zoo list | true"
    finished = subprocess.run(
        ["bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}"], cwd=ROOT, capture_output=True, text=True
    )
    assert finished.returncode in (0, 141)
    assert "Traceback" not in finished.stderr


@pytest.mark.slow  # 20 robots of 30 joints for an episode
def test_atlas_walks_ten_metres() -> None:
    agent, count = load("zoo:RoboAtlasForwardWalk-v1"), 20
    envs = gymnasium.make_vec("RoboAtlasForwardWalk-v1", num_envs=count)
    observations, _ = envs.reset(seed=0)
    position = envs.unwrapped.task.body.pose.position  # type: ignore[attr-defined]
    start, upright, arrived = position[:, 0].copy(), np.ones(count, bool), np.zeros(count, bool)
    for _ in range(1000):
        observations, _, terminated, truncated, _ = envs.step(agent.act(observations))
        upright &= ~(terminated | truncated)
        arrived |= upright & (envs.unwrapped.task.body.pose.position[:, 0] - start >= 10.0)  # type: ignore[attr-defined]
    assert arrived.mean() >= 0.8  # 93 of 100 of this seed
