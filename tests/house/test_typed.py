"""What README and docs tell their readers to type works as it stands: each kind of command once, the others slowly."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from baselines_ppo.run import cli
from tests.faults import use_stub
from tests.house import docs
from tests.house.docs import SECONDS, Command, done, environment

# What a quick test sees in full, in a process of its own or through the same command: as it stands here it is slow.
ELSEWHERE = {
    **dict.fromkeys(("ppo1", "ppo_kl", "trpo", "robots"), "training/test_resume.py"), "box2d": "show/test_record.py",
    "--resume": "house/test_docs.py", "--load-path": "cards/test_shipped.py", "ale_py": "envs/test_ids.py",
    "clone": "cloning/test_clone_command.py", "bench": "commands/test_bench.py", "launch": "job/test_launch.py",
    "tune": "experiments/test_tune.py",
}  # fmt: skip
SERVING = ("steer", "pong", "play")  # until Ctrl-C
NEEDED = {"pybullet_envs_gymnasium": "pybullet_envs_gymnasium", "ale_py": "ale_py", "box2d": "Box2D"}


def chosen() -> list[Any]:
    """Return all commands that are run; those that show nothing new are slow."""
    result, seen = [], set[str]()
    by_words = {tuple(command.words): command for command in reversed(docs.commands())}
    for command in reversed(by_words.values()):
        if command.kinds:
            new = command.kinds - seen - {*ELSEWHERE}
            seen |= command.kinds if new else set()
            result.append(pytest.param(command, marks=[] if new else [pytest.mark.slow], id=command.text))
    return result


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder, of a training that has learned nothing."""
    folder = tmp_path_factory.mktemp("docs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        use_stub(patch.setattr)
        assert cli.main([*docs._short(["--env", "CartPole-v1"]), "--logdir", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder that learning can go on with."""
    folder = tmp_path_factory.mktemp("learned")
    assert done([*docs.RUN, *docs._short(["--env", "CartPole-v1"]), "--logdir", "run"], folder).returncode == 0
    return folder / "run"


@pytest.fixture(scope="module")
def episodes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of demonstrations."""
    path = tmp_path_factory.mktemp("episodes") / "episodes.npz"
    done([*docs.RUN, "record", "zoo:CartPole-v1", "--out", path.name, "--episodes", "2"], path.parent)
    return path


def test_all_that_is_typed_is_understood() -> None:
    """Also what is run slowly, or not at all; where it is run, its effect is seen."""
    for command in docs.commands():
        if docs.RUN[-1] in command.words:
            words = command.words[command.words.index(docs.RUN[-1]) + 1 :]
            name, own = cli.divided(words)
            if "--help" not in own:
                cli.parser(name, own).parse_args(own)


@pytest.mark.parametrize("command", chosen())
def test_a_command_works(command: Command, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    run = request.getfixturevalue("learned" if "--resume" in command.words else "run")
    (tmp_path / "run").symlink_to(run)
    if command.name == "clone":
        (tmp_path / "episodes.npz").write_bytes(request.getfixturevalue("episodes").read_bytes())
    if command.name in SERVING and "--headless" not in command.words:
        serves(command.words, tmp_path)
        return
    finished = done(command.words, tmp_path)
    missing = [word for name, word in NEEDED.items() if name in command.kinds and not importlib.util.find_spec(word)]
    assert finished.returncode == (2 if missing else 0), finished.stderr
    if missing:
        assert re.fullmatch(r"error: .* pip install '\S+'.*\n", finished.stderr)
    elif "--out" in command.words:
        out = tmp_path / command.words[-command.words[::-1].index("--out")]  # the last one counts
        (written,) = [*out.glob("policy.*x"), *out.glob("arrays.npz")] if out.is_dir() else [out]
        assert written.stat().st_size > (300 if written.suffix == ".tex" else 1000)  # a table of one run is short


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
