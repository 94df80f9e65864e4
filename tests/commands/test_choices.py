"""What a page offers: the agent it was opened with, the user's own runs, the pretrained agents."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from baselines_ppo.common.failures import LoadError
from baselines_ppo.common.files import checkpoint
from baselines_ppo.run import cli
from baselines_ppo.run.agents import choices, serving
from baselines_ppo.run.agents.steering import Session
from tests.untrained import untrained

FLAGRUN, HARDER = "RoboHumanoidFlagrun-v1", "RoboHumanoidFlagrunHarder-v1"
ANT, PENDULUM = "RoboAnt-v1", "InvertedPendulum-v4"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a user is in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(env_id: str, name: str, age: float) -> Path:
    """Write a run with a checkpoint of so many s ago; returns its folder."""
    folder = Path("runs") / env_id.replace(":", "-") / name
    for iteration in (3, 12):
        path = checkpoint_in(folder, iteration)
        path.parent.mkdir(parents=True, exist_ok=True)
        untrained(folder, env_id).rename(path)
        os.utime(path, (2e9 - age, 2e9 - age))
    return folder


def checkpoint_in(folder: Path, iteration: int = 12) -> Path:
    return folder / "checkpoints" / f"ckpt-{iteration:08d}"


def named(folder: Path, env_id: str) -> None:
    """Write a run's newest checkpoint again, that says it is for another environment."""
    found = checkpoint.load(checkpoint_in(folder))
    manifest = {key: x for key, x in found.manifest.items() if key not in ("format", "files")} | {"env": env_id}
    checkpoint.save(folder / "checkpoints", found.path.name, manifest, found.arrays)


class Opened(Exception):
    """Says what a page was opened with."""


def page(*arguments: str) -> tuple[list[str], Callable[[str], Session]]:
    """Return what the page of a command offers, and what loads it."""

    class Page:
        def __init__(self, _: Any, __: Any, agents: list[str], load: Callable[[str], Session]) -> None:
            raise Opened(agents, load)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Opened) as opened:
        patch.setattr(serving, "SteerPage", Page)
        cli.main([*arguments, "--port", "0"])
    agents, load = opened.value.args
    return agents, load


def test_own_runs_are_offered_newest_first_where_the_page_can_show_them(here: Path) -> None:
    pytest.importorskip("viser")
    run(ANT, "old", 900)
    run(FLAGRUN, "new", 10)
    run(PENDULUM, "middle", 300)
    run("CartPole-v1", "cart", 1)
    (here / "runs" / "empty" / "run").mkdir(parents=True)
    (here / "runs" / "file").touch()
    own = [f"{FLAGRUN}/new", f"{ANT}/old"]
    agents, load = page("steer")
    assert agents[:3] == [HARDER, *own]
    assert f"zoo:{ANT}" in agents
    assert "zoo:Hopper-v4" not in agents
    os.chdir(here.parent)  # an environment may do so
    session = load(f"{ANT}/old")
    assert session._agent.path == here / checkpoint_in(Path("runs") / ANT / "old")
    assert session._agent.env_id == ANT
    session.close()
    os.chdir(here)
    agents, load = page("play", "zoo:Hopper-v4", "--browser")
    assert agents[:4] == ["zoo:Hopper-v4", own[0], f"{PENDULUM}/middle", own[1]]
    assert {"zoo:Swimmer-v4", f"zoo:{ANT}"} < set(agents)
    assert "zoo:CartPole-v1" not in agents
    session = load(f"{PENDULUM}/middle")
    session.step()
    session.close()


def test_a_run_that_the_page_was_opened_with_is_not_offered_twice(here: Path) -> None:
    pytest.importorskip("viser")
    folder = str(run(FLAGRUN, "mine", 10))
    for typed in (folder, f"{folder}/", str(here / folder), f"{folder}:last"):
        agents, _ = page("steer", typed)
        assert agents[0] == typed
        assert not any("mine" in name for name in agents[1:])
    for typed in (FLAGRUN, f"zoo:{FLAGRUN}", FLAGRUN.removeprefix("Robo")):
        agents, _ = page("steer", typed)
        assert [name for name in agents if FLAGRUN.removeprefix("Robo") in name] == [typed, f"{FLAGRUN}/mine"]


def test_a_run_that_names_a_module_is_not_offered_and_not_loaded(here: Path) -> None:
    pytest.importorskip("viser")
    (here / "strange.py").write_text("import gymnasium\n")
    sys.modules.pop("strange", None)
    before, after = run(ANT, "before", 10), run(ANT, "after", 5)
    named(before, f"strange:{ANT}")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(here))
        agents, load = page("steer")
        assert f"{ANT}/before" not in agents
        assert f"{ANT}/after" in agents
        named(after, f"strange:{ANT}")  # when the page is open already
        with pytest.raises(LoadError, match="not one of Gymnasium's"):
            load(f"{ANT}/after")
    assert "strange" not in sys.modules


def test_files_that_say_nothing_are_left_out_and_there_are_not_too_many(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for k in range(5):
        run(ANT, f"run{k}", 10 * k)
    for k, text in enumerate(("", "[]", '{"env": NaN}')):
        (checkpoint_in(Path("runs") / ANT / f"run{k}") / "manifest.json").write_text(text)
    assert [name for name, _ in choices.own_runs(choices.is_ours)] == [f"{ANT}/run3", f"{ANT}/run4"]
    monkeypatch.setattr(choices, "MOST_RUNS", 1)
    assert [name for name, _ in choices.own_runs(choices.is_ours)] == [f"{ANT}/run3"]
    monkeypatch.setattr(choices, "MOST_READ", 3)
    assert list(choices.own_runs(choices.is_ours)) == []
