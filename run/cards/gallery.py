"""The gallery: all pretrained agents as cards on one web page, which stands alone."""

from __future__ import annotations

import base64
import html
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import gymnasium

from baselines_ppo.common.failures import Failure, LoadError, short
from baselines_ppo.common.files import pretrained
from baselines_ppo.common.files.checkpoint import read_regular
from baselines_ppo.common.files.whole import checked_file, place, write_whole, writing
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.experiments.page import folded, paragraph, table
from baselines_ppo.run.agents import facts_in_words
from baselines_ppo.run.cards.curve import read_curve
from baselines_ppo.run.cards.gallery_page import gallery_page
from baselines_ppo.run.cards.svg_curve import svg
from baselines_ppo.run.cards.tables import figures, plain, ranks_in_words, training_in_words
from baselines_ppo.zoo.card import PICTURE, Card, read_card

PAGE, SUFFIX = "zoo.html", ".html"
FILM_SECONDS = 10.0
LARGEST_PICTURE = 10**6  # bytes
JPEG = (b"\xff\xd8\xff", b"\xff\xd9")  # how such a file begins and ends
# Kinds of environments: the key of each, its name, and where the code of its environments is.
KINDS = {
    "robots": ("Robots of the zoo", ("baselines_ppo.zoo",)),
    "mujoco": ("MuJoCo", ("gymnasium.envs.mujoco",)),
    "classic": ("Classic control, Box2D", ("gymnasium.envs.classic_control", "gymnasium.envs.box2d")),
    "atari": ("Atari", ("ale_py",)),
    "others": ("Others", ("",)),
}
OWN, OWN_NAME = "own", "Your own"
ACTIONS = {"deterministic": "most likely actions", "stochastic": "drawn actions"}
LAUNCHED, TRAINED = ("mpirun", "-np"), ("python", "-m", "baselines_ppo.run")  # how commands of ours begin


class Shown(NamedTuple):
    """What a card shows of an agent, but for what its files say."""

    name: str
    folder: Path
    film: str = ""  # where it is from the page; empty: there is none


def write_gallery(out: str, films: bool) -> Path:
    """Write a page of all pretrained agents, with films beside it if they are wanted; returns where it is.

    Raises:
      UsageError: no file can be written there.
      WriteError: it could not be written.
    """
    folder = place(out)
    path = checked_file(folder / PAGE if folder.is_dir() else folder, [SUFFIX])
    agents = [Shown(name, pretrained.folder_of(name)) for name in pretrained.names()]
    if films:
        agents = _filmed(agents, path.with_name(f"{path.stem}-films"))
    write_whole(path, gallery(agents))
    return path


def gallery(agents: Iterable[Shown]) -> str:
    """Return the page of some agents; what is wrong with one of them is on its card."""
    cards, found = [], set[str]()
    for agent in agents:
        own = [OWN] * (agent.folder.parent != pretrained.AGENTS)
        try:
            card = read_card(agent.folder)
            kinds = [kind_of(card.environment), *own]
            cards.append(_card(agent, card, kinds))
        except LoadError as error:
            kinds = ["others", *own]
            cards.append(_article(kinds, {}, _heading(agent.name) + paragraph(short(error))))
        found |= {*kinds}
    known = {**{key: name for key, (name, _) in KINDS.items()}, OWN: OWN_NAME}
    note = (
        f"{len(cards)} pretrained agents. Returns are raw: mean ± standard deviation over episodes. The curve is that "
        "of the training. A dashed line is the threshold, the return at which the environment counts as solved."
    )
    return gallery_page("The zoo", note, {key: name for key, name in known.items() if key in found}, cards)


def kind_of(environment: str) -> str:
    """Return the kind of an environment, a key of `KINDS`; nothing is imported for it."""
    name = environment.rpartition(":")[2]
    spec = gymnasium.registry.get(name)
    code = "ale_py" if name.startswith("ALE/") else str(spec.entry_point if spec else "")
    return next(key for key, (_, places) in KINDS.items() if code.startswith(places))


def _heading(name: str) -> str:
    return f"<h2>{html.escape(short(name))}</h2>"


def _card(agent: Shown, card: Card, kinds: list[str]) -> str:
    """Return the card of an agent as HTML."""
    measured = {"steps": float(card.total_steps), "seconds": card.seconds}
    if card.threshold:
        measured["shortfall"] = (card.threshold - card.deterministic.mean) / abs(card.threshold)
    names = [KINDS[kinds[0]][0], *([OWN_NAME.lower()] if OWN in kinds else [])]
    if card.environment != agent.name:
        names.insert(0, card.environment)
    inside = [
        _heading(agent.name),
        f'<p class="kind">{html.escape(" · ".join(names))}</p>',
        _scores(card),
        _curve(agent.folder, card.threshold),
        paragraph(f"{training_in_words(card)}; {ranks_in_words(card.ranks)}"),
        _command(card.command),
    ]
    return _article(kinds, measured, "\n".join(inside), _picture(agent))


def _article(kinds: list[str], measured: Mapping[str, float], inside: str, above: str = "") -> str:
    data = "".join(f' data-{key}="{value:.6g}"' for key, value in measured.items())
    return (
        f'<article class="card" data-kinds="{",".join(kinds)}"{data}>{above}<div class="inside">\n{inside}\n</div>'
        "</article>"
    )


def _picture(agent: Shown) -> str:
    """Return the picture of an agent, which leads to its film if there is one; words where there is no picture."""
    try:
        data = read_regular(agent.folder / PICTURE, LARGEST_PICTURE)
        whole = data.startswith(JPEG[0]) and data.endswith(JPEG[1])
    except (OSError, ValueError):
        whole = False
    inside = "no picture"
    if whole:
        source = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
        inside = f'<img alt="{html.escape(short(agent.name))} at its task" src="{source}" decoding="async">'
    if agent.film:
        return f'<a class="shot" href="{html.escape(quote(agent.film))}">{inside}<b>▶ Watch</b></a>'
    return f'<div class="shot">{inside}</div>'


def _scores(card: Card) -> str:
    """Return what an agent scores as a table."""
    rows = [
        [ACTIONS.get(name, name.replace("_", " ")), figures(score), f"{score.mean_length:,.0f}"]
        for name, score in card.scores.named.items()
    ]
    rows += [["threshold", plain(card.threshold), ""]] if card.threshold is not None else []
    told = [
        (row[0], facts_in_words.of_score(score)) for row, score in zip(rows, card.scores.named.values(), strict=False)
    ]
    facts = [paragraph(f"{name}: {', '.join(words)}") for name, words in told if words]
    more = folded("More", "".join(facts[1:])) if facts[1:] else ""
    return table([f"over {counted(card.episodes, 'episode')}", "return", "steps"], rows) + "".join(facts[:1]) + more


def _curve(folder: Path, threshold: float | None) -> str:
    try:
        points = read_curve(folder)
    except LoadError as error:
        return paragraph(short(error))
    return svg(points, threshold) if points else paragraph("no learning curve")


def _command(command: str) -> str:
    """Return the command that trained an agent; only one that a shell takes for a training of ours is to be copied."""
    copied = " data-copy" * is_training(command)
    words = " ".join(f"<span>{html.escape(word)}</span>" for word in command.split(" "))
    return f'<div class="command"><code{copied}>{words}</code></div>'


def is_training(command: str) -> bool:
    """Return whether a line is one training of ours, in which a shell finds nothing else to do."""
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    whole = shlex.join(words) == command
    if tuple(words[:2]) == LAUNCHED and words[2:3] and words[2].isdecimal():
        words = words[3:]
    return whole and tuple(words[:3]) == TRAINED


def _filmed(agents: Iterable[Shown], folder: Path) -> list[Shown]:
    """Write a film or a replay of each agent into a folder; those that cannot be filmed are named on stderr."""
    from baselines_ppo.run.agents.recording import record_one

    with writing(folder):
        folder.mkdir(exist_ok=True)
    result = []
    for agent in agents:
        film = folder / f"{agent.name}{SUFFIX}"
        try:
            print(f"{short(agent.name)}: {record_one(str(agent.folder), film, FILM_SECONDS)}", flush=True)
            agent = agent._replace(film=f"{folder.name}/{film.name}")
        except Failure as error:
            sys.stderr.write(f"no film of {short(agent.name)}: {short(error)}\n")
        result.append(agent)
    return result
