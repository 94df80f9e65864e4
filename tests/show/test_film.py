"""Films as files: broken off, full, unwritable, in real time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

from baselines_ppo.common.envs.backends import SerialBackend
from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.failures import Failure, UsageError, WriteError
from baselines_ppo.run import cli
from baselines_ppo.run.show.film import _durations, checked_out, film
from baselines_ppo.run.show.frame import fitted
from baselines_ppo.run.show.shutter import Filmed, Shutter, pace
from tests.conftest import Finished
from tests.show.test_record import HOPPER, SMALL, recorded, shown
from tests.untrained import untrained

Run = Callable[..., Finished]


def test_a_film_in_memory_ends_when_that_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("baselines_ppo.run.show.film.MEMORY", 4.5 * 3 * 160 * 128)
    agent = untrained(tmp_path, "CartPole-v1")
    cli.main(["record", str(agent), "--out", str(tmp_path / "cart.gif"), "--fps", "50", *map(str, SMALL)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("length 3, cut as a .gif holds no more")
    assert ", 4 pictures, " in lines[1]


def test_what_is_full_takes_no_more() -> None:
    taken: list[None] = []
    shutter = Shutter(lambda: taken.append(None), 1, 50.0)
    filmed = Filmed(
        SerialBackend(lambda: make_environment(EnvironmentSpec("CartPole-v1")), 1, "CartPole-v1"), shutter, 1
    )
    filmed.reset([0], [0])
    assert filmed.step(np.array([0]), [0]).truncated.all()
    assert len(taken) == 1


@pytest.mark.parametrize("kind", [".gif", ".webp"])
@pytest.mark.parametrize("wanted", [None, 49.0, 50.0])
def test_no_picture_is_so_short_that_browsers_show_it_longer(kind: str, wanted: float | None) -> None:
    for steps in (29.0, 49.0, 50.0, 55.0, 60.0, 125.0, 1000.0):
        _, rate = pace(steps, kind, wanted)
        assert min(_durations(500, rate)) >= 20, steps


class Raising(gymnasium.Env[Any, Any]):
    """An environment that cannot be drawn, and counts how many of its kind are open."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012  # as Gymnasium has it
    observation_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    opened = 0

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        Raising.opened += 1

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        return np.zeros(1, np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        raise RuntimeError("it cannot be stepped")

    def render(self) -> np.ndarray:
        raise RuntimeError("it cannot be drawn")

    def close(self) -> None:
        Raising.opened -= 1


def test_an_environment_that_raises_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gymnasium.registry, "Raising-v0", EnvSpec("Raising-v0", f"{__name__}:Raising"))
    agent = str(untrained(tmp_path, "Raising-v0"))
    Raising.opened = 0
    for command in (["play", agent, "--headless"], ["record", agent, "--out", str(tmp_path / "film.gif")]):
        with pytest.raises(Failure, match="it cannot be"):
            cli.main(command)
        assert Raising.opened == 0, command


class Dark(gymnasium.Env[np.ndarray, np.ndarray]):
    """An environment that knows of no pictures."""

    def __init__(self) -> None:
        self.observation_space = self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (2,))


def test_who_takes_no_render_mode_gives_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gymnasium.registry, "Dark-v0", EnvSpec("Dark-v0", f"{__name__}:Dark"))
    agent = untrained(tmp_path, "Dark-v0")
    with pytest.raises(UsageError, match="Dark-v0 gives no pictures: it takes no render_mode"):
        cli.main(["record", str(agent), "--out", str(tmp_path / "dark.gif")])


def test_a_folder_that_cannot_be_looked_into_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", refused)  # as who runs tests may be allowed everything
    with pytest.raises(UsageError, match="no file can be written there"):
        checked_out(str(tmp_path / "closed" / "hop.mp4"))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there always is a display")
def test_a_screen_that_is_gone_does_not_matter(trainer: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setenv("DISPLAY", ":987")
    recorded(trainer, HOPPER, "--out", "hop.gif", "--seconds", 0.1, *SMALL)
    assert len(shown(tmp_path / "hop.gif")) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there always is a display")
def test_without_anything_to_draw_with_it_is_said_what_to_install(
    trainer: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("__EGL_VENDOR_LIBRARY_DIRS", str(tmp_path))  # there is none
    finished = trainer(1, "record", HOPPER, "--out", "hop.gif", "--seconds", 0.1)
    if finished.returncode == 0:
        pytest.skip("OSMesa is installed here, and has drawn it")
    assert finished.returncode == 2
    assert "apt install libegl1 libegl-mesa0 libgl1-mesa-dri libopengl0, or libosmesa6" in finished.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["mp4", "gif", "webp"])
def test_a_film_that_is_broken_off_leaves_the_old_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"film.{kind}"
    path.write_text("the old one")
    with pytest.raises(KeyError), film(path, 20.0) as add:
        for i in range(100):
            add(np.full((32, 32, 3), i, np.uint8))
        raise KeyError
    assert path.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["mp4", "gif", "webp"])
def test_a_film_that_cannot_be_written_is_told(kind: str, tmp_path: Path) -> None:
    with pytest.raises(WriteError, match=r"film.* not written"), film(tmp_path / "gone" / f"film.{kind}", 20.0) as add:
        add(np.zeros((32, 32, 3), np.uint8))


@pytest.mark.parametrize("kind", ["mp4", "gif", "webp"])
def test_what_breaks_beside_a_film_is_not_blamed_on_its_file(kind: str, tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), film(tmp_path / f"film.{kind}", 20.0) as add:
        add(np.zeros((32, 32, 3), np.uint8))
        raise BrokenPipeError(32, "Broken pipe")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rate", [61 / 3, 67 / 3, 30.0])
def test_a_gif_keeps_to_real_time_though_it_counts_in_hundredths(rate: float, tmp_path: Path) -> None:
    path = tmp_path / "film.gif"
    with film(path, rate) as add:
        for i in range(60):
            add(np.roll(np.eye(64, dtype=np.uint8)[..., None].repeat(3, axis=2) * 255, i, axis=1))
    durations = [duration for _, duration in shown(path)]
    assert all(duration % 10 == 0 for duration in durations)
    np.testing.assert_allclose(np.cumsum(durations), 1000 / rate * np.arange(1, 61), atol=5.1)


def test_pictures_are_taken_about_as_often_as_wanted() -> None:
    assert pace(61.0, ".gif", None) == (3, 61 / 3)
    assert pace(61.0, ".mp4", None) == (2, 30.5)
    assert pace(20.0, ".mp4", None) == (1, 20.0)  # as often as there is something new
    assert pace(50.0, ".mp4", 10.0) == (5, 10.0)


def test_pictures_keep_their_shape_when_they_are_fitted() -> None:
    assert fitted(np.zeros((400, 600, 3), np.uint8), 480, 352).shape == (320, 480, 3)
    assert fitted(np.zeros((210, 160, 3), np.uint8), 640, 480).shape == (480, 368, 3)
    assert fitted(np.zeros((480, 640, 3), np.uint8), 640, 480).shape == (480, 640, 3)
