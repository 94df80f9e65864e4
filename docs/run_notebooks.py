"""Run the notebooks and store what their cells give: `python -m docs.run_notebooks`."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SECONDS = 600  # a cell may take
LARGEST = 100_000  # characters of an output that is stored; larger ones, such as replays, are seen when one runs it
TOO_LARGE = "(not stored in this file, because it is large; run the cell to see it)\n"


def executed(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Return a notebook with the outputs of its cells, which a fresh kernel has run in this folder.

    Raises:
      CellExecutionError: a cell raises.
    """
    nbformat.validate(notebook)
    before = os.environ.copy()
    python = Path(sys.executable).parent  # so that `!python` is this one, too
    os.environ.update(PATH=f"{python}{os.pathsep}{before['PATH']}", PYTHONPATH=str(ROOT))
    try:
        client = NotebookClient(
            notebook,
            timeout=SECONDS,
            kernel_name="python3",
            coalesce_streams=True,
            resources={"metadata": {"path": str(folder)}},
        )
        return client.execute()
    finally:
        os.environ.clear()
        os.environ.update(before)


def to_be_stored(notebook: nbformat.NotebookNode) -> str:
    """Return a notebook as text, without what differs from run to run for no reason and without large outputs."""
    notebook.metadata = {"kernelspec": notebook.metadata.kernelspec, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", ()):
            if len(json.dumps(output)) > LARGEST:
                output.data = {"text/plain": TOO_LARGE}
            elif len(output.get("data", ())) > 1:  # a program that shows notebooks has no use for the plain text
                del output.data["text/plain"]
    return nbformat.writes(notebook).replace(f"{ROOT}/", "") + "\n"


def main() -> None:
    """Run all, or those that are named."""
    named = [FOLDER / name for name in sys.argv[1:]]
    for path in named or NOTEBOOKS:
        with tempfile.TemporaryDirectory() as folder:
            notebook = executed(nbformat.read(path, as_version=4), Path(folder))
        path.write_text(to_be_stored(notebook), "utf-8")
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
