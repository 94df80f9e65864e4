"""Pictures of strangers' environments: whatever usual kind they are of, a film shows them as they are meant."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageSequence

from baselines_ppo.common.failures import UsageError
from baselines_ppo.run import cli
from baselines_ppo.run.show.frame import Levels, coloured, framed, shaped
from tests.conftest import ROOT, Finished
from tests.untrained import untrained

Run = Callable[..., Finished]


def frame(drawn: Any) -> np.ndarray:
    """Return a picture that is judged alone."""
    picture, levels = shaped(drawn), Levels()
    levels.look(picture)
    return coloured(picture, levels)


COLOURS = arrays(np.uint8, st.tuples(st.integers(5, 9), st.integers(5, 9), st.just(3)))


@given(COLOURS)
def test_one_picture_however_it_is_written(picture: np.ndarray) -> None:
    opaque = np.concatenate([picture, np.full((*picture.shape[:2], 1), 255, np.uint8)], axis=-1)
    written: list[Any] = [
        picture,
        picture.tolist(),
        picture.astype(np.int64),
        picture.astype(np.uint16),
        picture[None],
        [np.zeros_like(picture), picture],
        (picture[:2, :2], picture),
        np.stack([picture, np.zeros_like(picture), picture]),
        picture.transpose(2, 0, 1),
        opaque,
        opaque.transpose(2, 0, 1),
        Image.fromarray(picture),
        (picture / 255.0).astype(np.float32),
    ]
    if picture.max() > 1:
        written.append(picture.astype(np.float32))
    for one in written:
        np.testing.assert_array_equal(frame(one), picture)


@given(arrays(np.uint8, st.tuples(st.integers(5, 9), st.integers(5, 9))))
def test_one_grey_picture_however_it_is_written(grey: np.ndarray) -> None:
    for one in (grey, grey[..., None], grey[None], grey / 255, grey.astype(int)):
        shown = frame(one)
        assert shown.dtype == np.uint8
        np.testing.assert_array_equal(shown, np.stack([grey] * 3, axis=-1))


@pytest.mark.parametrize(
    ("value", "level"),
    [(0.8, 204), (1.02, 255), (-0.1, 0), (np.nan, 0), (254.6, 255), (300.0, 255), (np.inf, 255), (True, 255), (-3, 0)],
)
def test_what_a_value_means(value: object, level: int) -> None:
    assert np.unique(frame(np.full((6, 6, 3), value))).tolist() == [level]


@pytest.mark.parametrize(("opacity", "level"), [(0, 255), (255, 100), (51, 224)])  # 0.2 * 100 + 0.8 * 255
def test_what_is_not_opaque_lets_white_through(opacity: int, level: int) -> None:
    picture = np.full((6, 6, 4), 100, np.uint8)
    picture[..., 3] = opacity
    assert np.unique(frame(picture)).tolist() == [level]
    assert np.unique(frame(picture / 255)).tolist() == [level]


@pytest.mark.parametrize(
    "nothing",
    [None, "a drawing in letters", {"front": np.zeros((4, 4, 3))}, [], np.zeros(7), np.zeros((0, 4, 3)), object(),
     np.zeros((8, 8, 2)), np.zeros((5, 6, 7)), np.full((4, 4, 3), None), [[1, 2], [3]], np.zeros((8, 8, 3), complex)],
)  # fmt: skip
def test_what_is_no_picture_is_refused(nothing: object) -> None:
    with pytest.raises(ValueError, match=r"None|^an? "):
        frame(nothing)


def test_a_picture_of_another_size_is_framed_whole() -> None:
    shown = framed(np.full((20, 10, 3), 200, np.uint8), 64, 32)
    assert shown.shape == (32, 64, 3)
    assert (shown[:, 24:40] == 200).all()
    assert (shown[:, :24] == 0).all()
    assert (shown[:, 40:] == 0).all()


class Painter(gymnasium.Env[np.ndarray, np.ndarray]):
    """Shows what it is told to show in each step."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": "ten"}  # noqa: RUF012  # as Gymnasium has it

    def __init__(self, paint: Callable[[int], Any], render_mode: str | None = None) -> None:
        self.observation_space = self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))
        self.render_mode, self._paint, self._steps = render_mode, paint, 0

    def reset(self, *, seed: int | None = None, options: object = None) -> tuple[np.ndarray, dict[str, object]]:
        self._steps = 0
        return np.zeros(1, np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, object]]:
        self._steps += 1
        return np.zeros(1, np.float32), 0.0, self._steps >= 4, False, {}

    def render(self) -> Any:
        return self._paint(self._steps)


def filmed(paint: Callable[[int], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Return the pictures of a film, [5, height, width, 3]."""
    spec = EnvSpec("Painter-v0", f"{__name__}:Painter", kwargs={"paint": paint})
    monkeypatch.setitem(gymnasium.registry, spec.id, spec)
    out = tmp_path / "film.webp"
    cli.main(["record", str(untrained(tmp_path, spec.id)), "--out", str(out), "--fps", "50", "--width", "64"])
    with Image.open(out) as film:
        return np.stack([np.asarray(one.convert("RGB"), np.int64) for one in ImageSequence.Iterator(film)])


def test_a_film_of_fractions_is_as_bright_as_they_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = filmed(lambda step: np.full((3, 32, 32), 0.2 * (step + 1)), tmp_path, monkeypatch)
    np.testing.assert_allclose(film.mean(axis=(1, 2, 3)), [51, 102, 153, 204, 255], atol=2)


def test_pictures_that_change_their_size_are_framed_in_the_first_and_it_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    film = filmed(lambda step: np.full((32, 32 + 16 * step, 3), 200, np.uint8), tmp_path, monkeypatch)
    assert film.shape == (5, 64, 64, 3)
    bright = (film.mean(axis=(2, 3)) > 150).sum(axis=1)
    np.testing.assert_allclose(bright, [64, 64 * 2 / 3, 32, 64 * 2 / 5, 64 / 3], atol=2)
    said = capsys.readouterr().err
    assert said.count("the pictures of Painter-v0 change their size, first 32 x 32, now 48 x 32") == 1
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("paint", "reason"),
    [
        (lambda step: None, r"Painter-v0 gives no pictures: its render\(\) returned None; with render_mode"),
        (lambda step: "+--+", r"Painter-v0 gives no pictures: its render\(\) returned a str; with"),
        (lambda step: {}[step], r"Painter-v0 cannot be shown: its render\(\) raised KeyError in test_frame.py, line"),
    ],
)
def test_what_shows_nothing_is_told_in_one_line(
    paint: Callable[[int], Any], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=reason) as told:
        filmed(paint, tmp_path, monkeypatch)
    assert len(str(told.value).splitlines()) == 1
    assert not (tmp_path / "film.webp").exists()


PENDULUM = '''
import gymnasium, mujoco, numpy as np
from types import SimpleNamespace
XML = """<mujoco><option timestep="0.02"/><worldbody><light pos="0 0 3"/><body pos="0 0 1"><joint axis="0 1 0"/>
<geom type="capsule" size=".1" fromto="0 0 0 .5 0 0" rgba="1 0 0 1"/></body></worldbody></mujoco>"""
class Pendulum(gymnasium.Env):
    """Holds MuJoCo as others than Gymnasium do, and draws with MuJoCo's own renderer."""
    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}
    observation_space = action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    def __init__(self, wrapped, render_mode=None):
        self.render_mode = render_mode
        self.inside = mujoco.MjModel.from_xml_string(XML)
        self.moves = mujoco.MjData(self.inside)
        self.renderer = mujoco.Renderer(self.inside, 96, 128) if render_mode else None
        if wrapped:
            self.physics = SimpleNamespace(model=SimpleNamespace(ptr=self.inside), data=SimpleNamespace(ptr=self.moves))
        else:
            self.model, self.data = self.inside, self.moves
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        mujoco.mj_resetData(self.inside, self.moves)
        mujoco.mj_forward(self.inside, self.moves)
        return self.moves.qpos.astype(np.float32), {}
    def step(self, action):
        mujoco.mj_step(self.inside, self.moves)
        return self.moves.qpos.astype(np.float32), 0.0, False, False, {}
    def render(self):
        self.renderer.update_scene(self.moves)
        return self.renderer.render()
for name, wrapped in (("Bare", False), ("Wrapped", True)):
    gymnasium.register(f"{name}-v0", "strangers_pendulum:Pendulum", max_episode_steps=30, kwargs={"wrapped": wrapped})
'''


@pytest.mark.parametrize("name", ["Wrapped-v0", pytest.param("Bare-v0", marks=pytest.mark.slow)])
def test_mujoco_is_drawn_without_a_display_whoever_has_wrapped_it(
    name: str, trainer: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "strangers_pendulum.py").write_text(PENDULUM)
    monkeypatch.syspath_prepend(tmp_path)
    env_id = f"strangers_pendulum:{name}"
    agent = untrained(tmp_path, env_id)
    finished = trainer(1, "record", agent, "--env", env_id, "--out", "film.webp", "--seconds", 0.5)
    assert finished.returncode == 0, finished.stderr
    with Image.open(tmp_path / "film.webp") as film:
        frames = np.stack([np.asarray(one.convert("RGB"), np.int64) for one in ImageSequence.Iterator(film)])
    red = (frames[..., 0] > 120) & (frames[..., 1] < 60)
    assert red.sum(axis=(1, 2)).min() > 100
    lowest = [np.flatnonzero(one.any(axis=1)).max() for one in red]
    assert lowest[-1] > lowest[0] + 20  # it has swung down
    pytest.importorskip("viser")
    finished = trainer(1, "record", agent, "--env", env_id, "--out", "film.html", "--seconds", 0.5)
    assert finished.returncode == 0, finished.stderr


OLDER = """
import sys
sys.modules["mujoco.batch"] = None  # as where MuJoCo is older
import baselines_ppo.run.bench.job, baselines_ppo.run.agents.serving
from baselines_ppo.common.failures import UsageError
from baselines_ppo.run import cli
cli.main(["record", "HalfCheetah-v4", "--out", "cheetah.gif", "--seconds", "0.1"])
cli.main(["play", "CartPole-v1", "--headless"])
for words in (["record", "--out", "hop.gif"], ["play", "--headless"], ["evaluate"], ["race"], ["steer"]):
    try:
        cli.main([words[0], "RoboHopper-v1", *words[1:]])
    except UsageError as error:
        print(error)
"""


def test_an_older_mujoco_is_in_the_way_of_the_zoos_environments_alone(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", OLDER], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    _, written, played, *refused = finished.stdout.splitlines()
    assert "2 pictures" in written
    assert "return 500.00" in played
    assert len(refused) == 5
    assert all(line.startswith("the zoo's environments need MuJoCo 3.17 or newer, and this is ") for line in refused)
