"""Folders and files that a user names: empty names, other people's folders, names that a shell must have in quotes."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import configure, load, train
from baselines_ppo.common.failures import LoadError, UsageError
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.whole import place, quoted
from baselines_ppo.run.cli import main
from tests.conftest import Finished
from tests.runs import arrays, assert_same_bits, flags

LINE = [*map(str, flags("CartPole-v1", "ppo2", 1, num_envs=2)), "--save-interval", "0"]
STEPS = 64  # of its iteration
TINY: dict[str, Any] = {
    "preset": "none",
    "num_envs": 2,
    "num_steps": 32,
    "num_minibatches": 2,
    "num_epochs": 1,
    "num_timesteps": 64,
}


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize(
    "words",
    [
        [*LINE, "--logdir", ""],
        [*LINE, "--logdir= "],
        ["--resume", ""],
        ["--resume="],
        [*LINE, "--load-path", ""],
        ["--env", ""],
        ["evaluate", ""],
        ["play", "--headless", ""],
        ["record", "", "--out", "a.gif"],
        ["record", "zoo:CartPole-v1", "--out", ""],
        ["race", "RoboAnt-v1", ""],
        ["steer", "--host", ""],  # which would listen to everybody
        ["zoo", "show", ""],
        ["zoo", "add", ""],
        ["launch", "-n", "2", "--hosts", "", "--", *LINE],
        ["launch", "-n", "2", "--", *LINE, "--logdir", ""],
        ["bench", "--peer-python", ""],
    ],
    ids=" ".join,
)
def test_what_is_empty_is_refused(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a run's folder, where Python's empty path would mean that run."""
    monkeypatch.chdir(tmp_path)
    checkpoint.save(tmp_path / "checkpoints", "ckpt-00000001", {"iteration": 1}, {"x": np.zeros(1)})
    before = everything(tmp_path)
    with pytest.raises(UsageError, match=r"^(--[\w-]+|an argument) is empty; give a value, or leave it out$"):
        main(words)
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    "call",
    [
        lambda: train(configure("CartPole-v1", **TINY), logdir=""),
        lambda: train(configure("CartPole-v1", **TINY), resume=""),
        lambda: train(configure("CartPole-v1", **TINY), load_path=" "),
        lambda: load(""),
    ],
)
def test_what_is_empty_is_refused_in_python(
    call: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="is empty"):
        call()
    assert everything(tmp_path) == set()


@pytest.mark.parametrize("words", [["--hidden-sizes", "64,,64"], ["--wrapper", "a:B,"], ["--hidden-sizes", ","]])
def test_lists_with_an_empty_entry_are_refused(words: list[str]) -> None:
    with pytest.raises(UsageError, match=f"{words[0]}: {words[1]} has an empty entry"):
        main([*LINE, *words])


def test_a_folder_of_other_files_is_not_taken(tmp_path: Path) -> None:
    """Not even one in which there are files of the same names as ours, but no run."""
    for name in ("thesis.txt", "config.json"):
        other = tmp_path / name.partition(".")[0]
        other.mkdir()
        (other / name).write_text("{}")
        with pytest.raises(UsageError, match=rf"{other} is not empty and holds no run \({name}\)"):
            main([*LINE, "--logdir", str(other)])
        assert everything(other) == {name}


@pytest.mark.usefixtures("stub")
def test_a_folder_of_hidden_files_alone_is_taken_and_these_stay(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".gitignore").write_text("*")
    assert main([*LINE, "--logdir", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / ".gitignore").read_text() == "*"
    assert checkpoint.find(tmp_path / "run")[0].manifest["total_steps"] == STEPS


@pytest.mark.parametrize("words", [["--env", "CartPole-v9"], ["launch", "--", "--env", "CartPole-v9"]])
@pytest.mark.parametrize("before", [[], ["runs"], ["runs/CartPole-v9"], ["runs/CartPole-v9/mine"]])
def test_a_run_that_does_not_begin_leaves_what_there_was(
    before: list[str], words: list[str], trainer_here: Callable[..., Finished], tmp_path: Path
) -> None:
    if words[0] == "launch" and before in (["runs"], ["runs/CartPole-v9"]):
        pytest.skip("as without")
    for name in before:
        (tmp_path / name).mkdir(parents=True)
    there = everything(tmp_path)
    assert trainer_here(1, *words).returncode == 2
    assert everything(tmp_path) == there


@pytest.mark.parametrize("existing", [False, True])
def test_a_run_that_fails_late_in_its_start_leaves_nothing(
    existing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When its folder is there, with configuration, lock and TensorBoard's events."""
    monkeypatch.chdir(tmp_path)
    assert main([*LINE, "--logdir", "old"]) == 0
    found = checkpoint.find("old")[0]
    broken = {name: x for name, x in found.arrays.items() if name != "adam/m"}
    forged = checkpoint.save(tmp_path / "forged", "ckpt-00000001", dict(found.manifest), broken)
    if existing:
        (tmp_path / "new" / "folder").mkdir(parents=True)
        (tmp_path / "new" / "folder" / ".keep").write_text("")
    before = everything(tmp_path)
    for words in ([], ["--logdir", "new/folder"]):
        with pytest.raises(LoadError, match="adam/m is missing"):
            main(["--resume", str(forged), *words])
    assert everything(tmp_path) == before


@pytest.mark.usefixtures("stub")
def test_a_run_whose_configuration_was_removed_goes_on_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = [*map(str, flags("CartPole-v1", "trpo", 1, num_envs=2)), "--cg-steps", "7"]
    longer = ["--num-timesteps", str(2 * STEPS)]
    assert main([*line, "--logdir", "run"]) == 0
    shutil.copytree("run", "other")
    shutil.copytree("run", "runs/CartPole-v1/some")
    for run in ("run", "runs/CartPole-v1/some"):
        (Path(run) / "config.json").unlink()
    assert main(["--resume", "other", *longer]) == 0
    assert main(["--resume", "run", "--cg-steps", "7", *longer]) == 0  # a flag of this algorithm alone
    assert main([*line, *longer, "--resume", "auto"]) == 0
    for run in ("run", "runs/CartPole-v1/some"):
        assert_same_bits(arrays(Path("other")), arrays(Path(run)))
        assert json.loads((Path(run) / "config.json").read_text())["algorithm"]["cg_steps"] == 7
    assert {path.name for path in tmp_path.iterdir()} == {"run", "other", "runs"}
    assert [path.name for path in Path("runs/CartPole-v1").iterdir()] == ["some"]


@pytest.mark.parametrize(
    "text",
    ['{"seed": %s}' % ("7" * 5000), "[" * 10**5, '{"a": ' * 10**4, '{"seed": 1, "seed": 2}', '{"gamma": NaN}',
     '{"gamma": 1e999}', "\ufffe", "", "3"],
)  # fmt: skip
def test_a_configuration_that_cannot_be_read_is_one_line_at_every_door(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "CartPole-v1" / "run"
    checkpoint.save(run / "checkpoints", "ckpt-00000001", {"iteration": 1, "config": {}}, {"x": np.zeros(1)})
    (run / "config.json").write_text(text)
    before = everything(tmp_path)
    for words in (["--resume", str(run)], ["--resume", "auto", *LINE], ["--resume", "auto", "--logdir", str(run)]):
        with pytest.raises(LoadError, match=r"config\.json cannot be read: .*; remove it") as raised:
            main(words)
        assert "\n" not in str(raised.value)
        assert len(str(raised.value)) < 600
    assert everything(tmp_path) == before


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '{"a": %s}' % ("[" * 5000 + "]" * 5000), '{"a": -1e999}'])
def test_arguments_that_nobody_can_mean_are_one_line(text: str) -> None:
    with pytest.raises(UsageError, match="--env-kwargs"):
        main([*LINE, "--env-kwargs", text])


@pytest.mark.parametrize(
    "name", ['it\'s a run\n"here" $HOME', "-run", "~nobody", "auto", "zoo:Ant-v4", "a;b&c", "größe"]
)
def test_a_path_that_we_print_can_be_pasted(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a shell reads it, and then as our commands do."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    for path in (tmp_path / name, Path(name)):
        read = subprocess.run(
            ["sh", "-c", f"printf %s {quoted(path)}"], capture_output=True, check=True
        ).stdout.decode()
        assert place(read) == tmp_path / name
        assert not read.startswith("-")
        assert read != "auto"
    with pytest.raises(LoadError, match="no usable checkpoint"):  # it is taken for the folder
        checkpoint.find(read)


@pytest.mark.usefixtures("stub")
def test_the_commands_that_are_suggested_can_be_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "my 'first'\nrun"
    monkeypatch.chdir(tmp_path)
    python = tmp_path / "my tools" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(python))
    assert main([*LINE, "--logdir", name]) == 0
    ending = capsys.readouterr().out
    for text in re.findall(r"^evaluate: (.*)^play: {5}(.*)", ending, re.MULTILINE | re.DOTALL)[0]:
        words = shlex.split(text)
        assert place(words[0]) == python
        assert place(words[-1]) == tmp_path / name
    evaluate = shlex.split(re.findall(r"^evaluate: (.*)^play", ending, re.MULTILINE | re.DOTALL)[0])
    assert main([*evaluate[evaluate.index("baselines_ppo.run") + 1 :], "--episodes", "1"]) == 0
    with pytest.raises(UsageError) as raised:
        main([*LINE, "--logdir", name])
    advised = re.findall(r"go on with (--resume .*), or give", str(raised.value), re.DOTALL)[0]
    assert main([*shlex.split(advised), "--num-timesteps", str(2 * STEPS)]) == 0
    assert checkpoint.find(tmp_path / name)[0].manifest["total_steps"] == 2 * STEPS
