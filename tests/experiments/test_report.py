"""A page that stands alone: everything is in it, and nothing is loaded from elsewhere."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from baselines_ppo import report
from baselines_ppo.common.failures import Failure
from baselines_ppo.run.cli import main
from tests.browser import open_browser, require_playwright
from tests.conftest import ROOT
from tests.experiments.on_disk import made_run

FORMAT_1 = ROOT / "tests" / "files" / "format-1"  # a checkpoint of CartPole


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page on a run with a checkpoint, and on one of which there is a log alone."""
    folder = tmp_path_factory.mktemp("report")
    trained = made_run(folder / "runs" / "trained", [20.0, 30.0], seed=4, num_steps=128)
    shutil.copytree(FORMAT_1, trained / "checkpoints" / "ckpt-00000002")
    made_run(folder / "runs" / "log", [-300.0, 20.0], env="LunarLander-v3")
    return report(folder / "runs", folder / "report.html", episodes=2, seconds=0.2)


class Reader(HTMLParser):
    """Collects headings, cells, and what would be loaded."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.words: dict[str, list[str]] = {"h2": [], "td": [], "p": [], "figcaption": []}
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attributes if name in ("src", "href", "srcset", "data")]

    def handle_endtag(self, tag: str) -> None:
        while self.tags and self.tags.pop() != tag:
            pass

    def handle_data(self, text: str) -> None:
        if self.tags and self.tags[-1] in self.words:
            self.words[self.tags[-1]].append(text)


def test_the_page_has_everything_and_loads_nothing(page: Path) -> None:
    text = page.read_text()
    read = Reader(text)
    headings = ["Learning curves", "Final scores", "Runs", "Evaluation", "Film: LunarLander-v3", "Film: CartPole-v1"]
    assert read.words["h2"] == [*headings, "Settings", "Versions"]
    assert len(read.loaded) >= 1 and all(url.startswith("data:image/svg+xml;base64,") for url in read.loaded)
    assert not re.search(r"url\(|@import|https?://", re.sub(r'srcdoc="[^"]*"', "", text))
    assert {"CartPole-v1", "LunarLander-v3", "deterministic", "num_steps", "128", "finished"} <= {*read.words["td"]}
    assert any("episode 0: return" in caption for caption in read.words["figcaption"])
    assert "data:video/mp4;base64," in text and "prefers-color-scheme: dark" in text


def test_what_cannot_be_shown_is_named(page: Path) -> None:
    """Of the run without a checkpoint there is no film and no evaluation; the rest of the page is there."""
    said = Reader(page.read_text()).words["p"]
    assert any("log is not evaluated: no usable checkpoint" in line for line in said)
    assert any("there is no film: no usable checkpoint" in line for line in said)


def test_what_curves_and_scores_say_of_a_run_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_run(tmp_path / "short", [1.0], seed=1)
    config = json.loads((tmp_path / "short" / "config.json").read_text())
    (tmp_path / "short" / "config.json").write_text(json.dumps({**config, "num_timesteps": 10**6}))
    made_run(tmp_path / "none", [None], seed=2)
    report(tmp_path, tmp_path / "report.html", episodes=0, seconds=0)
    said = capsys.readouterr().err
    assert said.count("none is left out") == 1
    assert said.count("short is not finished: its score is that after 1,000 steps") == 1


def test_names_are_text_and_no_code(tmp_path: Path) -> None:
    made_run(tmp_path / "<b>run", [1.0, 2.0], env_kwargs='{"a": "<script>alert(1)</script>"}')
    made_run(tmp_path / "other", [1.0, 2.0])
    text = report(tmp_path, tmp_path / "report.html", episodes=0, seconds=0).read_text()
    assert "<b>" not in text and "<script" not in text and "&lt;script&gt;" in text


def test_wrong_words_are_answered_in_one_line(tmp_path: Path) -> None:
    made_run(tmp_path / "a", [1.0, 2.0])
    wrong = {"--seconds": ("-1", "nan", "2e6"), "--episodes": ("-1",)}
    lines = [(["--out", "x.pdf"], "ends with .html")]
    lines += [([flag, value], f"{flag} is ") for flag, values in wrong.items() for value in values]
    for words, what in lines:
        with pytest.raises(Failure, match=what):
            main(["report", str(tmp_path / "a"), *words])


def test_it_opens_from_disk_light_and_dark(page: Path) -> None:
    playwright = require_playwright()
    with playwright.sync_playwright() as driver:
        browser = open_browser(driver)
        inks = {}
        for scheme in ("light", "dark"):
            tab = browser.new_context(color_scheme=scheme, offline=True).new_page()
            wrong: list[str] = []
            tab.on("pageerror", lambda error, wrong=wrong: wrong.append(str(error)))
            tab.goto(page.as_uri())
            assert tab.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 100)")
            inks[scheme] = tab.evaluate("getComputedStyle(document.body).color")
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert not wrong
        browser.close()
    assert inks["light"] != inks["dark"]


def test_help_of_the_commands_loads_no_matplotlib() -> None:
    code = (
        "import sys\n"
        "from baselines_ppo.run.cli import main\n"
        "assert [main([name, '--help']) for name in ('plot', 'compare', 'report')] == [0, 0, 0]\n"
        "assert not {'numpy', 'matplotlib', 'scipy', 'gymnasium'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
