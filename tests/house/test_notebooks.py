"""The notebooks in docs run in a fresh kernel and a fresh folder, and show what a reader is to see."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from docs.run_notebooks import LARGEST, NOTEBOOKS, executed

ALL_KB = 300
# Six trainings, each a process of its own; and the recipe for an environment, which docs/environments.md has, too.
LONG = {"comparing-settings", "the-zoo", "your-own-environment"}
# What each shows below some cell, by its type; a training's bar is text.
SHOWN = {
    "first-steps": {"image/png", "text/markdown", "text/html", "stdout"},
    "your-own-environment": {"image/png", "text/markdown", "text/html", "stdout"},
    "comparing-settings": {"image/png", "text/markdown", "stdout"},
    "the-zoo": {"text/markdown", "text/html", "stdout"},
}
BAR = re.compile(r"100% █{16}  [\d,]+ of ([\d,]+) steps  return \S+  [\d,]+ steps/s\n")


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def outputs(notebook: nbformat.NotebookNode) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def kinds(notebook: nbformat.NotebookNode) -> set[str]:
    return {kind for output in outputs(notebook) for kind in (output.get("data") or {output.get("name", "error"): ""})}


def said(notebook: nbformat.NotebookNode) -> str:
    return "".join(output.text for output in outputs(notebook) if output.output_type == "stream")


def cases() -> list[Any]:
    return [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem in LONG else []) for path in NOTEBOOKS
    ]


@pytest.mark.parametrize("path", cases())
def test_a_notebook_runs_whole_and_shows_what_it_makes(path: Path, tmp_path: Path) -> None:
    """Short: the same cells with fewer steps; `python -m docs.run_notebooks` runs all of it."""
    notebook = read(path)
    for cell in notebook.cells:
        steps = 8_192 if "resume=" in cell.source else 4_096  # a training that goes on has more to make
        cell.source = re.sub(r"num_timesteps=[\d_]+", f"num_timesteps={steps}", cell.source)
        cell.pop("outputs", None)
        if cell.cell_type == "code":
            cell.outputs = []
    done = executed(notebook, tmp_path)
    assert kinds(done) >= SHOWN[path.stem]
    assert "error" not in kinds(done)
    bars = BAR.findall(said(done))
    trainings = len(re.findall(r"\btrain\(config", "".join(cell.source for cell in done.cells)))
    assert len(bars) >= trainings
    assert set(bars) <= {"4,096", "8,192"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_stored_was_run_whole_in_order_and_holds_no_error(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == [*range(1, len(counts) + 1)]
    assert kinds(notebook) >= SHOWN[path.stem] - {"text/html"}  # a large film is not stored
    assert "error" not in kinds(notebook)
    assert not re.search(r"/(tmp|home|work|root)/", path.read_text())


def test_the_notebooks_are_small() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(SHOWN)
    assert sum(path.stat().st_size for path in NOTEBOOKS) < 1000 * ALL_KB
    assert LARGEST < 1000 * ALL_KB
