"""What is outside of docs and part of it: the changelog, and the pictures of the zoo."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"CHANGELOG.md": "changelog.md"}
PICTURES = ("zoo/*.gif", "zoo/*.jpg", "zoo/agents/*/*.jpg")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files; called by MkDocs when it has read its folder."""
    pictures = {path.relative_to(ROOT).as_posix(): path for pattern in PICTURES for path in ROOT.glob(pattern)}
    pages = {name: ROOT / path for path, name in PAGES.items()}
    for name, path in {**pages, **pictures}.items():
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to where these files are in the site; in the repository they lead to the files themselves."""
    for path, name in PAGES.items():
        markdown = markdown.replace(f"../{path}", name)
    return markdown.replace("../zoo/", "zoo/")
