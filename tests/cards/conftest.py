"""A zoo that tests may change, and a run of which an agent may be made."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from baselines_ppo.common.files import pretrained
from baselines_ppo.run import cli
from tests.runs import flags

PENDULUM = "RoboInvertedPendulum-v1"  # stands for 1000 steps; one that does nothing falls at once


@pytest.fixture
def agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo of one agent, which may be changed."""
    folder = tmp_path / "agents"
    shutil.copytree(pretrained.AGENTS / PENDULUM, folder / PENDULUM)
    monkeypatch.setattr(pretrained, "AGENTS", folder)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small run, with a setting that no preset has."""
    run = tmp_path_factory.mktemp("trained") / "run"
    line = (*flags("CartPole-v1", "ppo2", 5), "--gamma", 0.97, "--seed", 3, "--logdir", run)
    assert cli.main([str(word) for word in line]) == 0
    return run
