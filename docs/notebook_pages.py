"""Notebooks as pages of the site: their text, their code, and what is stored below their cells."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

FOLDER = Path(__file__).resolve().parent / "notebooks"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for each notebook; called by MkDocs when it has read its folder."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=page_of(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to the pages; in the repository they lead to the notebooks themselves."""
    return markdown.replace(".ipynb)", ".md)")


def page_of(path: Path) -> str:
    """Return a notebook as Markdown."""
    return "\n\n".join(part for cell in json.loads(path.read_text("utf-8"))["cells"] for part in _parts(cell)) + "\n"


def _parts(cell: dict[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
        return
    yield _block("python", source)
    for output in cell["outputs"]:
        yield _shown(output)


def _shown(output: dict[str, Any]) -> str:
    """Return an output in the richest form that it has."""
    data = {kind: "".join(text) for kind, text in output.get("data", {}).items()}
    if "image/png" in data:
        return f"![the figure that this cell draws](data:image/png;base64,{data['image/png'].strip()})"
    for kind in ("text/markdown", "text/html"):
        if kind in data:
            return data[kind]
    return _block("text", "".join(output.get("text", "")) or data.get("text/plain", ""))


def _block(language: str, text: str) -> str:
    lines = "\n".join(text.splitlines())
    return f"```{language}\n{lines}\n```"
