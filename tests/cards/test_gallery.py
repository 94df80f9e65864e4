"""The page of all agents: everything on it is from their cards, and whatever these say is text."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.files import pretrained
from baselines_ppo.run import cli
from baselines_ppo.run.cards.gallery import Shown, gallery, is_training, kind_of
from baselines_ppo.zoo.card import CARD, PICTURE, read_card
from tests.browser import open_browser, require_playwright
from tests.cards.conftest import PENDULUM

CODE = '<script>document.title = "stolen"</script>"\'><img src=x onerror="document.title=1">'
AGENTS = pretrained.AGENTS  # the real ones, where a test has others
SHIPPED = sorted(path.parent.name for path in AGENTS.glob(pretrained.MANIFESTS))


class Reader(HTMLParser):
    """Collects the tags, what they load or would run, and the words of each card."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags = Counter[str]()
        self.loaded: list[str] = []
        self.handlers: list[str] = []
        self.cards: list[str] = []
        self.kinds: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        given = dict(attributes)
        self.loaded += [given[name] or "" for name in ("src", "href", "srcset", "data") if name in given]
        self.handlers += [name for name in given if name.startswith("on") or name == "style"]
        if tag == "article":
            self.cards.append("")
            self.kinds.append(given["data-kinds"] or "")

    def handle_data(self, data: str) -> None:
        if self.cards:
            self.cards[-1] += data


def shipped() -> str:
    return gallery(Shown(name, AGENTS / name) for name in SHIPPED)


def test_all_agents_are_there_with_the_figures_of_their_cards() -> None:
    read = Reader(shipped())
    assert len(read.cards) == len(SHIPPED) == read.tags["img"] == read.tags["polyline"]
    for name, words in zip(SHIPPED, read.cards, strict=True):
        card = json.loads((AGENTS / name / CARD).read_text())
        scores = [card["deterministic"], card["stochastic"], *(card.get("by_start") or {}).values()]
        for score in scores:
            assert f"{score['mean']:,.1f} ± {score['std']:,.1f}" in words
        assert name in words
        assert card["command"] in words
        assert f"{card['total_steps']:,} steps" in words
        assert ("threshold" in words) == (card["threshold"] is not None)
    assert Counter(read.kinds) == {"robots": 14, "mujoco": 19, "classic": 5}


def test_it_stands_alone() -> None:
    text = shipped()
    read = Reader(text)
    assert all(url.startswith("data:image/jpeg;base64,") for url in read.loaded)
    assert not re.search(r"url\(|@import|https?:", text)
    assert (read.tags["script"], read.tags["style"], read.handlers) == (1, 2, [])
    assert len(text) < 2.5e6


@pytest.fixture
def hostile(agents: Path) -> Path:
    """A zoo whose agent has code in every text of its card, and in its own name."""

    def poisoned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: poisoned(item) for key, item in value.items()}
        return CODE if isinstance(value, str) else value

    card = poisoned(json.loads((agents / PENDULUM / CARD).read_text()))
    card["by_start"] = {CODE: card["deterministic"]}
    (agents / PENDULUM / CARD).write_text(json.dumps(card))
    (agents / PENDULUM).rename(agents / CODE.replace("/", ""))
    return agents


def test_code_in_a_card_is_text(hostile: Path) -> None:
    (folder,) = hostile.iterdir()
    assert read_card(folder).command == CODE  # the card itself is a good one
    read = Reader(gallery([Shown(folder.name, folder, f"films/{folder.name}.html")]))
    assert (read.tags["script"], read.tags["img"], read.handlers) == (1, 1, [])
    assert CODE in read.cards[0]
    shutil.copy(folder / CARD, folder / "curve.csv")  # whose error quotes what it finds
    (folder / CARD).write_text(json.dumps({**json.loads((folder / CARD).read_text()), "seed": CODE}))
    read = Reader(gallery([Shown(folder.name, folder)]))
    assert (read.tags["script"], read.tags["img"], read.handlers) == (1, 0, [])
    assert "seed is" in read.cards[0]


@pytest.mark.parametrize(
    ("command", "ours"),
    [
        ("python -m baselines_ppo.run --env Ant-v4", True),
        ("mpirun -np 2 python -m baselines_ppo.run --env Ant-v4 --learning-rate 'linear(0.1)'", True),
        ("python -m baselines_ppo.run --env Ant-v4; rm -r runs", False),
        ("python -m baselines_ppo.run --env $(id)", False),
        ("python -m baselines_ppo.run --env 'Ant-v4", False),
        ("mpirun -np 2 --launcher x python -m baselines_ppo.run", False),
        ("sh -c id", False),
        ("", False),
    ],
)
def test_only_a_training_of_ours_is_offered_to_be_copied(command: str, ours: bool) -> None:
    assert is_training(command) == ours


def test_what_is_broken_is_said_on_its_card_alone(agents: Path) -> None:
    names = ["link", "missing", "no card", "no picture at all", "text"]
    for name in names:
        shutil.copytree(agents / PENDULUM, agents / name)
        (agents / name / PICTURE).unlink()
    (agents / "link" / PICTURE).symlink_to(agents / PENDULUM / PICTURE)
    (agents / "text" / PICTURE).write_text(CODE)
    (agents / "no picture at all" / PICTURE).mkdir()
    (agents / "no card" / CARD).unlink()
    (agents / "missing" / "curve.csv").unlink()
    read = Reader(gallery(Shown(name, agents / name) for name in (*names, PENDULUM)))
    assert len(read.cards) == 6
    assert [("no picture" in words.partition("\n")[0]) for words in read.cards] == [
        True,
        True,
        False,
        True,
        True,
        False,
    ]
    assert "has no card.json" in read.cards[2]
    assert "no learning curve" in read.cards[1]
    assert read.tags["img"] == 1


def test_own_agents_are_there_too_and_can_be_chosen(
    agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["zoo", "page"]) == 0
    assert Reader(Path("zoo.html").read_text()).kinds == ["robots"]
    shutil.copytree(agents / PENDULUM, pretrained.own_agents() / "mine")
    Path("site").mkdir()
    assert cli.main(["zoo", "page", "--out", "site"]) == 0
    assert "wrote site/zoo.html: 0." in capsys.readouterr().out
    text = Path("site/zoo.html").read_text()
    assert Reader(text).kinds == ["robots", "robots,own"]
    assert 'value="own"' in text
    for out in ("zoo.pdf", "nowhere/zoo.html"):
        with pytest.raises(UsageError, match="--out is"):
            cli.main(["zoo", "page", "--out", out])


def test_environments_are_of_their_kind_and_none_is_imported() -> None:
    kinds = {name: kind_of(name) for name in ("RoboAnt-v1", "Ant-v4", "LunarLander-v3", "Acrobot-v1", "ALE/Pong-v5")}
    assert [*kinds.values()] == ["robots", "mujoco", "classic", "classic", "atari"]
    assert kind_of("no_such_module:Walk-v0") == "others"


def test_it_filters_sorts_copies_and_lets_no_code_run(hostile: Path, tmp_path: Path) -> None:
    playwright = require_playwright()
    (forged,) = hostile.iterdir()
    path = tmp_path / "zoo.html"
    path.write_text(gallery([*(Shown(name, AGENTS / name) for name in SHIPPED), Shown(forged.name, forged, "x.html")]))
    with playwright.sync_playwright() as driver:
        browser = open_browser(driver)
        tab = browser.new_context(offline=True, permissions=["clipboard-read", "clipboard-write"]).new_page()
        wrong: list[str] = []
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("console", lambda line: wrong.append(line.text))
        tab.goto(path.as_uri())
        shown = "[...document.querySelectorAll('.card:not([hidden]) h2')].map(x => x.textContent)"
        assert len(tab.evaluate(shown)) == len(SHIPPED) + 1
        tab.get_by_label("MuJoCo", exact=True).check()
        mujoco = [name for name in SHIPPED if kind_of(name) == "mujoco"]
        assert tab.evaluate(shown) == mujoco
        tab.select_option("select", "steps")
        cards = {name: read_card(AGENTS / name) for name in mujoco}
        by_steps = sorted(mujoco, key=lambda name: cards[name].total_steps)
        assert tab.evaluate(shown) == by_steps
        tab.locator(".card:not([hidden]) button").first.click()
        assert tab.evaluate("navigator.clipboard.readText()") == cards[by_steps[0]].command
        assert tab.locator("button").count() == len(SHIPPED)  # the forged command is not offered
        for width in (360, 1280):
            tab.set_viewport_size({"width": width, "height": 800})
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        tab.evaluate("text => document.body.insertAdjacentHTML('beforeend', text)", CODE)  # as if it were not escaped
        tab.wait_for_function("document.images[document.images.length - 1].complete")
        assert tab.title() == "The zoo"
        browser.close()
    assert [line for line in wrong if "Content Security Policy" not in line] == []


def test_films_are_beside_the_page_and_what_cannot_be_filmed_is_named(
    agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("viser", reason="needs viser: pip install 'viser>=1.1.1,<1.2' 'trimesh>=4.0'")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("baselines_ppo.run.cards.gallery.FILM_SECONDS", 0.2)
    shutil.copytree(agents / PENDULUM, agents / "damaged")
    (agents / "damaged" / "arrays.npz").write_bytes(b"")
    (agents / PENDULUM).rename(agents / "a #1")  # a name that an address writes in another way
    assert cli.main(["zoo", "page", "--films", "--out", str(tmp_path / "all.html")]) == 0
    said = capsys.readouterr()
    assert "a #1: episode 0: return" in said.out
    assert "no film of damaged: " in said.err
    (film,) = (tmp_path / "all-films").iterdir()
    text = (tmp_path / "all.html").read_text()
    assert [unquote(url) for url in Reader(text).loaded if not url.startswith("data:")] == [f"all-films/{film.name}"]
    assert 'href="all-films/a%20%231.html"' in text
