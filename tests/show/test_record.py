"""Films and replays: as long as they say, moving, with what they are of in the picture; and what is refused.

Whatever draws runs in a process of its own: Mesa's software renderer crashes where TensorFlow is loaded.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import imageio.v3 as iio
import numpy as np
import pytest

from baselines_ppo.common.failures import UsageError
from baselines_ppo.run import cli
from tests.browser import open_browser, open_page, require_playwright
from tests.conftest import ROOT, Finished, run_here
from tests.untrained import untrained

Run = Callable[..., Finished]

HOPPER, REACHER = "zoo:RoboHopper-v1", "zoo:RoboReacher-v1"  # an episode of a thousand steps, and of 150
SMALL = ("--width", 160, "--height", 128)
KINDS = ("mp4", "gif", "webp")
STEPS_PER_SECOND = {"CartPole-v1": 50, "LunarLander-v3": 50, "HalfCheetah-v4": 20}
FILMS: dict[str, tuple[str, tuple[object, ...]]] = {
    **dict.fromkeys(KINDS, (HOPPER, ("--seconds", 1, "--fps", 20, *SMALL))),
    **{name: (name, ("--seconds", 0.5, "--fps", fps, *SMALL)) for name, fps in STEPS_PER_SECOND.items()},
    "for a page": (HOPPER, ("--seconds", 2)),
}


def recorded(trainer: Run, *arguments: object) -> list[str]:
    """Return what a recording prints, line by line, but how far it is where that takes long."""
    finished = trainer(1, "record", *arguments)
    assert finished.returncode == 0, finished.stderr
    return [line for line in finished.stdout.splitlines() if not line.endswith(" so far")]


def drawn(script: str) -> list[str]:
    """Return what a script prints that draws pictures."""
    finished = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()


def pictures(path: Path) -> np.ndarray:
    """Return the pictures of a film, [n, height, width, 3]."""
    frames = iio.imread(path) if path.suffix == ".mp4" else np.stack([frame for frame, _ in shown(path)])
    return frames.astype(np.int64)


def shown(path: Path) -> list[tuple[np.ndarray, int]]:
    """Return the pictures of a gif or webp, and how long each is shown, in ms."""
    from PIL import Image, ImageSequence

    with Image.open(path) as image:
        return [(np.asarray(frame.convert("RGB")), frame.info["duration"]) for frame in ImageSequence.Iterator(image)]


def changes(frames: np.ndarray) -> np.ndarray:
    """Return how much each picture differs from the one before, [n - 1], in levels of brightness."""
    return np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, list[str]]]:
    """Return a film of FILMS, and what its recording printed; all are made in one process, one after the other."""
    folder, series = tmp_path_factory.mktemp("films"), list[str]()
    for name, (agent, flags) in FILMS.items():
        (folder / name).mkdir()
        of = agent if agent.startswith("zoo:") else untrained(folder, agent)
        series += ["+", "record", *map(str, (of, "--out", folder / name / f"film.{kind_of(name)}", *flags))]
    finished = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "series.py"), *series[1:]],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert finished.returncode == 0, finished.stderr
    lines = [line for line in finished.stdout.splitlines() if not line.endswith(" so far")]
    begins = [k for k, line in enumerate(lines) if line.startswith("episode 0: ")]
    said = [lines[i:k] for i, k in zip(begins, [*begins[1:], len(lines)], strict=True)]
    printed = dict(zip(FILMS, said, strict=True))
    return lambda name: (folder / name / f"film.{kind_of(name)}", printed[name])


def kind_of(name: str) -> str:
    return name if name in KINDS else "gif"


@pytest.mark.parametrize("kind", KINDS)
def test_a_film_lasts_as_long_as_the_simulation_and_shows_it_move(
    kind: str, filmed: Callable[[str], tuple[Path, list[str]]]
) -> None:
    path, lines = filmed(kind)
    assert re.fullmatch(r"episode 0: return [\d.]+, length 60, cut by --seconds", lines[0])
    assert "1.0 s, 21 pictures" in lines[-1]  # of every third of 61 steps in a second
    frames = pictures(path)
    assert frames.shape == (21, 128, 160, 3)
    assert changes(frames).min() > 0.3
    seconds = iio.immeta(path)["duration"] if kind == "mp4" else sum(duration for _, duration in shown(path)) / 1000
    assert seconds == pytest.approx(21 / 20.33, abs=0.05)
    assert list(path.parent.iterdir()) == [path]


def test_a_film_tells_the_return_that_evaluate_tells(trainer: Run, tmp_path: Path) -> None:
    lines = recorded(trainer, REACHER, "--out", tmp_path / "reach.mp4", "--fps", 1, "--episodes", 2, *SMALL)
    returns = [float(re.findall(r"return (-?[\d.]+), length 150", line)[0]) for line in lines[:2]]
    evaluated = run_here(tmp_path, "evaluate", REACHER, "--episodes", 2).stdout.splitlines()[2].split()
    assert [min(returns), max(returns)] == [float(x) for x in evaluated[3:5]]
    assert returns[0] != returns[1]
    assert len(pictures(tmp_path / "reach.mp4")) == 2 * 3


@pytest.mark.parametrize(
    ("env_id", "pictures_of_all", "size"),
    [("CartPole-v1", 25, (112, 160)), ("LunarLander-v3", 25, (112, 160)), ("HalfCheetah-v4", 10, (128, 160))],
)
def test_gymnasiums_environments_show_themselves(
    env_id: str, pictures_of_all: int, size: tuple[int, int], filmed: Callable[[str], tuple[Path, list[str]]]
) -> None:
    path, lines = filmed(env_id)
    assert f"{pictures_of_all} pictures" in lines[-1] or not lines[0].endswith("cut by --seconds")
    frames = pictures(path)
    assert frames.shape[1:3] == size
    assert changes(frames).max() > 0.05


def test_a_gif_is_small_enough_for_a_web_page(filmed: Callable[[str], tuple[Path, list[str]]]) -> None:
    path, _ = filmed("for a page")
    assert pictures(path).shape[1:3] == (352, 480)
    assert path.stat().st_size < 2 / 8 * 3e6  # 3 MB for 8 s


def test_a_replay_opens_from_disk_and_plays_without_any_network(trainer_here: Run, tmp_path: Path) -> None:
    playwright = require_playwright()
    path = tmp_path / "hop.html"
    recorded(trainer_here, HOPPER, "--out", path, "--seconds", 3)  # in which the page draws, and not this process
    assert path.stat().st_size < 3e6
    asked: list[str] = []
    with playwright.sync_playwright() as play:
        browser = open_browser(play)
        page = open_page(browser, viewport={"width": 400, "height": 300})
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("canvas")
        scenes = [picture_after(page, 1000)]
        while len(scenes) < 40 and not moved(scenes):
            scenes.append(picture_after(page, 500))
        browser.close()
    assert moved(scenes)
    assert all(url.startswith((path.as_uri(), "blob:", "data:")) for url in asked), asked


def picture_after(page: object, milliseconds: int) -> np.ndarray:
    """Return what is in the middle of a page after a while."""
    page.wait_for_timeout(milliseconds)  # type: ignore[attr-defined]
    clip = {"x": 100, "y": 30, "width": 250, "height": 200}
    return iio.imread(page.screenshot(clip=clip))[..., :3].astype(np.int64)  # type: ignore[attr-defined]


def moved(scenes: list[np.ndarray]) -> bool:
    """Return whether the last two pictures of a page show a scene, each another one."""
    last = scenes[-2:]
    seen = all(scene.std() > 10 for scene in last)
    return len(last) == 2 and seen and bool((changes(np.stack(last)) > 1.0).all())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "hop.mpeg"), r"did you mean .mp4.?.*a name that ends with .mp4, .gif, .webp, .html"),
        (("--out", "nowhere/hop.mp4"), "no file can be written there"),
        (("--out", "hop.mp4", "--width", "8"), "--width is 8, expected 16 to 1920"),
        (("--out", "hop.mp4", "--height", "9999"), "--height is 9999, expected 16 to 1088"),
        (("--out", "~nosuchuser/hop.mp4"), "--out is ~nosuchuser/hop.mp4, and no file can be written there"),
        (("--out", f"{'x' * 300}/hop.mp4"), "no file can be written there"),
        (("--out", "hop.mp4", "--fps", "0"), "--fps is 0, expected 1 to 1000"),
        (("--out", "hop.gif", "--fps", "60"), "--fps is 60, expected 1 to 50, or another kind of file than a .gif"),
        (("--out", "hop.webp", "--fps", "2000"), "--fps is 2000, expected 1 to 50$"),
        (("--out", "hop.mp4", "--fps", "1e-320"), "--fps is 9.99989e-321, expected 1 to 1000"),
        (("--out", "hop.mp4", "--seconds", "nan"), "--seconds is nan, expected more than 0"),
        (("--out", "hop.mp4", "--seconds", "1e308"), r"--seconds is 1e\+308, expected .* at most 1,000,000"),
        (("--out", "hop.gif", "--seconds", "100"), "--seconds is 100, and such a file holds 48.5 s of these pictures"),
        (("--out", "hop.mp4", "--episodes", "0"), "--episodes is 0, expected at least 1"),
        ((), "the following arguments are required: --out"),
    ],
)
def test_wrong_flags_are_told(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        cli.main(["record", HOPPER, *arguments])
    assert not list(tmp_path.iterdir())


def test_what_mujoco_does_not_simulate_is_a_film_inside_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)  # which is not needed
    agent, path = untrained(tmp_path, "CartPole-v1"), tmp_path / "cart & pole.html"
    cli.main(["record", str(agent), "--out", str(path), "--seed", "1", *map(str, SMALL)])
    page = path.read_text()
    assert "<title>cart &amp; pole</title>" in page
    (tmp_path / "inside.mp4").write_bytes(base64.b64decode(re.findall(r"base64,([^\"]+)", page)[0]))
    frames = pictures(tmp_path / "inside.mp4")
    assert f" {len(frames)} pictures" in capsys.readouterr().out
    assert frames.shape[1:] == (112, 160, 3)
    assert changes(frames).max() > 0.05
    assert not re.search(r"(src|href)=.(?!data:)", page)


def test_flags_are_counted_as_without_a_film(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runner = "zoo:RoboHumanoidFlagrun-v1"
    cli.main(["play", runner, "--headless", "--seed", "3"])
    played = capsys.readouterr().out.splitlines()
    cli.main(["record", runner, "--seed", "3", "--out", str(tmp_path / "run.html"), "--fps", "1"])
    recorded = capsys.readouterr().out.splitlines()
    assert re.search(r", 3 flags reached$", played[0])
    assert recorded[0] == played[0]


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    agent = untrained(tmp_path, "CartPole-v1")
    with pytest.raises(UsageError, match=r"needs a package: pip install 'gymnasium\[classic-control\]>=1\.1'"):
        cli.main(["record", str(agent), "--out", str(tmp_path / "cart.gif")])


class Wandering(gymnasium.Env[Any, Any]):
    """Goes to a folder of its own when it is made, as some do to find their files."""

    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (2,))
    action_space = gymnasium.spaces.Discrete(2)
    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, folder: str = ".", render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        os.chdir(folder)

    def reset(self, *, seed: int | None = None, options: object = None) -> tuple[np.ndarray, dict[str, object]]:
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, object]]:
        return np.zeros(2, np.float32), 0.0, False, False, {}

    def render(self) -> np.ndarray:
        return np.zeros((64, 64, 3), np.uint8)


gymnasium.register("Wandering-v0", f"{__name__}:Wandering", max_episode_steps=5)


@pytest.mark.parametrize("kind", ["gif", "html"])
def test_a_film_is_where_the_user_is_and_not_where_an_environment_goes(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    agent = untrained(tmp_path, "Wandering-v0")
    monkeypatch.chdir(here)
    named = ("--env", f"{__name__}:Wandering-v0", "--env-kwargs", f'{{"folder": "{elsewhere}"}}')
    assert cli.main(["record", str(agent), *named, "--out", f"film.{kind}", "--episodes", "1"]) == 0
    assert [path.name for path in here.iterdir()] == [f"film.{kind}"]
    assert not any(elsewhere.iterdir())
