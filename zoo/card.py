"""The card of a pretrained agent: how it was made, what it scores, and the checksums of its files."""

from __future__ import annotations

import json
import types
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from baselines_ppo.common.failures import LoadError, short
from baselines_ppo.common.files.checkpoint import read_json
from baselines_ppo.common.files.whole import write_whole

CARD, PICTURE = "card.json", "picture.jpg"
MODES = ("deterministic", "stochastic")
LARGEST_CARD = 10**5  # bytes
ROUNDING = 1e-9  # of a mean, relatively
LARGEST_NUMBER, LONGEST_TEXT, MOST_ITEMS = 1e15, 2000, 100  # beyond what any card needs


@dataclass(frozen=True)
class Score:
    """Raw, undiscounted returns of some episodes."""

    mean: float
    std: float
    min: float
    max: float
    mean_length: float  # steps
    flags_reached: float | None  # per episode; None where there are no flags
    success_rate: float | None = None  # share of the episodes; None where the environment does not say
    stood_up_rate: float | None = None  # share of those who started lying that stood up in time; like the next
    seconds_to_stand: float | None = None  # of those that stood up at all

    def __post_init__(self) -> None:
        slack = ROUNDING * max(abs(self.min), abs(self.max))
        ordered = self.min - slack <= self.mean <= self.max + slack
        if not ordered or not 0.0 <= self.std <= self.max - self.min + slack:
            raise ValueError(f"the score {self.mean} +- {self.std}, {self.min} to {self.max} is of no episodes")


class Scores(NamedTuple):
    """What an agent scores over the same number of episodes each."""

    deterministic: Score  # of the most likely actions
    stochastic: Score  # of actions drawn from the policy
    by_start: dict[str, Score] | None = None  # of the most likely actions, where episodes can start in several ways

    @property
    def named(self) -> dict[str, Score]:
        """All of them, by the names under which they are shown."""
        starts = {f"from {start}": score for start, score in (self.by_start or {}).items()}
        return {"deterministic": self.deterministic, "stochastic": self.stochastic, **starts}


@dataclass(frozen=True)
class Stage:
    """A training, with whose agent the next one began."""

    agent: str  # as the next one named it
    command: str | None  # None: how it came about is not known, as of a clone
    total_steps: int | None


@dataclass(frozen=True)
class Card:
    """What is known of an agent; all of it was measured, or read from its training."""

    environment: str
    algorithm: str
    preset: str | None  # by name; None for the textbook values
    command: str  # that trains such an agent
    exact: bool  # whether it was trained so from the beginning; else settings or ranks were others on the way
    seed: int
    ranks: tuple[int, ...]  # of each stretch of the training between two starts
    total_steps: int
    seconds: float  # of training
    versions: dict[str, str | None]  # with which it was trained
    threshold: float | None  # the return at which the environment counts as solved, if it was registered with one
    manifest_sha256: str
    arrays_sha256: str
    episodes: int  # that each score is of
    evaluation_seed: int
    deterministic: Score  # this and the next two are `scores`
    stochastic: Score
    by_start: dict[str, Score] | None = None
    stages: tuple[Stage, ...] = ()  # the trainings before this one, the first one first

    def __post_init__(self) -> None:
        if self.episodes < 1:
            raise ValueError("its scores are of no episodes")

    @property
    def scores(self) -> Scores:
        return Scores(self.deterministic, self.stochastic, self.by_start)


def read_card(folder: Path) -> Card:
    """Return the card in an agent folder, which may come from a stranger.

    Raises:
      LoadError: there is none, or it is damaged or forged.
    """
    try:
        return _checked(Card, read_json(folder / CARD, LARGEST_CARD), "the card")
    except FileNotFoundError:
        raise LoadError(f"{folder} has no {CARD}; `zoo add RUN` makes an agent with a card") from None
    except (OSError, ValueError, RecursionError) as error:
        raise LoadError(f"{folder}: {CARD} cannot be read: {short(error)}") from None


def write_card(folder: Path, card: Card) -> None:
    """Write a card into an agent folder, in place of the one before.

    Raises:
      LoadError: it could not be read again, because the agent's own files say what makes no sense.
      WriteError: it could not be written.
    """
    try:
        text = json.dumps(asdict(card), indent=1, allow_nan=False)
        _checked(Card, json.loads(text), "the card")
    except (ValueError, TypeError) as error:
        raise LoadError(f"{folder}: no card can be written of it: {short(error)}") from None
    write_whole(folder / CARD, text + "\n")


def _checked(kind: Any, value: Any, name: str) -> Any:
    """Return a value read from JSON as the type that a field is declared with.

    Raises:
      ValueError: it is of another type, or not of a size that makes sense.
    """
    if is_dataclass(kind):
        return _filled(kind, value, name)
    if get_origin(kind) in (Union, types.UnionType):
        (inner,) = (part for part in get_args(kind) if part is not type(None))
        return None if value is None else _checked(inner, value, name)
    if get_origin(kind) is tuple and isinstance(value, list) and len(value) <= MOST_ITEMS:
        return tuple(_checked(get_args(kind)[0], item, name) for item in value)
    if get_origin(kind) is dict and isinstance(value, dict) and len(value) <= MOST_ITEMS:
        key_kind, item_kind = get_args(kind)
        return {_checked(key_kind, key, name): _checked(item_kind, item, name) for key, item in value.items()}
    if kind is str and isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_TEXT:
        return value
    if kind is bool and type(value) is bool:
        return value
    if kind is int and type(value) is int and 0 <= value <= LARGEST_NUMBER:
        return value
    if kind is float and type(value) in (int, float) and abs(value) <= LARGEST_NUMBER:  # nor nan
        return float(value)
    raise ValueError(f"{name} is {value!r}")


def _filled(kind: Any, value: Any, name: str) -> Any:
    """Return an object of a dataclass from JSON with exactly its fields; one with a default may be missing."""
    names = {item.name for item in fields(kind)}
    needed = {item.name for item in fields(kind) if item.default is MISSING}
    if not isinstance(value, dict) or not needed <= set(value) <= names:
        raise ValueError(f"{name} has not just the fields {', '.join(sorted(names))}")
    hints = get_type_hints(kind)
    return kind(**{field: _checked(hints[field], item, field) for field, item in value.items()})
