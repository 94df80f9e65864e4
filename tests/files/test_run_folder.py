"""The run folder: what a stranger may have put into it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo.common.failures import Failure
from baselines_ppo.common.files import checkpoint
from baselines_ppo.common.files.run_folder import RunFolder
from baselines_ppo.common.files.whole import open_text
from baselines_ppo.common.job.alive import Alive, Watch
from baselines_ppo.common.job.board import create_board
from baselines_ppo.run.cli import main

NAMES = (".config-PID.json", ".progress-PID.csv", "lock", "progress.csv", "ranks/alive", "ranks/00.log")


def forged(folder: Path, name: str, target: Path) -> RunFolder:
    """Return a run folder in which one name leads elsewhere."""
    checkpoint.save(folder / "checkpoints", "ckpt-00000001", {"iteration": 1}, {"x": np.zeros(1)})
    (folder / "ranks").mkdir()
    (folder / "progress.csv").write_text("iteration,total_steps\n1,32\n")
    link = folder / name.replace("PID", str(os.getpid()))
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    return RunFolder(folder)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_written_through_a_link(name: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("precious")
    folder = forged(tmp_path / "run", name, mine)
    try:
        folder.open(1)
        folder.write_config({"env": "CartPole-v1"})
        folder.write_progress({"iteration": 2, "total_steps": 64})
    except Failure:
        pass
    finally:
        folder.close()
    create_board(folder.board, 1)
    alive = Alive(0, 1)
    alive.begin(Watch(60.0, 60.0, lambda: None, lambda: None, lambda code, text: None))
    alive.share(folder.board, folder.rank_log)
    alive.note("collecting")
    alive._write_stack()
    alive.end()
    assert mine.read_text() == "precious"


@pytest.mark.parametrize("name", NAMES)
def test_a_pipe_in_place_of_a_file_does_not_wait_for_ever(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)
    for mode in ("r", "a", "a+"):
        with pytest.raises(OSError):
            open_text(path, mode)


@pytest.mark.parametrize("name", ["checkpoints", "ranks"])
def test_folders_that_lead_elsewhere_are_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["--env", "CartPole-v1", "--num-timesteps", "256", "--logdir", str(tmp_path / "run")]
    assert main(line) == 0
    (tmp_path / "run" / name).rename(tmp_path / "mine")
    (tmp_path / "run" / name).symlink_to(tmp_path / "mine")
    before = sorted(path.name for path in (tmp_path / "mine").rglob("*"))
    with pytest.raises(Failure, match=f"{name} is a link"):
        main(["--resume", str(tmp_path / "run"), "--num-timesteps", "512"])
    assert sorted(path.name for path in (tmp_path / "mine").rglob("*")) == before


def test_forged_returns_do_not_stop_the_cleaning(tmp_path: Path) -> None:
    forged: list[Any] = ["best", 3.0, [1], None, 2.0, {}, 1.0]
    for iteration, value in enumerate(forged, start=1):
        checkpoint.save(tmp_path, f"ckpt-{iteration:08d}", {"mean_return": value}, {"x": np.zeros(1)})
    checkpoint.retain(tmp_path)
    assert [int(path.name[-1]) for path in sorted(tmp_path.iterdir())] == [2, 5, 6, 7]
