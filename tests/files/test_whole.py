"""Files of our own are whole or as they were, and a full disk is one line."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from baselines_ppo.common.failures import WriteError
from baselines_ppo.common.files.whole import write_whole
from baselines_ppo.experiments.sweeping.slurm import write_script
from baselines_ppo.run.cli import main
from tests.experiments.on_disk import made_run


@contextmanager
def full_disk(room: int = 0) -> Iterator[None]:
    """Let no file of this process grow beyond some bytes: to Python an OSError, as a full disk is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("content", ["text ä\n", b"\x00\xff"])
def test_what_is_written_is_there_as_it_is(content: str | bytes, tmp_path: Path) -> None:
    write_whole(tmp_path / "file", content)
    assert (tmp_path / "file").read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert [*tmp_path.iterdir()] == [tmp_path / "file"]


def test_a_full_disk_leaves_the_file_of_before(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", "before")
    with full_disk(room=4), pytest.raises(WriteError, match=r"file not written: File too large$"):
        write_whole(tmp_path / "file", "after that")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "before"


def test_a_table_and_a_script_that_the_disk_does_not_take_are_an_error_in_one_line(tmp_path: Path) -> None:
    made_run(tmp_path / "run", [1.0])
    with full_disk(), pytest.raises(WriteError, match=r"table\.md not written: File too large$"):
        main(["compare", str(tmp_path / "run"), "--out", str(tmp_path / "table.md")])
    with full_disk(), pytest.raises(WriteError, match=r"array\.sh not written"):
        write_script(tmp_path, 2, 1, ["sweep"], "")
