"""Strangers' cards and agents are only data, whatever is in them."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from baselines_ppo import load
from baselines_ppo.common.failures import Failure, LoadError
from baselines_ppo.common.files import checkpoint
from baselines_ppo.run import cli
from baselines_ppo.run.cards.export import digest
from baselines_ppo.zoo.card import CARD, Card, read_card, write_card
from tests.cards.conftest import PENDULUM

STRANGE: list[Any] = [
    None, True, -1, 0.5, 10**400, 1e308, "", "\x1b[2J", "x" * 10**4, [], {}, [[1]], {"mean": 1}, ["a"], [1] * 10**4,
]  # fmt: skip


@pytest.mark.parametrize("field", [*Card.__dataclass_fields__])
def test_a_card_with_another_kind_of_value_is_refused_or_harmless(
    field: str, agents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = agents / PENDULUM
    card = json.loads((folder / CARD).read_text())
    kind, refused = type({"by_start": {}, "stages": [], **card}[field]), 0  # these two may be missing
    for value in STRANGE:
        (folder / CARD).write_text(json.dumps({**card, field: value}))
        try:
            read = read_card(folder)
        except LoadError as error:
            assert str(error).isprintable()
            assert len(str(error)) < 500
            refused += 1
            continue
        assert value is None or isinstance(value, (int, float) if kind is float else kind)
        assert value is not True or kind is bool
        assert asdict(read)[field] in (value, tuple(value) if isinstance(value, list) else value)
        assert cli.main(["zoo", "list"]) == cli.main(["zoo", "show", PENDULUM]) == 0
        assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())
    assert refused >= len(STRANGE) - 4


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cannot be read"),
        ("[1]", "has not just the fields"),
        ("{}", "has not just the fields"),
        ('{"mean": NaN}', "NaN is not a finite number"),
        ("[" * 10**5, "cannot be read"),
        (" " * 10**6, "no regular file of at most"),
    ],
)
def test_what_is_no_card_is_refused_in_one_line(
    text: str, reason: str, agents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (agents / PENDULUM / CARD).write_text(text)
    with pytest.raises(LoadError, match=reason) as raised:
        read_card(agents / PENDULUM)
    assert str(raised.value).isprintable()
    assert cli.main(["zoo", "list"]) == 0
    assert reason in capsys.readouterr().out


@pytest.mark.parametrize("name", ["manifest.json", "arrays.npz", CARD, "curve.csv"])
def test_links_are_not_followed(name: str, agents: Path, tmp_path: Path) -> None:
    file = agents / PENDULUM / name
    shutil.move(file, tmp_path / name)
    file.symlink_to(tmp_path / name)
    with pytest.raises(Failure):
        if name in (CARD, "curve.csv"):
            cli.main(["zoo", "show", PENDULUM])
        else:
            load(PENDULUM)


def test_unreadable_numbers_in_a_curve_are_refused(agents: Path) -> None:
    for row in ("1,nan,3", "1,2", "x,2,3", "1,1e300,3", f"{10**30},2,3", "1,inf,3"):
        (agents / PENDULUM / "curve.csv").write_text(f"total_steps,episode_return,seconds\n{row}\n")
        with pytest.raises(LoadError, match=r"curve\.csv cannot be read"):
            cli.main(["zoo", "show", PENDULUM])


@pytest.mark.parametrize("action", ["score", "verify"])
@pytest.mark.parametrize("key", ["env", "wrapper"])
@pytest.mark.parametrize("where", ["agent", "training", "both"])
def test_modules_that_a_file_names_are_not_imported(
    where: str, key: str, action: str, agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the agent's card is one that fits it."""
    found = checkpoint.load(agents / PENDULUM)
    named = {key: "evil_payload:Env-v0" if key == "env" else ["evil_payload:Wrapper"]}
    training = found.manifest["training"]
    own = named if where in ("agent", "both") else {}
    trained = {**training, "config": {**training["config"], **(named if where in ("training", "both") else {})}}
    path = checkpoint.save(agents, "forged", {**found.manifest, **own, "training": trained}, found.arrays)
    card = replace(read_card(agents / PENDULUM), manifest_sha256=digest(path / "manifest.json"))
    write_card(path, replace(card, arrays_sha256=digest(path / "arrays.npz")))
    (tmp_path / "evil_payload.py").write_text("raise SystemExit('code of a stranger')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Failure):
        cli.main(["zoo", action, "forged", "--episodes", "1"])
    assert "evil_payload" not in sys.modules


def test_a_card_of_another_environment_than_is_played_is_refused(agents: Path) -> None:
    found = checkpoint.load(agents / PENDULUM)
    training = {**found.manifest["training"], "config": {**found.manifest["training"]["config"], "env": "Humanoid-v4"}}
    checkpoint.save(agents, "forged", {**found.manifest, "training": training}, found.arrays)
    with pytest.raises(LoadError, match="was trained on Humanoid-v4"):
        cli.main(["zoo", "score", "forged", "--episodes", "1"])


@pytest.mark.parametrize(
    "change",
    [
        {"episodes": 0},
        {"deterministic": {"std": 1e15}},
        {"deterministic": {"std": -1.0}},
        {"stochastic": {"mean": 1e12}},
    ],
)
def test_scores_that_no_episodes_have_are_refused(change: dict[str, Any], agents: Path) -> None:
    card = json.loads((agents / PENDULUM / CARD).read_text())
    for name, value in change.items():
        card[name] = {**card[name], **value} if isinstance(value, dict) else value
    (agents / PENDULUM / CARD).write_text(json.dumps(card))
    with pytest.raises(LoadError, match=r"card.json cannot be read: .* of no episodes"):
        read_card(agents / PENDULUM)


def test_training_facts_that_make_no_sense_get_no_card(agents: Path) -> None:
    found = checkpoint.load(agents / PENDULUM)
    training = found.manifest["training"]
    forgeries: list[dict[str, Any]] = [
        {}, {**training, "config": {"alg": "\x1b[2J"}}, {**training, "lineage": []}, {**training, "seconds": 1e300},
        {**training, "platform": {"numpy": "\x1b[2J"}}, {**training, "total_steps": -1},
    ]  # fmt: skip
    for forged in forgeries:
        checkpoint.save(agents, "forged", {**found.manifest, "training": forged}, found.arrays)
        with pytest.raises(LoadError, match=r"does not say how it was trained|no card can be written") as raised:
            cli.main(["zoo", "score", "forged", "--episodes", "1"])
        assert str(raised.value).isprintable()
        assert not (agents / "forged" / CARD).exists()


def test_a_card_is_written_and_read_as_it_was(agents: Path) -> None:
    card = read_card(agents / PENDULUM)
    write_card(agents / PENDULUM, card)
    assert read_card(agents / PENDULUM) == card
