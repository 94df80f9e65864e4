"""Trackers: what they keep is what progress.csv says, a resumed run goes on in them, and none stops a training."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from baselines_ppo.common.envs.facts import MEANS
from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.files.columns import group_of
from baselines_ppo.common.trackers import choice
from baselines_ppo.common.trackers.background import Background
from baselines_ppo.common.trackers.choice import Trackers, check_installed
from baselines_ppo.common.trackers.identity import kept
from baselines_ppo.run.cli import main
from tests.conftest import ROOT, command
from tests.runs import flags

RETURN = "rollout/episode_return"
CONFIG = {"env": "CartPole-v1", "seed": 0, "name": ""}


def test_what_environments_say_of_an_episode_stands_with_its_return() -> None:
    assert {group_of(name) for name in ("episode_return", "episode_length", *MEANS.values())} == {"rollout"}


class Broken:
    """A tracker whose methods raise, wait for ever, or are counted."""

    def __init__(self, fails: str = "", waits: threading.Event | None = None) -> None:
        self.fails, self.waits, self.calls = fails, waits, list[str]()

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.waits is not None:
            self.waits.wait()
        if name == self.fails:
            raise ConnectionError("the network is gone")

    def begin(self, folder: Path, config: Mapping[str, Any]) -> None:
        self._called("begin")

    def row(self, row: Mapping[str, float], step: int) -> None:
        self._called("row")

    def film(self, path: Path, step: int) -> None:
        self._called("film")

    def close(self) -> None:
        self._called("close")


def rows(run: Path) -> dict[int, float]:
    """Return the returns in progress.csv by steps."""
    with (run / "progress.csv").open() as file:
        return {int(row["total_steps"]): float(row["episode_return"]) for row in csv.DictReader(file)}


def test_what_tensorboard_keeps_is_what_progress_csv_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "INTERVAL", 0.0)
    run = tmp_path / "run"
    line = [*map(str, flags("CartPole-v1", "ppo2", 3)), "--track", "tensorboard", "--quiet", "--logdir", str(run)]
    assert main(line) == 0
    events = EventAccumulator(str(run))
    events.Reload()
    seen = {event.step: float(tensor_util.make_ndarray(event.tensor_proto)) for event in events.Tensors(RETURN)}
    assert seen == pytest.approx(rows(run))
    assert len(seen) == 3
    text = tensor_util.make_ndarray(events.Tensors("config")[0].tensor_proto)[()].decode()
    assert '"num_timesteps": 576' in text
    assert json.loads((run / "config.json").read_text())["track"] == ["tensorboard"]


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_wandb_and_mlflow_keep_one_run_also_when_it_is_resumed(ranks: int, tmp_path: Path) -> None:
    """Real ones: wandb offline, MLflow with a database here."""
    mlflow = pytest.importorskip("mlflow")
    store = f"sqlite:///{tmp_path / 'mlflow.db'}"
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "WANDB_MODE": "offline", "MLFLOW_TRACKING_URI": store}
    shape = (*flags("CartPole-v1", "ppo2", 2), "--track", "wandb,mlflow", "--name", "both")
    for more in (("--logdir", "run"), ("--resume", "run", "--num-timesteps", 4 * 192)):
        words = command(ranks, "-m", "baselines_ppo.run", *map(str, (*shape, *more)))
        said = subprocess.run(words, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=200)
        assert said.returncode == 0, said.stderr
        assert "mlflow: run " in said.stdout
        assert "wandb: offline; send it with wandb sync " in said.stdout
    run = tmp_path / "run"
    offline = sorted(path.name for path in (run / "wandb").glob("offline-run-*"))
    assert len(offline) == 2
    assert {name.rpartition("-")[2] for name in offline} == {kept(run, "wandb")}
    client = mlflow.MlflowClient(store)
    (experiment,) = [found for found in client.search_experiments() if found.name == "baselines_ppo"]
    (tracked,) = client.search_runs([experiment.experiment_id])
    info = tracked.info
    assert (info.run_id, info.run_name, info.status) == (kept(run, "mlflow"), "both-0", "FINISHED")
    assert tracked.data.params["num_envs"] == "6"
    history = {metric.step: metric.value for metric in client.get_metric_history(tracked.info.run_id, RETURN)}
    known = rows(run)
    assert history == pytest.approx({step: known[step] for step in history})
    assert max(history) == max(known) == 4 * 192


@pytest.mark.parametrize("fails", ["begin", "row", "close"])
@pytest.mark.parametrize("behind", [False, True])
def test_a_tracker_that_fails_is_warned_of_once_and_left_out(
    fails: str, behind: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(choice, "INTERVAL", 0.0)
    broken, sound = Broken(fails), Broken()
    several = Trackers({"broken": Background("broken", broken) if behind else broken, "sound": sound})
    several.begin(tmp_path, CONFIG)
    for step in (1, 2):
        several.row({"episode_return": 1.0}, step, last=False)
    several.close()
    assert sound.calls == ["begin", "row", "row", "close"]
    assert broken.calls == sound.calls[: sound.calls.index(fails) + 1]
    warned = capsys.readouterr().err
    assert warned == "warning: broken: the network is gone; the training goes on without it\n"


def test_a_tracker_that_hangs_holds_up_neither_the_training_nor_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lets_go = threading.Event()
    hanging = Background("hanging", Broken(waits=lets_go), last_wait=0.2)
    hanging.begin(tmp_path, CONFIG)
    for step in range(3000):  # more than can wait
        hanging.row({"episode_return": 1.0}, step)
    hanging.close()  # which comes back, though nothing else does
    assert "warning: hanging: it did not end within 0 s; what it lacks is in progress.csv" in capsys.readouterr().err
    lets_go.set()


@pytest.mark.parametrize(("name", "module"), [("wandb", "wandb"), ("mlflow", "mlflow-skinny")])
def test_a_tracker_that_is_not_installed_is_said_before_the_training(
    name: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT), *(path for path in sys.path if "site-packages" not in path)])
    for loaded in [known for known in sys.modules if known.split(".")[0] == name]:
        monkeypatch.delitem(sys.modules, loaded)
    with pytest.raises(UsageError, match=f"--track {name} needs a package: pip install '{module}>="):
        check_installed((name,))


def test_an_id_that_a_stranger_has_written_is_not_taken(tmp_path: Path) -> None:
    for text in ('{"wandb": "../../elsewhere"}', '{"wandb": 5}', "[]", "{", '{"wandb": "a", "wandb": "b"}'):
        (tmp_path / "trackers.json").write_text(text)
        assert kept(tmp_path, "wandb") is None
    (tmp_path / "trackers.json").write_text('{"wandb": "fe2d6ebc"}')
    assert kept(tmp_path, "wandb") == "fe2d6ebc"
