"""What there is to draw with is tried out: neither a DISPLAY nor a MUJOCO_GL is believed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.job.opengl import has_display
from baselines_ppo.run import cli
from tests.conftest import ROOT, Finished

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


DRAWING = """
import gymnasium, sys
def draw(kept=None):
    for name in ("HalfCheetah-v4", "baselines_ppo.zoo:RoboHopper-v1"):
        environment = gymnasium.make(name, render_mode="rgb_array")
        environment.reset(seed=0)
        print(f"{name} {environment.render().mean():.3f}", flush=True)
        if kept is not None:
            kept.append(environment)
"""
TRAINING = """
def fit():
    from baselines_ppo import configure, train
    train(configure("CartPole-v1", num_envs=2, num_steps=32, num_timesteps=64, num_minibatches=1, num_epochs=1))
"""
FILMING = """
def film():
    from baselines_ppo.run import cli
    assert cli.main(["record", "RoboHopper-v1", "--seconds", "0.1", "--out", "hop.gif"]) == 0
"""


def in_a_notebook(folder: Path, *cells: str) -> subprocess.CompletedProcess[str]:
    """Run cells one after the other in a fresh process, where nothing has been set or imported."""
    return subprocess.run(
        [sys.executable, "-c", f"{DRAWING}{TRAINING}{FILMING}" + "\n".join(cells)],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "MUJOCO_GL": "egl"},
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_what_has_trained_draws_the_same_pictures_and_lives(tmp_path: Path) -> None:
    alone = in_a_notebook(tmp_path, "draw()").stdout.splitlines()
    trained = in_a_notebook(tmp_path, "fit()", "draw()", "film()", "fit()", "print('alive')")
    drawn = [line for line in trained.stdout.splitlines() if re.match(r"\S+-v\d \d+\.\d+$", line)]
    assert (trained.returncode, trained.stdout.splitlines()[-1]) == (0, "alive"), trained.stderr
    assert len(drawn) == 2
    assert drawn == alone
    assert (tmp_path / "hop.gif").exists()


def test_what_has_drawn_is_told_that_it_cannot_train_any_more(tmp_path: Path) -> None:
    seen = "print('libLLVM' in open('/proc/self/maps').read(), flush=True)"
    kept = in_a_notebook(tmp_path, "kept = []", "draw(kept)", seen, "fit()")
    if "True" not in kept.stdout.splitlines():
        pytest.skip("a graphics card draws here, without LLVM")
    assert kept.returncode == 1
    assert "UsageError: pictures were drawn in this process" in kept.stderr.splitlines()[-1]
