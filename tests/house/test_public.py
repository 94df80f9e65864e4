"""What is public: its names, its examples and its types."""

from __future__ import annotations

import doctest
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import baselines_ppo
from baselines_ppo.algorithm import LEARNERS, register_algorithm
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.gae import gae
from baselines_ppo.common.policy.networks import NETWORKS, register_network
from baselines_ppo.former import MOVED
from baselines_ppo.monitoring.callback import TrainingProgress
from baselines_ppo.settings.config import TEXTBOOK
from tests.conftest import ROOT

REGISTERED: tuple[dict[str, Any], ...] = (NETWORKS, TEXTBOOK, LEARNERS)
EXAMPLES: list[Any] = [baselines_ppo.configure, baselines_ppo.train, baselines_ppo.load, Agent.act, gae]
EXAMPLES += [register_network, register_algorithm, TrainingProgress]
USER = """
from baselines_ppo import Agent, Result, TrainConfig, configure, load, train

config: TrainConfig = configure("CartPole-v1", num_envs=2)
result: Result = train(config)
steps: int = result.total_steps
agent: Agent = load("zoo:CartPole-v1")
agent.act(3, deterministic="yes")
"""


@pytest.mark.parametrize("function", EXAMPLES, ids=lambda function: function.__qualname__)
def test_an_example_gives_what_it_says(function: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = [(known, dict(known)) for known in REGISTERED]
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    (example,) = (
        test for test in doctest.DocTestFinder(recurse=False).find(function, function.__qualname__) if test.examples
    )
    runner.run(example)
    for known, entries in before:  # what an example registers is forgotten
        for name in set(known) - set(entries):
            del known[name]
    assert (runner.failures, runner.tries) == (0, len(example.examples))


def test_every_public_name_is_there_and_no_other() -> None:
    code = (
        "import sys, baselines_ppo\n"
        "assert not {'numpy', 'gymnasium', 'tensorflow'} & set(sys.modules)\n"
        "from baselines_ppo import *\n"
        "assert all(name in globals() for name in baselines_ppo.__all__)\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    with pytest.raises(AttributeError, match="has no attribute 'no_such'"):
        _ = baselines_ppo.no_such


def test_what_has_moved_is_found_by_its_former_name_with_a_warning(tmp_path: Path) -> None:
    """As in a user's own network, written when `networks` and `parameters` were elsewhere."""
    (tmp_path / "my_networks.py").write_text(
        "from baselines_ppo.common.networks import Network\n"
        "from baselines_ppo.common.parameters import Parameter\n"
        "from baselines_ppo.common import checkpoint, gae\n"
        "import baselines_ppo, baselines_ppo.common.policy.networks as here\n"
        "assert Network is here.Network is baselines_ppo.Network and Parameter is baselines_ppo.Parameter\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", "import my_networks"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr
    assert (
        "my_networks.py:1: FutureWarning: baselines_ppo.common.networks is baselines_ppo.common.policy.networks now"
        in (said.stderr)
    )
    assert said.stderr.count("FutureWarning") == 3


@pytest.mark.parametrize("name", MOVED)
def test_every_former_name_leads_somewhere_and_hides_nothing(name: str) -> None:
    assert importlib.util.find_spec(MOVED[name]) is not None
    assert not (ROOT / f"{name.replace('.', '/')}.py").exists()


def test_a_user_is_told_of_wrong_types(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(USER)
    words = [sys.executable, "-m", "mypy", str(tmp_path / "user.py")]  # as settings are ours, it is known already
    checked = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    (wrong,) = (line for line in checked.stdout.splitlines() if ": error: " in line)
    assert 'Argument "deterministic" to "act" of "Agent" has incompatible type "str"; expected "bool"' in wrong


def test_what_is_public_is_checked_strictly() -> None:
    """The modules that define it are those that pyproject.toml names."""
    text = (ROOT / "pyproject.toml").read_text().partition("# Modules whose names are public")[2]
    strict = set(re.findall(r'"(baselines_ppo[\w.]*)",', text))
    assert {getattr(baselines_ppo, name).__module__ for name in baselines_ppo.__all__} <= strict
    assert "disallow_untyped_calls = true" in text
