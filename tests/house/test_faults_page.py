"""The page of faults: what it names as a test is one, and each fault has one."""

from __future__ import annotations

import re
from fnmatch import fnmatch

import pytest

from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "faults.md").read_text("utf-8")
ROWS = [line for line in TEXT.splitlines() if re.search(r"test_\w+\.py", line)]


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
