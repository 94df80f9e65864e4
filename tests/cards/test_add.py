"""What becomes of a run as a pretrained agent: added, replaced, shown, scored, removed, whosever its environment is."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import load
from baselines_ppo.common.failures import DataError, LoadError, UsageError, WriteError
from baselines_ppo.common.files import checkpoint, pretrained
from baselines_ppo.run import cli
from baselines_ppo.run.cards import curve, shelf
from baselines_ppo.run.cards.export import digest
from baselines_ppo.zoo.card import MODES, read_card, write_card
from tests.cards.conftest import PENDULUM
from tests.conftest import Finished
from tests.runs import figures, flags, forget

Run = Callable[..., Finished]


def test_an_agent_is_added_shown_scored_and_verified(
    trained: Path, agents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["zoo", "add", str(trained), "--name", "mine", "--episodes", "3"]) == 0
    card, folder = read_card(agents / "mine"), agents / "mine"
    kept = checkpoint.load(folder)
    manifest = checkpoint.find(trained)[0].manifest
    assert (card.environment, card.algorithm, card.preset) == ("CartPole-v1", "ppo2", "CartPole-v1")
    assert (card.seed, card.ranks, card.threshold) == (3, (1,), 475.0)
    assert (card.total_steps, card.seconds) == (manifest["total_steps"], manifest["seconds"])
    assert card.versions == manifest["platform"]
    assert "--gamma 0.97" in card.command
    assert not [name for name in kept.arrays if name.startswith(("adam", "environments"))]
    points, rows = curve.read_curve(folder), figures(trained)
    assert [point.total_steps for point in points] == [int(row["total_steps"]) for row in rows if row["episode_return"]]
    observations = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    np.testing.assert_array_equal(load("zoo:mine").act(observations), load(str(trained)).act(observations))

    capsys.readouterr()
    assert cli.main(["evaluate", str(trained), "--episodes", "3"]) == 0
    evaluated = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()[2:]}
    for mode in MODES:
        score = getattr(card, mode)
        assert evaluated[mode][:4] == [f"{x:.2f}" for x in (score.mean, score.std, score.min, score.max)]

    assert cli.main(["zoo", "score", "mine", "--episodes", "4", "--seed", "1"]) == 0
    scored = read_card(folder)
    assert (scored.episodes, scored.evaluation_seed) == (4, 1)
    assert scored.deterministic != card.deterministic
    assert cli.main(["zoo", "verify", "mine", "--episodes", "2"]) == 0
    capsys.readouterr()
    assert cli.main(["zoo", "show", "mine"]) == 0
    assert cli.main(["zoo", "list"]) == 0
    assert cli.main(["zoo", "table"]) == 0
    shown = capsys.readouterr().out
    assert scored.command in shown
    assert f"{scored.deterministic.mean:,.1f} ± {scored.deterministic.std:,.1f}" in shown
    assert "zoo/agents/mine/picture.jpg" in shown


def no_space(*_: Any) -> None:
    raise WriteError("no space left on device")


def test_an_agent_is_replaced_only_if_one_says_so(trained: Path, agents: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = ["zoo", "add", str(trained), "--episodes", "1", "--name", PENDULUM]
    with pytest.raises(UsageError, match=f"there is an agent {PENDULUM} already; --replace"):
        cli.main(line)
    assert load(PENDULUM).env_id == PENDULUM
    before = {path.name: path.read_bytes() for path in (agents / PENDULUM).iterdir()}
    with monkeypatch.context() as broken:  # a disk that is full when the card is written
        broken.setattr(shelf, "write_card", no_space)
        with pytest.raises(WriteError):
            cli.main([*line, "--replace"])
    assert {path.name: path.read_bytes() for path in (agents / PENDULUM).iterdir()} == before
    assert [path.name for path in agents.iterdir()] == [PENDULUM]
    assert cli.main([*line, "--replace"]) == 0
    assert load(PENDULUM).env_id == "CartPole-v1"


def test_an_agent_is_of_the_best_checkpoint_unless_another_is_named(
    trained: Path, agents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained, run := tmp_path / "run")
    found = checkpoint.find(run)[0]
    manifest = {name: value for name, value in found.manifest.items() if name != "files"}
    worse = {**manifest, "iteration": 99, "total_steps": 7777, "mean_return": -5.0}
    checkpoint.save(found.path.parent, "ckpt-00000099", worse, found.arrays)
    for ending, path in (("", found.path), (":last", found.path.with_name("ckpt-00000099")), (":best", found.path)):
        assert cli.main(["zoo", "add", f"{run}{ending}", "--name", "mine", "--replace", "--episodes", "1"]) == 0
        steps = checkpoint.load(path).manifest["total_steps"]
        assert f"mine: of {path}, {steps:,} steps" in capsys.readouterr().out
        assert read_card(agents / "mine").total_steps == steps


def test_an_agent_is_removed_by_its_name_alone(
    agents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(agents / PENDULUM, tmp_path / "elsewhere")
    for typed in ("RoboInvertedPendulm-v1", "InvertedPendulum-v1", str(tmp_path / "elsewhere"), "../elsewhere", "."):
        with pytest.raises(LoadError, match=f"no pretrained agent .*there are: {PENDULUM}"):
            cli.main(["zoo", "remove", typed])
    assert load(str(tmp_path / "elsewhere")).env_id == PENDULUM
    assert cli.main(["zoo", "remove", PENDULUM]) == 0
    assert capsys.readouterr().out == f"{PENDULUM}: removed\n"
    assert not list(agents.iterdir())


def test_a_zoo_that_cannot_be_written_is_said_before_anything_is_played(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(pretrained, "AGENTS", tmp_path / "gone")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with pytest.raises(WriteError, match=r"agents are put into .*gone or .*file.*, which cannot be written; let XDG"):
        cli.main(["zoo", "add", str(trained), "--name", "mine", "--episodes", "1"])
    assert "deterministic" not in capsys.readouterr().out


def test_where_the_packages_folder_cannot_be_written_agents_are_kept_in_one_of_the_users_own(
    trained: Path, agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = load(PENDULUM).policy.parameters.tobytes()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != agents)  # a superuser may write everywhere
    line = ["zoo", "add", str(trained), "--episodes", "1", "--name"]
    assert cli.main([*line, "mine"]) == 0
    assert cli.main([*line, PENDULUM, "--replace"]) == 0
    assert [path.name for path in agents.iterdir()] == [PENDULUM]
    assert pretrained.names() == [PENDULUM, "mine"]
    assert load("mine").env_id == load("zoo:mine").env_id == load(PENDULUM).env_id == "CartPole-v1"
    for name in ("mine", PENDULUM):
        assert cli.main(["zoo", "remove", name]) == 0
    assert pretrained.names() == [PENDULUM]
    assert load(PENDULUM).policy.parameters.tobytes() == shipped


OWN_ENVIRONMENT = """
import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv
from tests.faults import use_stub

use_stub()  # wherever it is imported
gymnasium.register("Poles-v0", CartPoleEnv, max_episode_steps=30)
"""


ZOO = """
import sys
from pathlib import Path
from baselines_ppo.common.files import pretrained
from baselines_ppo.common.ending import run_job
from baselines_ppo.run.cli import main

pretrained.AGENTS = Path("agents")
run_job(lambda: main(["zoo", *sys.argv[1:]]))
"""


def test_an_agent_of_a_users_own_environment_is_added_scored_and_verified_by_name(
    mpi: Run, trainer: Run, tmp_path: Path
) -> None:
    """Each time in a process of its own, which imports the module only as the command line names it."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "poles.py").write_text(OWN_ENVIRONMENT)
    (tmp_path / "zoo.py").write_text(ZOO)
    named = ("--env", "poles:Poles-v0", "--episodes", 2)
    finished = trainer(1, *flags("poles:Poles-v0", "ppo2", 2), "--logdir", "run")
    assert finished.returncode == 0, finished.stderr
    forget()
    for words in (("add", "run"), ("score", "Poles-v0"), ("verify", "Poles-v0")):
        refused = mpi(1, "zoo.py", *words)
        assert refused.returncode == 66, refused.stderr
        assert "poles:Poles-v0 is not one of Gymnasium's; if you trust it, add --env poles:Poles-v0" in refused.stderr
        done = mpi(1, "zoo.py", *words, *named)
        assert done.returncode == 0, done.stderr
    card = read_card(tmp_path / "agents" / "Poles-v0")
    assert (card.environment, card.episodes, card.deterministic.max <= 30) == ("poles:Poles-v0", 2, True)
    every = mpi(1, "zoo.py", "verify")
    assert (every.returncode, "not checked: its environment poles:Poles-v0" in every.stdout) == (0, True)


def test_the_module_of_an_environment_that_python_made_is_named_when_its_agent_is_added(
    trained: Path, agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "carts.py").write_text("")  # what it registers, Gymnasium has
    monkeypatch.syspath_prepend(tmp_path)
    line = ["zoo", "add", str(trained), "--name", "mine", "--episodes", "1", "--env"]
    with pytest.raises(UsageError, match="--env is carts:Pendulum-v1, but the agent was trained on CartPole-v1"):
        cli.main([*line, "carts:Pendulum-v1"])
    assert cli.main([*line, "carts:CartPole-v1"]) == 0
    assert read_card(agents / "mine").environment == "carts:CartPole-v1"
    assert "--env carts:CartPole-v1" in read_card(agents / "mine").command
    with pytest.raises(LoadError, match="if you trust it, add --env carts:CartPole-v1"):
        cli.main(["zoo", "verify", "mine", "--episodes", "1"])
    assert cli.main(["zoo", "verify", "mine", "--episodes", "1", "--env", "carts:CartPole-v1"]) == 0


def test_an_agent_with_other_spaces_than_its_environment_is_not_as_its_card_says(
    trained: Path, agents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["zoo", "add", str(trained), "--name", "mine", "--episodes", "1"]) == 0
    found, card = checkpoint.load(agents / "mine"), read_card(agents / "mine")
    manifest = json.loads(json.dumps({name: value for name, value in found.manifest.items() if name != "files"}))
    manifest["policy"]["action"]["start"] = 5
    path = checkpoint.save(agents, "mine", manifest, found.arrays)
    write_card(path, replace(card, manifest_sha256=digest(path / "manifest.json")))
    with pytest.raises(DataError, match="not as their cards say: mine"):
        cli.main(["zoo", "verify", "mine", "--episodes", "1"])
    assert "other spaces than CartPole-v1 has here: action start 5, here 0" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["../mine", "a/b", ".hidden", "-", "x" * 101, "zoo:mine", "a\nb"])
def test_a_name_that_is_none_is_refused(name: str, trained: Path, agents: Path) -> None:
    with pytest.raises(UsageError, match=r"--name is .*, expected letters"):
        cli.main(["zoo", "add", str(trained), "--name", name])
    assert [path.name for path in agents.iterdir()] == [PENDULUM]


def test_an_agent_is_not_made_of_an_agent(agents: Path) -> None:
    with pytest.raises(LoadError, match="is not a checkpoint of a training: no config"):
        cli.main(["zoo", "add", PENDULUM, "--name", "again"])


def test_an_agent_whose_training_went_on_with_other_settings_says_so(agents: Path) -> None:
    found = checkpoint.load(agents / PENDULUM)
    assert read_card(agents / PENDULUM).exact
    lineage = [{"ranks": 1, "exact": True}, {"ranks": 2, "exact": False}]
    training = {**found.manifest["training"], "lineage": lineage}
    checkpoint.save(agents, "changed", {**found.manifest, "training": training}, found.arrays)
    assert cli.main(["zoo", "score", "changed", "--episodes", "1"]) == 0
    assert not read_card(agents / "changed").exact
