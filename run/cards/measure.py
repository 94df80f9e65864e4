"""`zoo score` and `zoo verify`: how good agents are, and whether that is still so."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Sequence
from pathlib import Path

from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.common.failures import (
    DataError,
    Failure,
    LoadError,
    ModuleNotNamed,
    UsageError,
    WriteError,
    short,
)
from baselines_ppo.common.files import checkpoint, pretrained
from baselines_ppo.common.files.agent import Agent, agent_of
from baselines_ppo.common.files.checkpoint import ARRAYS, MANIFEST, Checkpoint
from baselines_ppo.common.mpi import world
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.run.agents.scoring import measure, score_of
from baselines_ppo.run.cards.export import NOTHING, Named, card_of, digest, training_of
from baselines_ppo.run.cards.tables import figures
from baselines_ppo.zoo import starts_of
from baselines_ppo.zoo.card import Card, Score, Scores, read_card, write_card

STANDARD_ERRORS, TOLERANCE = 3.0, 0.01  # by which a mean may be lower than the card's, the second of the mean itself


def score(name: str, named: Named, episodes: int, seed: int) -> int:
    """Measure an agent again and write its card anew; returns the exit code.

    Raises:
      LoadError: there is no such agent, its files do not say how it was trained, or see `shelf.add`.
    """
    comm = world()
    found = comm.together(lambda: checkpoint.load(pretrained.locate(name)))
    agent = agent_of(found)
    training_of(found, named)  # else there would be a score, but no card
    _check_writable(found.path)
    scores = measured(agent, named.own(agent), episodes, seed)
    comm.on_root(lambda: write_card(found.path, card_of(found, episodes, seed, scores, named)))
    if comm.is_root:
        say_scores(name, scores, episodes, seed)
    return 0


def verify(names: Sequence[str], named: Named, episodes: int) -> int:
    """Check files and scores of these agents, or of all, against their cards; returns the exit code.

    A score holds if its mean is below the card's by no more than three standard errors of their difference, for the
    larger of the two standard deviations, and one percent of the card's mean. Of all, those of a module that is not
    named are left out, which is said.

    Raises:
      LoadError: an agent that was asked for is missing, damaged, or of a module that is not named.
      DataError: names the agents that are not as their cards say.
    """
    comm = world()
    if named != NOTHING and len(names) != 1:
        raise UsageError("--env, --env-kwargs and --wrapper are those of one agent; give its name")
    for name in names:
        comm.together(functools.partial(_loaded, name, named))
    if comm.is_root:
        print(f"{'name':<32}{'actions':<15}{'card':>20}{'now':>20}")
    wrong = []
    for name in names or pretrained.names():
        try:
            held = _verified(name, episodes, named)
        except Failure as failure:
            held = isinstance(failure, ModuleNotNamed)
            if comm.is_root:
                print(f"{short(name):<32}{'not checked: ' * held}{short(failure)}")
        if not held:
            wrong.append(name)
    if wrong:
        raise DataError(f"not as their cards say: {', '.join(wrong)}")
    return 0


def _verified(name: str, episodes: int, named: Named) -> bool:
    """Print how an agent's scores compare with its card; returns whether both hold.

    Raises:
      Failure: its files are not those of the card.
    """
    comm = world()
    found, agent = comm.together(lambda: _loaded(name, named))
    card = comm.together(lambda: files_agree(found, named))
    scores = measured(agent, named.own(agent), episodes, card.evaluation_seed).named
    held = True
    for kind, then in card.scores.named.items():
        now = scores[kind]
        holds = now.mean >= least(then, card.episodes, now, episodes)
        held &= holds
        if comm.is_root:
            print(f"{short(name):<32}{kind:<15}{figures(then):>20}{figures(now):>20}  {'holds' if holds else 'LOWER'}")
    return held


def _loaded(name: str, named: Named) -> tuple[Checkpoint, Agent]:
    """Return the files of an agent, and the agent, whose environment may be made.

    Raises:
      LoadError: there is no such agent, or see `Named.own`.
    """
    found = checkpoint.load(pretrained.locate(name))
    agent = agent_of(found)
    named.own(agent)
    return found, agent


def files_agree(found: Checkpoint, named: Named = NOTHING) -> Card:
    """Return the card of an agent, once it is known to be that of these files.

    Raises:
      LoadError: it is not.
    """
    card = read_card(found.path)
    for file, expected in ((MANIFEST, card.manifest_sha256), (ARRAYS, card.arrays_sha256)):
        if digest(found.path / file) != expected:
            raise LoadError(f"{found.path}: {file} is not the one of its card (checksum)")
    if unknown := {*(card.by_start or ())} - {*starts_of(named.own(agent_of(found)).env_id)}:
        starts = ", ".join(sorted(map(short, unknown)))
        raise LoadError(
            f"{found.path}: its card has a score from {starts}, which is no start; zoo score writes it anew"
        )
    if card != card_of(found, card.episodes, card.evaluation_seed, card.scores, named):
        raise LoadError(f"{found.path}: its card is not what its files and this version say; zoo score writes it anew")
    return card


def least(card: Score, card_episodes: int, now: Score, episodes: int) -> float:
    """Return the lowest mean that chance, and another machine's last bits, still explain."""
    error = max(card.std, now.std) * math.sqrt(1 / card_episodes + 1 / episodes)
    return card.mean - STANDARD_ERRORS * error - TOLERANCE * abs(card.mean)


def _check_writable(folder: Path) -> None:
    if not os.access(folder, os.W_OK):
        raise WriteError(f"{short(folder)} cannot be written, and the agent's files are to be there")


def measured(agent: Agent, spec: EnvironmentSpec, episodes: int, seed: int) -> Scores:
    """Return what an agent scores, also from each start that its environment has."""
    played = measure(agent, spec, episodes, seed)
    by_start = {}
    for start in starts_of(spec.env_id):
        own = spec._replace(keywords={**spec.keywords, "start": start})
        by_start[start] = score_of(measure(agent, own, episodes, seed, modes=("deterministic",))["deterministic"])
    return Scores(score_of(played["deterministic"]), score_of(played["stochastic"]), by_start or None)


def say_scores(name: str, scores: Scores, episodes: int, seed: int) -> None:
    """Print what an agent has scored."""
    for mode, score in scores.named.items():
        print(f"{short(name)}: {mode} {figures(score)}, {counted(episodes, 'episode')} of seed {seed}")
