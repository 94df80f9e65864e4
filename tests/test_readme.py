"""Everything that README tells its readers to type works as it stands, in a process of its own in an empty folder."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from baselines_ppo.common.files import checkpoint
from baselines_ppo.run import cli
from baselines_ppo.run.commands import zoo
from baselines_ppo.settings.config import TEXTBOOK
from tests import readme
from tests.conftest import ROOT
from tests.readme import Command

FOREIGN = {"--hostfile"}  # Open MPI's
SERVING = ("steer", "play")  # until Ctrl-C
NEEDED = {"pybullet_envs_gymnasium": "pybullet_envs_gymnasium", "ale_py": "ale_py", "box2d": "Box2D"}
SECONDS = 150


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of somebody who has activated .venv, and has no display."""
    without = ("DISPLAY", "WAYLAND_DISPLAY")
    kept = {name: value for name, value in os.environ.items() if name not in without}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(folder)}


def chosen() -> list[Any]:
    """Return all commands that are run; those that show nothing new are slow."""
    result, seen = [], set[str]()
    by_words = {tuple(command.words): command for command in reversed(readme.commands())}
    for command in reversed(by_words.values()):
        if command.kinds:
            new = command.kinds - seen
            seen |= command.kinds
            result.append(pytest.param(command, marks=[] if new else [pytest.mark.slow], id=command.text))
    return result


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder."""
    folder = tmp_path_factory.mktemp("readme")
    words = [sys.executable, "-m", "baselines_ppo.run", *readme._short(["--env", "CartPole-v1"]), "--logdir", "run"]
    subprocess.run(words, cwd=folder, env=environment(folder), check=True, capture_output=True, timeout=SECONDS)
    return folder / "run"


def done(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=folder, env=environment(folder), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=SECONDS,
    )  # fmt: skip


@pytest.mark.parametrize("command", chosen())
def test_a_command_works(command: Command, run: Path, tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to(run)
    if command.name in SERVING:
        serves(command.words, tmp_path)
        return
    finished = done(command.words, tmp_path)
    missing = [word for name, word in NEEDED.items() if name in command.kinds and not importlib.util.find_spec(word)]
    assert finished.returncode == (2 if missing else 0), finished.stderr
    if missing:
        assert re.fullmatch(r"error: .* pip install '\S+'.*\n", finished.stderr)
    elif "--out" in command.words:
        (written,) = (tmp_path / word for word in command.words if (tmp_path / word).is_file())
        assert written.stat().st_size > 1000


def serves(words: list[str], folder: Path) -> None:
    """Check that a page is served until Ctrl-C."""
    process = subprocess.Popen(
        words, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert any(re.match(r"open http://127\.0\.0\.1:\d+ in a browser", line) for line in lines), (
            process.communicate()
        )
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=SECONDS)
        assert (rest, process.returncode) == ("stopped\n", 0), errors
    finally:
        process.kill()


@pytest.mark.parametrize("block", readme.python_blocks(), ids=lambda block: block.strip().splitlines()[-1])
def test_a_block_of_python_works(block: str, tmp_path: Path) -> None:
    finished = done(["python", "-c", block], tmp_path)
    assert finished.returncode == 0, finished.stderr


def test_the_recipe_for_an_own_environment_works(tmp_path: Path) -> None:
    """Its lines are typed one after the other, where its file is and nothing else."""
    for name, block in readme.files().items():
        (tmp_path / name).write_text(block)
    kinds = [command.name for command in readme.recipe()]
    assert kinds == ["train", "evaluate", "play", "record", "train"]
    for command in readme.recipe():
        finished = done([word for word in command.words if word not in ("--port", "0")], tmp_path)
        assert finished.returncode == 0, finished.stderr
    assert "resumed ckpt-00000001 at 64 steps" in finished.stdout
    (run,) = tmp_path.glob("runs/*")
    assert checkpoint.find(run)[0].manifest["total_steps"] == 128
    assert list(tmp_path.glob("*.gif"))


@pytest.mark.slow
def test_the_network_of_the_block_is_found_by_its_name(tmp_path: Path) -> None:
    (block,) = (block for block in readme.python_blocks() if "def residual" in block)
    (tmp_path / "my_networks.py").write_text(block)
    named = ["--env", "CartPole-v1", "--network", "my_networks:residual"]
    trained = done([*readme.RUN, *readme._short(named)], tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert "policy and value function: my_networks:residual, " in trained.stdout


def test_scripts_for_clusters_can_be_read(tmp_path: Path) -> None:
    for k, script in enumerate(readme.scripts()):
        (tmp_path / f"{k}.sh").write_text(script)
        assert done(["bash", "-n", f"{k}.sh"], tmp_path).returncode == 0
        for line in re.findall(r"-m baselines_ppo\.run([^\n&]*)", script.replace("\\\n", " ")):
            assert vars(cli.parser("train", line.split()).parse_args(line.split()))["env"]


def test_what_is_installed_and_made_exists() -> None:
    setup, rules = (ROOT / "setup.cfg").read_text(), (ROOT / "Makefile").read_text()
    extras = set(re.findall(r"^(\w+) =$", setup.partition("[options.extras_require]")[2], re.MULTILINE))
    text = (ROOT / "README.md").read_text()
    named = re.findall(r"pip install -e '\.\[([\w,]+)\]'", text)
    assert named
    assert {extra for names in named for extra in names.split(",")} <= extras
    for target in re.findall(r"^make (\w+)", text, re.MULTILINE):
        assert f"\n{target}: " in rules


def test_every_flag_that_is_named_exists() -> None:
    parsers = [cli.parser("train", ["--alg", alg]) for alg in TEXTBOOK]
    parsers += [cli.parser(name, ["--help"]) for name in cli.COMMANDS]
    parsers += [cli.parser("zoo", [action]) for action in zoo.ACTIONS]
    known = {name for parser in parsers for action in parser._actions for name in action.option_strings}
    assert readme.flags() - FOREIGN <= known
    assert len(readme.flags()) > 40


def test_every_command_and_algorithm_is_shown() -> None:
    """What a reader finds there is what there is, and what is read here is not less than what is there."""
    commands = readme.commands()
    assert {command.name for command in commands} >= {*cli.COMMANDS}
    kinds = {kind for command in commands for kind in command.kinds}
    assert kinds >= {*TEXTBOOK, "mpirun", "ale_py", "robots", "box2d", "--resume", "--load-path", "launch"}
    assert len(readme.python_blocks()) >= 4
