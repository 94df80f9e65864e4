"""Every command that takes an agent, a run or a checkpoint refuses the same wrong things with the same words."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from baselines_ppo import configure, load, train
from baselines_ppo.common.failures import Failure, LoadError
from baselines_ppo.common.files import checkpoint, pretrained
from baselines_ppo.run import cli
from baselines_ppo.run.cards import export
from tests.faults import use_stub

ENV = "RoboHopper-v1"
SMALL: dict[str, Any] = {"num_envs": 2, "num_steps": 32, "num_minibatches": 1, "num_epochs": 1, "hidden_sizes": (8,)}
FLAGS = ["--env", ENV, "--num-envs", "2", "--num-steps", "32", "--num-minibatches", "1", "--hidden-sizes", "8"]

Edit = Callable[[dict[str, Any]], None]  # of a manifest


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small run of a robot, which every command takes."""
    folder = tmp_path_factory.mktemp("doors") / "run"
    with pytest.MonkeyPatch.context() as patch:
        use_stub(patch.setattr)
        train(configure(ENV, num_timesteps=640, log_interval=1e6, **SMALL), logdir=folder)
    return folder


@pytest.fixture(autouse=True)
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty zoo."""
    (tmp_path / "agents").mkdir()
    monkeypatch.setattr(pretrained, "AGENTS", tmp_path / "agents")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "agents"


def copied(run: Path, folder: Path, edit: Edit) -> Path:
    """Return a copy of a run, the manifest of whose only checkpoint was edited."""
    shutil.copytree(run, folder)
    found = checkpoint.find(folder)[0]
    manifest = json.loads(json.dumps({name: x for name, x in found.manifest.items() if name != "files"}))
    edit(manifest)
    checkpoint.save(found.path.parent, found.path.name, manifest, found.arrays)
    return folder


def as_agent(run: Path) -> Path:
    """Return a folder with the agent of a run, as the zoo has it; the run itself where there is none."""
    try:
        found = checkpoint.find(run)[0]
    except LoadError:
        return max((run / "checkpoints").glob("ckpt-*")) if run.exists() else run
    manifest = {name: found.manifest[name] for name in export.ACTED_ON}
    training = {name: found.manifest[name] for name in export.TRAINING}
    return checkpoint.save(run.parent, "agent", {**manifest, "training": training}, found.arrays)


DOORS: dict[str, Callable[[Path], Any]] = {
    "evaluate": lambda path: cli.main(["evaluate", str(path), "--episodes", "1"]),
    "play": lambda path: cli.main(["play", str(path), "--headless"]),
    "record": lambda path: cli.main(["record", str(path), "--out", "film.gif", "--seconds", "0.1"]),
    "steer": lambda path: cli.main(["steer", str(path), "--port", "0"]),
    "race": lambda path: cli.main(["race", str(path)]),
    "resume": lambda path: cli.main(["--resume", str(path)]),
    "load-path": lambda path: cli.main([*FLAGS, "--load-path", str(path), "--logdir", "new"]),
    "train(resume)": lambda path: train(configure(ENV, num_timesteps=640, log_interval=1e6, **SMALL), resume=path),
    "train(load_path)": lambda path: train(configure(ENV, **SMALL), load_path=path, logdir="new"),
    "load": lambda path: load(str(path)),
    "export": lambda path: cli.main(["export", str(path), "--out", "exported"]),
    "zoo add": lambda path: cli.main(["zoo", "add", str(path), "--name", "mine", "--episodes", "1"]),
    "zoo score": lambda path: cli.main(["zoo", "score", str(as_agent(path)), "--episodes", "1"]),
    "zoo verify": lambda path: cli.main(["zoo", "verify", str(as_agent(path)), "--episodes", "1"]),
}
EVERY = set(DOORS)
# `load` and `export` have no environment to compare with; the scores of an agent whose card is forged too come to
# nobody's eyes.
WITH_ENVIRONMENT = EVERY - {"load", "export", "zoo verify"}
# Those that take an environment from the file; `race` knows all of its own by name, and takes no others.
BY_THE_FILE = EVERY - {"load", "export", "load-path", "train(resume)", "train(load_path)", "race"}


def edited(part: str, **change: Any) -> Edit:
    return lambda manifest: manifest["policy"][part].update(change)


def of_a_module(name: str, value: Any) -> Edit:
    def edit(manifest: dict[str, Any]) -> None:
        manifest[name] = manifest["config"][name] = value

    return edit


SPACES = "was trained on RoboHopper-v1 with other spaces than RoboHopper-v1 has here: "
WRONG: dict[str, tuple[Edit, set[str], str]] = {
    "action bounds": (
        edited("action", low=[-2.0] * 3, high=[2.0] * 3), WITH_ENVIRONMENT, SPACES + "action bounds -2..2, here -1..1",
    ),
    "action type": (edited("action", dtype="float64"), WITH_ENVIRONMENT, SPACES + "action type float64, here float32"),
    "action shape": (edited("action", shape=[3, 1]), WITH_ENVIRONMENT, SPACES + "action shape [3, 1], here [3]"),
    "observation type": (
        edited("observation", dtype="float64"), WITH_ENVIRONMENT, SPACES + "observation type float64, here float32",
    ),
    "network": (
        lambda manifest: (
            manifest["policy"]["policy_network"].update(name="secret_modules:net"),
            manifest["config"]["policy"].update(network="secret_modules:net"),
        )[0],
        EVERY - {"train(resume)"},  # whose configuration names the network
        "network secret_modules:net is not known here; import what registers it, or add --network secret_modules:net",
    ),
    "environment": (
        of_a_module("env", "secret_modules:RoboHopper-v1"), BY_THE_FILE,
        "its environment secret_modules:RoboHopper-v1 is not one of Gymnasium's; if you trust it, add --env secret_m",
    ),
    "wrapper": (
        of_a_module("wrapper", ["secret_modules:Shaped"]), BY_THE_FILE,
        "its wrapper secret_modules:Shaped is not Gymnasium's, or may lead to a file; if you trust it, add --wrapper s",
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_every_door_refuses_the_same_with_the_same_words(
    wrong: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit, doors, words = WRONG[wrong]
    (tmp_path / "secret_modules.py").write_text("raise SystemExit('code of a stranger')")
    monkeypatch.syspath_prepend(tmp_path)
    folder = copied(run, tmp_path / "copy", edit)
    for door in sorted(doors):
        with pytest.raises(Failure) as raised:
            DOORS[door](folder)
        assert words in str(raised.value), door
        assert raised.value.exit_code == 66, door
        assert str(raised.value).isprintable(), door
    assert "secret_modules" not in sys.modules
    assert not list((tmp_path / "agents").iterdir())


@pytest.mark.parametrize("damaged", [True, False])
def test_every_door_says_alike_that_there_is_nothing_or_that_it_is_damaged(
    damaged: bool, run: Path, tmp_path: Path
) -> None:
    folder, words = tmp_path / "nowhere", "nowhere does not exist"
    if damaged:
        folder, words = copied(run, tmp_path / "copy", lambda manifest: None), "arrays.npz is damaged (checksum)"
        for arrays in folder.glob("checkpoints/*/arrays.npz"):
            arrays.write_bytes(arrays.read_bytes()[:-1] + b"x")
    for door, enter in DOORS.items():
        with pytest.raises(LoadError) as raised:
            enter(folder)
        assert words in str(raised.value), door
        assert raised.value.exit_code == 66, door


def test_what_is_right_is_taken_by_name_too(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Else the doors above might be closed for all."""
    for door in ("evaluate", "play", "load"):
        DOORS[door](Path(f"{run}:last"))
    assert f"{checkpoint.find(run)[0].path} on {ENV}: 1 episode of" in capsys.readouterr().out
