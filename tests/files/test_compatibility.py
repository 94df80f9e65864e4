"""What earlier versions wrote is read for ever: a checkpoint of format 1, made when that was new."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from baselines_ppo import load
from baselines_ppo.common.files import checkpoint
from baselines_ppo.run.cli import main

FORMAT_1 = Path(__file__).with_name("format-1")


def test_an_agent_of_format_1_acts_as_it_did() -> None:
    agent = load(str(FORMAT_1))
    assert agent.env_id == "CartPole-v1"
    assert agent.policy.parameters.size == 107
    np.testing.assert_allclose(agent.policy.parameters[:3], [0.06463817, -0.27586782, -0.3624436], rtol=1e-6)
    np.testing.assert_allclose(
        agent.policy.observations.moments.mean, [0.00714055, 0.02691028, -0.01218691, -0.06365829], rtol=1e-5
    )
    assert agent.act(np.array([0.1, -0.2, 0.03, 0.4])) == 0


def test_a_run_of_format_1_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--resume", str(FORMAT_1), "--logdir", str(tmp_path / "run"), "--num-timesteps", "160"]) == 0
    assert "resumed format-1 at 96 steps" in capsys.readouterr().out
    assert checkpoint.find(tmp_path / "run")[0].manifest["total_steps"] == 160
