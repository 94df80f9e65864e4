"""What `zoo verify` notices."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from baselines_ppo.common.failures import DataError
from baselines_ppo.common.files import checkpoint
from baselines_ppo.run import cli
from baselines_ppo.run.cards.measure import least
from baselines_ppo.zoo.card import CARD, Score
from tests.cards.conftest import PENDULUM


def sealed(folder: Path, found: checkpoint.Checkpoint, parameters: np.ndarray) -> None:
    """Put other parameters into an agent, and let manifest and card agree with them."""
    card = json.loads((folder / CARD).read_text())
    manifest = {name: value for name, value in found.manifest.items() if name != "files"}
    path = checkpoint.save(folder.parent, folder.name, manifest, {**found.arrays, "parameters": parameters})
    for name in ("manifest.json", "arrays.npz"):
        card[f"{name.split('.')[0]}_sha256"] = hashlib.sha256((path / name).read_bytes()).hexdigest()
    (path / CARD).write_text(json.dumps(card))


def test_random_parameters_do_not_pass_for_the_agent(agents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = checkpoint.load(agents / PENDULUM)
    parameters = found.arrays["parameters"]
    sealed(agents / PENDULUM, found, np.random.default_rng(0).permutation(parameters))
    with pytest.raises(DataError, match=f"not as their cards say: {PENDULUM}") as raised:
        cli.main(["zoo", "verify", "--episodes", "2"])
    assert raised.value.exit_code == 65
    assert "LOWER" in capsys.readouterr().out
    sealed(agents / PENDULUM, found, parameters)
    assert cli.main(["zoo", "verify", "--episodes", "2"]) == 0


@pytest.mark.parametrize("name", ["manifest.json", "arrays.npz", CARD])
def test_a_file_that_is_not_the_cards_is_noticed(
    name: str, agents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whole files, but of another agent."""
    found, other = checkpoint.load(agents / PENDULUM), tmp_path / "other" / PENDULUM
    shutil.copytree(agents / PENDULUM, other)
    sealed(other, found, found.arrays["parameters"] * np.float32(0.5))
    shutil.copy(other / name, agents / PENDULUM / name)
    with pytest.raises(DataError, match=PENDULUM):
        cli.main(["zoo", "verify", "--episodes", "1"])
    assert "checksum" in capsys.readouterr().out


def test_a_card_that_says_other_than_its_files_is_noticed(agents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = json.loads((agents / PENDULUM / CARD).read_text())
    (agents / PENDULUM / CARD).write_text(json.dumps({**card, "total_steps": 7}))
    with pytest.raises(DataError):
        cli.main(["zoo", "verify", "--episodes", "1"])
    assert "its card is not what its files" in capsys.readouterr().out


def test_a_card_with_a_start_that_there_is_not_is_noticed(agents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = json.loads((agents / PENDULUM / CARD).read_text())
    (agents / PENDULUM / CARD).write_text(json.dumps({**card, "by_start": {"upside_down": card["deterministic"]}}))
    with pytest.raises(DataError, match=PENDULUM):
        cli.main(["zoo", "verify", str(agents / PENDULUM), "--episodes", "1"])
    assert "its card has a score from upside_down, which is no start" in capsys.readouterr().out


def test_a_mean_may_be_lower_by_what_chance_explains() -> None:
    card = Score(1000.0, 100.0, 0.0, 2000.0, 10.0, None)
    steady, wild = (Score(0.0, std, -400.0, 400.0, 10.0, None) for std in (0.0, 300.0))
    assert least(card, 100, steady, 25) == pytest.approx(1000 - 3 * 100 * np.hypot(0.1, 0.2) - 10)
    assert least(card, 100, wild, 25) == pytest.approx(1000 - 3 * 300 * np.hypot(0.1, 0.2) - 10)
    below_zero = Score(-1000.0, 0.0, -1000.0, -1000.0, 10.0, None)
    assert least(below_zero, 100, steady, 4) == pytest.approx(-1010)
