"""The log of record: whatever version or accident left it, rows stay with their columns and nothing is lost."""

from __future__ import annotations

import csv
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from baselines_ppo.common.files.progress import Progress
from baselines_ppo.common.files.run_folder import RunFolder, new_run

HEADER, ROWS = "iteration,seconds,episode_return", ("1,0.5,20.0", "2,1.0,21.5", "3,1.5,23.0")


def begun(folder: Path, *lines: str) -> Path:
    path = folder / "progress.csv"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def gone_on(path: Path, iteration: int, *rows: dict[str, object]) -> list[dict[str, str]]:
    """Return what a log holds after a resume at an iteration that wrote these rows."""
    progress = Progress(path)
    progress.keep(iteration)
    for row in rows:
        progress.write(row)
    progress.close()
    with path.open() as file:
        return list(csv.DictReader(file))


def others(path: Path) -> list[str]:
    """Return the contents of what was kept beside a log."""
    return [other.read_text() for other in path.parent.iterdir() if other != path]


def test_columns_of_another_version_are_matched_by_name(tmp_path: Path) -> None:
    path = begun(tmp_path, HEADER, *ROWS)
    first = gone_on(path, 2, {"iteration": 3, "entropy": 1.25, "episode_return": 30.0, "kl": 0.01})
    assert [row["episode_return"] for row in first] == ["20.0", "21.5", "30.0"]
    assert [row["seconds"] for row in first] == ["0.5", "1.0", ""]
    assert [row["entropy"] for row in first] == ["", "", "1.25"]
    assert path.read_text().splitlines()[0].startswith(HEADER)  # the old ones keep their places
    again = gone_on(path, 3, {"seconds": 2.0, "iteration": 4})  # by the older version, which knows fewer
    assert [row["iteration"] for row in again] == ["1", "2", "3", "4"]
    assert [row["kl"] for row in again] == ["", "", "0.01", ""]
    assert others(path) == []


def test_a_column_that_comes_later_in_a_run_gets_its_place(tmp_path: Path) -> None:
    rows = gone_on(tmp_path / "progress.csv", 0, {"iteration": 1, "a": 1}, {"b": 2, "iteration": 2, "a": 3})
    assert rows == [{"iteration": "1", "a": "1", "b": ""}, {"iteration": "2", "a": "3", "b": "2"}]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\xff\xfe\x00garbage", "no CSV"),
        (b"hello\nworld\n", "no column iteration"),
        (b"iteration,x,x\n1,2,3\n", "two of one name"),
        (f"{HEADER}\n1,0.5,20.0\n2,9,9,9,9\n3,1.5,23.0\n".encode(), "1 row that do not fit its header"),
        (f"{HEADER}\nx,0.5,20.0\n-2,1,1\n".encode(), "2 rows that do not fit its header"),
    ],
)
def test_what_is_no_log_is_one_line_and_is_kept(
    content: bytes, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "progress.csv"
    path.write_bytes(content)
    rows = gone_on(path, 7, {"iteration": 8, "seconds": 4.0})
    assert rows[-1]["iteration"] == "8"
    assert [row["iteration"] for row in rows[:-1]] == (["1", "3"] if b"9,9" in content else [])
    warning = capsys.readouterr().err
    assert re.fullmatch(rf"warning: [^\n]*{what}[^\n]*; it is kept as \S+-progress.csv\n", warning)
    assert [other.read_bytes() for other in tmp_path.iterdir() if other != path] == [content]


def test_a_row_that_a_kill_tore_is_no_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = begun(tmp_path, HEADER, *ROWS[:2])
    path.write_text(path.read_text() + "3,1.")
    assert [row["iteration"] for row in gone_on(path, 2)] == ["1", "2"]
    assert capsys.readouterr().err == ""


def test_a_run_that_begins_anew_keeps_the_rows_of_the_one_that_died(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()  # it left one
    for _ in range(2):  # in one second
        path = begun(tmp_path, HEADER, *ROWS)
        folder = RunFolder(tmp_path)
        folder.create()
        folder.close()
        assert not path.exists()
    kept = [path.read_text().splitlines() for path in tmp_path.glob("*-progress.csv")]
    assert kept == [[HEADER, *ROWS]] * 2


def test_runs_that_begin_in_the_same_second_have_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with ThreadPoolExecutor(16) as pool:
        paths = list(pool.map(lambda _: new_run("ALE/Pong-v5", "ppo2", 3), range(48)))
    assert len(set(paths)) == 48
    assert all(path.is_dir() for path in paths)
