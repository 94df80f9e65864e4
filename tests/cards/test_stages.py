"""An agent that was trained in stages says so, wherever its training is told."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from baselines_ppo.common.files import checkpoint
from baselines_ppo.run import cli
from baselines_ppo.run.cards.gallery import is_training
from baselines_ppo.state.warm_start import stages_of
from baselines_ppo.zoo.card import read_card
from tests.runs import arrays, assert_same_bits, flags


def trained(folder: Path, iterations: int, *more: object) -> Path:
    assert cli.main([*map(str, (*flags("CartPole-v1", "ppo2", iterations), *more, "--logdir", folder))]) == 0
    return folder


@pytest.mark.usefixtures("agents")
def test_each_stage_is_on_the_card_and_its_commands_make_the_agent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    trained(Path("first"), 2, "--gamma", 0.9)
    trained(tmp_path / "second", 1, "--seed", 5, "--load-path", "first")
    trained(Path("third"), 1, "--load-path", tmp_path / "second")
    steps = [checkpoint.find(Path(name))[0].manifest["total_steps"] for name in ("first", "second", "third")]
    assert cli.main(["--num-timesteps", str(steps[2] + 1), "--resume", "third"]) == 0
    assert cli.main(["zoo", "add", "third:last", "--name", "mine", "--episodes", "2"]) == 0

    card = read_card(Path("agents") / "mine")
    assert [(stage.agent, stage.total_steps) for stage in card.stages] == [("first", steps[0]), ("second", steps[1])]
    first, second = (str(stage.command) for stage in card.stages)
    assert "--load-path" not in first
    assert second.endswith("--load-path first")
    assert card.command.endswith("--load-path second")  # of a path from the root only the last part
    assert all(map(is_training, (first, second, card.command)))
    (tmp_path / "again").mkdir()
    monkeypatch.chdir("again")
    for command, name in ((first, "first"), (second, "second")):
        words = shlex.split(command)
        assert cli.main([*words[words.index("baselines_ppo.run") + 1 :], "--logdir", name]) == 0
        assert_same_bits(arrays(Path(name)), arrays(tmp_path / name))

    capsys.readouterr()
    assert cli.main(["zoo", "show", "mine"]) == 0
    shown = capsys.readouterr().out
    assert f"second: {steps[1]:,} steps of {second}" in shown
    assert cli.main(["zoo", "table"]) == 0
    assert "after 2 other trainings" in capsys.readouterr().out


def test_an_agent_that_does_not_say_how_it_came_about_is_a_stage_too(tmp_path: Path) -> None:
    found = checkpoint.find(trained(tmp_path / "run", 1))[0]
    strange: list[dict[str, Any]] = [{}, {"lineage": 3}, {"training": "much"}, {"training": {"lineage": [{}]}}]
    for said in strange:
        other = found._replace(manifest={"kind": "agent", **said})
        assert stages_of(other, "zoo:Someone") == [{"agent": "zoo:Someone"}]
    assert json.dumps(stages_of(found, "run"))
