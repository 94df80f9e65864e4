"""What there is to draw with is tried out: neither a DISPLAY nor a MUJOCO_GL is believed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.opengl import has_display
from baselines_ppo.run import cli
from tests.conftest import Finished

Run = Callable[..., Finished]

HOPPER = "zoo:RoboHopper-v1"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there always is a display")


@pytest.fixture(autouse=True)
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL"):
        monkeypatch.delenv(name, raising=False)


def test_a_screen_that_is_gone_is_no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":987")
    assert not has_display()


def test_a_screen_that_is_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("needs Xvfb: apt install xvfb")
    ours, theirs = os.pipe()
    with open(ours) as told, subprocess.Popen(  # noqa: PTH123
        [server, "-displayfd", str(theirs), "-screen", "0", "320x240x24"],
        pass_fds=[theirs], stderr=subprocess.DEVNULL,
    ) as screen:  # fmt: skip
        os.close(theirs)
        try:
            monkeypatch.setenv("DISPLAY", f":{told.readline().strip()}")
            assert has_display()
        finally:
            screen.terminate()


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("bogus", "error: MUJOCO_GL is bogus, with which MuJoCo does not start"),
        ("glfw", "error: MUJOCO_GL is glfw, which draws no pictures here; unset it, or apt install"),
    ],
)
def test_what_the_user_chose_and_cannot_draw_is_told(
    chosen: str, message: str, trainer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUJOCO_GL", chosen)
    finished = trainer(1, "record", HOPPER, "--out", "hop.gif", "--seconds", 0.1)
    assert finished.returncode == 2
    (line,) = finished.stderr.splitlines()
    assert line.startswith(message)


def test_two_ranks_do_not_write_one_file(trainer: Run) -> None:
    finished = trainer(2, "record", HOPPER, "--out", "hop.gif", "--seconds", 0.1)
    assert finished.returncode == 2
    assert finished.stderr.splitlines() == ["error: record needs one rank; run it without mpirun"]


@pytest.mark.parametrize("words", [("play", HOPPER, "--headless"), ("race", HOPPER), ("steer", "--port", "-1")])
def test_what_is_watched_needs_one_rank(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMI_SIZE", "2")
    with pytest.raises(UsageError, match=f"{words[0]} needs one rank; run it without mpirun"):
        cli.main([*words])
