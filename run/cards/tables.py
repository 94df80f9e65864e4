"""The cards of the pretrained agents, printed: a list of all, one in full, and a table for the page of the zoo."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from baselines_ppo.common.failures import LoadError, short
from baselines_ppo.common.files import pretrained
from baselines_ppo.common.screen.numbers import counted, duration
from baselines_ppo.run.agents import facts_in_words
from baselines_ppo.run.cards.curve import drawn, read_curve
from baselines_ppo.zoo.card import PICTURE, Card, Score, Stage, read_card


def list_agents() -> int:
    """Print a line for each pretrained agent, with the score of its most likely actions; returns the exit code."""
    print(f"{'name':<32}{'environment':<32}{'alg':<8}{'steps':>12}{'return':>20}{'threshold':>11}{'kB':>6}")
    for name in pretrained.names():
        folder = pretrained.folder_of(name)
        try:
            card = read_card(folder)
        except LoadError as error:
            print(f"{name:<32}{short(error)}")
            continue
        print(
            f"{name:<32}{card.environment:<32}{card.algorithm:<8}{card.total_steps:>12,}"
            f"{figures(card.deterministic):>20}{plain(card.threshold):>11}{_size(folder) / 1000:>6.0f}"
        )
    return 0


def show(name: str) -> int:
    """Print an agent's card and its learning curve; returns the exit code.

    Raises:
      LoadError: there is no such agent, or it has no card.
    """
    folder = pretrained.locate(name)
    card, curve = read_card(folder), read_curve(folder)
    facts = {
        "environment": card.environment,
        "algorithm": f"{card.algorithm}, preset {card.preset or 'none'}, seed {card.seed}",
        "training": f"{card.total_steps:,} steps in {duration(card.seconds)} on {ranks_in_words(card.ranks)}",
        "command": card.command + ("" if card.exact else ", with other settings or ranks on the way"),
        **{f"  stage {number}": _stage_in_words(stage) for number, stage in enumerate(card.stages, 1)},
        "threshold": plain(card.threshold),
        "scores": f"{counted(card.episodes, 'episode')} of seed {card.evaluation_seed}",
        **{f"  {name}": _in_full(score) for name, score in card.scores.named.items()},
        "versions": ", ".join(f"{package} {version}" for package, version in card.versions.items() if version),
        "files": short(folder),
        "  arrays.npz": f"SHA-256 {card.arrays_sha256}",
        "  manifest.json": f"SHA-256 {card.manifest_sha256}",
    }
    for label, text in facts.items():
        print(f"{label:<18}{text}")
    if curve:
        print(f"{'learning curve':<18}{curve[0].episode_return:,.0f} {drawn(curve)} {curve[-1].episode_return:,.0f}")
    return 0


def table() -> int:
    """Print all cards as a Markdown table with pictures, whose paths are those of the repository."""
    print("| | agent | return | drawn actions | threshold | training |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in pretrained.names():
        folder, picture = pretrained.folder_of(name), Path("zoo", "agents", name, PICTURE)
        if folder.parent != pretrained.AGENTS:
            continue
        card = read_card(folder)
        shown = f'<img src="{picture}" width="160" alt="{name}">' if (folder / PICTURE).exists() else ""
        flags = card.deterministic.flags_reached
        reached = "" if flags is None else f"<br>{flags:.1f} flags an episode"
        print(
            f"| {shown} | {name} | {figures(card.deterministic)}{reached} | {figures(card.stochastic)} "
            f"| {plain(card.threshold)} | {training_in_words(card)}<br>`{card.command}` |"
        )
    return 0


def figures(score: Score) -> str:
    """Return mean and std of the returns."""
    return f"{score.mean:,.1f} ± {score.std:,.1f}"


def training_in_words(card: Card) -> str:
    """Return how long the training was, and whether it was as the command says from the beginning."""
    changed = "" if card.exact else ", with other settings or ranks on the way"
    before = f", after {counted(len(card.stages), 'other training')}" if card.stages else ""
    return f"{card.algorithm}, {card.total_steps:,} steps in {duration(card.seconds)}{changed}{before}"


def ranks_in_words(ranks: tuple[int, ...]) -> str:
    """Return on how many ranks the stretches of a training ran."""
    changes = [str(number) for number, _ in groupby(ranks)]
    return f"{', then '.join(changes)} rank{'' if changes == ['1'] else 's'}"


def plain(value: float | None) -> str:
    """Return a threshold."""
    return "-" if value is None else f"{value:,g}"


def _in_full(score: Score) -> str:
    span = f"{figures(score)}, from {score.min:,.1f} to {score.max:,.1f}, {score.mean_length:,.0f} steps"
    return ", ".join([span, *facts_in_words.of_score(score)])


def _stage_in_words(stage: Stage) -> str:
    """Return which agent a training before gave, after how many steps, and the command."""
    told = [f"{stage.agent}:", *([] if stage.total_steps is None else [f"{stage.total_steps:,} steps of"])]
    return " ".join([*told, stage.command or "how it came about is not known"])


def _size(folder: Path) -> int:
    """Return the number of bytes of an agent's files."""
    return sum(path.lstat().st_size for path in folder.iterdir())
