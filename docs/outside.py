"""What is outside of docs and part of it: the changelog, the pictures of the zoo, and the page of its agents."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from baselines_ppo.common.files import pretrained
from baselines_ppo.run.cards.gallery import Shown, gallery

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"CHANGELOG.md": "changelog.md"}
PICTURES = ("zoo/*.gif", "zoo/*.jpg", "zoo/agents/*/*.jpg")
GALLERY = "zoo/agents.html"
HEADING = "## Pretrained agents\n"  # in zoo.md; below it the site leads to the gallery, which the repository has not
LINK = f"\n[All of them as cards]({GALLERY}), as `zoo page` makes them: filtered, sorted, with learning curves.\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files; called by MkDocs when it has read its folder."""
    pictures = {path.relative_to(ROOT).as_posix(): path for pattern in PICTURES for path in ROOT.glob(pattern)}
    pages = {name: ROOT / path for path, name in PAGES.items()}
    for name, path in {**pages, **pictures}.items():
        files.append(File.generated(config, name, abs_src_path=str(path)))
    shipped = sorted(path.parent for path in pretrained.AGENTS.glob(pretrained.MANIFESTS))
    files.append(File.generated(config, GALLERY, content=gallery(Shown(path.name, path) for path in shipped)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to where these files are in the site; in the repository they lead to the files themselves."""
    for path, name in PAGES.items():
        markdown = markdown.replace(f"../{path}", name)
    if page.file.src_uri == "zoo.md":
        markdown = markdown.replace(HEADING, HEADING + LINK)
    return markdown.replace("../zoo/", "zoo/")
