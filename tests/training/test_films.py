"""Films on the way: they show the policy as it is, the training does not notice them, and nothing fails with them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo import configure, load, train
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.files.run_folder import RunFolder
from baselines_ppo.common.job.alive import Alive
from baselines_ppo.common.seeding import Purpose, episode_seed
from baselines_ppo.common.trackers.tensorboard import TensorBoard
from tests.conftest import ROOT, Finished
from tests.job.test_alive import until
from tests.runs import arrays, assert_same_bits, figures, flags
from tests.training.windy import Windy

Run = Callable[..., Finished]
WINDY = "tests.training.windy:Windy-v0"


def pictures(path: Path) -> tuple[list[np.ndarray], float]:
    """Return the pictures of a gif, [height, width, 3], and how long it is, in seconds."""
    from PIL import Image

    with Image.open(path) as film:
        shown, seconds = [], 0.0
        for k in range(film.n_frames):
            film.seek(k)
            shown.append(np.asarray(film.convert("RGB")))
            seconds += film.info["duration"] / 1000
    return shown, seconds


def test_a_film_shows_an_episode_of_the_policy_and_the_training_does_not_notice_it(faulty: Run, tmp_path: Path) -> None:
    """On two ranks, of which one waits; Windy is as grey as it is far from the middle."""
    line = flags(WINDY, "ppo2", 3)
    finished = faulty(2, "stub+none", *line, "--film-interval", 2, "--logdir", "filmed")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert faulty(2, "stub+none", *line, "--logdir", "plain").returncode == 0
    assert_same_bits(arrays(tmp_path / "plain"), arrays(tmp_path / "filmed"))
    assert figures(tmp_path / "plain") == figures(tmp_path / "filmed")
    films = sorted((tmp_path / "filmed" / "films").iterdir())
    assert [film.name for film in films] == ["00000002.gif", "00000003.gif"]  # the last is the end
    agent, environment = load(tmp_path / "filmed"), Windy("rgb_array")
    observation, _ = environment.reset(seed=episode_seed(0, 0, 0, Purpose.EVALUATION))
    expected, ended = [environment.render().mean()], False
    while not ended:
        observation, _, _, ended, _ = environment.step(agent.act(observation))
        expected.append(environment.render().mean())
    shown, seconds = pictures(films[1])
    assert seconds == pytest.approx(len(expected) / 10)  # ten a second, each as long as it stays
    assert np.allclose([shown[0].mean(), shown[-1].mean()], [expected[0], expected[-1]], atol=3)


def test_where_nothing_can_be_shown_there_is_one_warning(stubbed: Run, tmp_path: Path) -> None:
    line = flags("tests.environments:Forever-v0", "ppo2", 3)
    finished = stubbed(1, *line, "--film-interval", 1, "--logdir", "run")
    assert finished.returncode == 0
    (said,) = finished.stderr.splitlines()
    assert said.startswith("warning: no film of iteration 1, and no more are tried: environment tests.environments:For")
    assert said.endswith("; training goes on")
    assert not list((tmp_path / "run" / "films").iterdir())


def test_what_a_function_makes_is_not_filmed(tmp_path: Path) -> None:
    config = configure(WINDY, preset="none", num_envs=1, film_interval=1)
    with pytest.raises(UsageError, match="give configure its module:Id"):
        train(config, logdir=tmp_path / "run", environment=Windy)


def test_a_film_in_the_making_ends_with_a_training_that_is_killed(tmp_path: Path) -> None:
    """Its environment never ends to draw, so that it would be there for ever."""
    drawn = tmp_path / "pid"
    line = flags("tests.training.windy:Unseen-v0", "ppo2", 3)
    training = subprocess.Popen(
        [sys.executable, ROOT / "tests" / "faults.py", "stub+none", *map(str, line), "--film-interval", "1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "WINDY_PID": str(drawn)},
        stdout=subprocess.DEVNULL,
    )
    try:
        until(lambda: drawn.exists() and drawn.read_text(), 60)
        film = Path("/proc", drawn.read_text())
        assert film.exists()
    finally:
        training.kill()
        training.wait()
    until(lambda: not film.exists(), 20)


def test_tensorboard_shows_a_film_among_its_images(tmp_path: Path) -> None:
    import tensorflow as tf
    from PIL import Image

    folder = RunFolder(tmp_path / "run")
    folder.create()
    folder.write_config({})
    logger = TensorBoard()
    logger.begin(folder.path, {"env": "CartPole-v1"})
    frames = [Image.fromarray(np.full((8, 12, 3), 40 * k, np.uint8)) for k in range(3)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    logger.film(tmp_path / "film.gif", 64)
    logger.close()
    folder.close()
    (events,) = folder.path.glob("events*")
    values = [
        (event.step, value)
        for record in tf.data.TFRecordDataset(str(events))
        for event in [tf.compat.v1.Event.FromString(record.numpy())]
        for value in event.summary.value
        if value.tag == "film"
    ]
    ((step, value),) = values
    width, height, film = value.tensor.string_val
    assert (step, width, height, value.metadata.plugin_data.plugin_name) == (64, b"12", b"8", "images")
    assert film == (tmp_path / "film.gif").read_bytes()


@pytest.mark.usefixtures("stub")
def test_a_film_in_the_making_is_a_sign_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[str] = []
    monkeypatch.setattr(Alive, "note", lambda self, doing, saving=False, brief=False: noted.append(doing))
    shape: dict[str, Any] = {"num_envs": 1, "num_steps": 8, "num_minibatches": 1, "num_timesteps": 8}
    monkeypatch.setattr("baselines_ppo.monitoring.films.LONGEST", -1.0)  # no time at all
    train(configure(WINDY, preset="none", film_interval=1, **shape), logdir=tmp_path / "run")
    assert any(re.fullmatch(r"filming, \d+ s", doing) for doing in noted)
