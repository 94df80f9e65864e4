"""Playing: headless it prints what evaluate prints, and without a display a browser shows it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from baselines_ppo.common.failures import UsageError
from baselines_ppo.run import cli
from tests.conftest import ROOT, Finished, command
from tests.untrained import untrained

Run = Callable[..., Finished]

HOPPER = "zoo:RoboHopper-v1"
SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL")


@pytest.fixture(autouse=True)
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SCREENS:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("mode", ["deterministic", "stochastic"])
@pytest.mark.parametrize("name", [HOPPER, "RoboHumanoidFlagrunHarder-v1", "CartPole-v1"])
def test_headless_returns_are_those_of_evaluate(
    name: str, mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = name if name.startswith("zoo:") else str(untrained(tmp_path, name))
    count = 1 if name == HOPPER else 3  # which hops for long
    assert cli.main(["evaluate", agent, "--episodes", str(count)]) == 0
    evaluated = next(line.split() for line in capsys.readouterr().out.splitlines() if line.startswith(mode))
    flags = ["--headless", "--episodes", str(count), *["--stochastic"] * (mode == "stochastic")]
    assert cli.main(["play", agent, *flags]) == 0
    played = re.findall(r"episode \d: return (-?[\d.]+), length (\d+)", capsys.readouterr().out)
    returns = [float(episode_return) for episode_return, _ in played]
    assert len(returns) == count
    assert [min(returns), max(returns)] == [float(x) for x in evaluated[3:5]]
    assert sum(returns) / count == pytest.approx(float(evaluated[1]), abs=0.011)


@pytest.mark.parametrize(("flags", "screen"), [((), ""), ((), ":987"), (("--browser",), "")])
def test_without_a_display_a_browser_shows_it(flags: tuple[str, ...], screen: str, tmp_path: Path) -> None:
    words = command(1, "-m", "baselines_ppo.run", "play", HOPPER, *flags, "--port", "0")
    pipe, environment = subprocess.PIPE, {**os.environ, "PYTHONPATH": str(ROOT), "DISPLAY": screen}
    with subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe, text=True) as player:
        try:
            assert player.stdout is not None
            address = re.search(r"http://127\.0\.0\.1:\d+", player.stdout.readline())
            assert address is not None
            assert urllib.request.urlopen(address[0], timeout=30).status == 200
        finally:
            player.send_signal(signal.SIGINT)
            _, errors = player.communicate(timeout=60)
    assert player.returncode == 0
    assert ("there is no display here" in errors) == (not flags)


@pytest.mark.parametrize("flags", [(), ("--browser",)])
def test_what_a_browser_cannot_show_is_told(
    flags: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)  # which would be of no use here
    agent = untrained(tmp_path, "CartPole-v1")
    with pytest.raises(UsageError, match="what MuJoCo simulates, and CartPole-v1 is not; make a film with record"):
        cli.main(["play", str(agent), *flags])
    assert capsys.readouterr() == ("", "")  # no browser is promised


def test_it_is_shown_in_one_place() -> None:
    with pytest.raises(UsageError, match="--headless: not allowed with argument --browser"):
        cli.main(["play", HOPPER, "--browser", "--headless"])
