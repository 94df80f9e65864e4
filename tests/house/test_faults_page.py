"""The page of faults: what it names as a test is one, and its exit codes are those that there are."""

from __future__ import annotations

import re
from fnmatch import fnmatch

import pytest

from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "faults.md").read_text("utf-8")
ROWS = [line for line in TEXT.splitlines() if re.search(r"test_\w+\.py", line)]
CODES = re.compile(r"^\| (\d+(?:, \d+)*) \|", re.MULTILINE)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split(" | ")[0][2:60])
def test_every_test_that_is_named_exists(row: str) -> None:
    named = re.findall(r"`([\w/]+\.py)(?:::([\w*]+))?`", row)
    assert named
    for path, name in named:
        defined = re.findall(r"^def (\w+)\(", (ROOT / "tests" / path).read_text("utf-8"), re.MULTILINE)
        assert not name or any(fnmatch(function, name) for function in defined), f"{path}::{name}"
    assert not re.findall(r"`test_\w+`", row)  # without its file


def test_every_fault_has_a_test() -> None:
    tables = TEXT.partition("## Ranks that fail")[2]
    faults = [line for line in tables.splitlines() if line.startswith("| ") and not re.match(r"\| (---|What )", line)]
    assert len(faults) > 100
    assert [line for line in faults if line not in ROWS and ".py`" not in line] == []


def test_the_exit_codes_are_those_of_the_table_of_exit_codes() -> None:
    """9 is that of a rank which was killed: mpirun gives it, not this program."""
    shown = {int(code) for codes in CODES.findall(TEXT) for code in codes.split(", ")}
    table = (ROOT / "docs" / "architecture.md").read_text("utf-8").partition("## Exit codes")[2]
    assert shown - {9} == {int(code) for codes in CODES.findall(table) for code in codes.split(", ")}
