"""Failures that a user can act on: one line that says what, where and what to do, and an exit code."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable, Iterable

FINISHED = 0
STOPPED_BY_SIGNAL = 75  # SIGTERM or SIGUSR1, checkpoint written: "requeue me"
STOPPED_BY_CTRL_C = 130
LONGEST_QUOTE = 200  # characters
NOTHING_SAVED = "no checkpoint was written yet"
OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Unicode's categories of what is no letter, sign or space
STUCK = 70  # a rank did not come in time, or the grace after a stop signal was over


class Failure(Exception):
    """Ends the job on all ranks with this message, without a traceback."""

    exit_code = 1


class UsageError(Failure):
    """A wrong flag, value, environment or configuration."""

    exit_code = 2


class DataError(Failure):
    """The environment or the arithmetic gave something that is not usable: NaN, wrong shape, ranks apart."""

    exit_code = 65


class LoadError(Failure):
    """A checkpoint or an agent is missing, damaged or refused."""

    exit_code = 66


class ModuleNotNamed(LoadError):
    """A file names a module, whose import would run code, and the command line does not."""


class WriteError(Failure):
    """A folder or file cannot be written."""

    exit_code = 74


def readable(text: str) -> str:
    """Return text with what a terminal would obey written by its number, such as \\x1b; lines stay lines."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in OBEYED else _number(c) for c in text)


def printable(said: object) -> str:
    """Return what a stranger's code or file says, in one line; see `readable`."""
    try:
        text = str(said)
    except Exception as error:
        text = f"(its text raises {type(error).__name__})"
    return readable(" ".join(text.split()))


def short(said: object) -> str:
    """Return what a stranger's code or file says, in one printable line that is not too long."""
    line = printable(said)
    return line if len(line) <= LONGEST_QUOTE else f"{line[:LONGEST_QUOTE]}..."


def _number(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def nearest(word: str, known: Iterable[str], typed: Callable[[str], str] = str) -> str:
    """Return ' (did you mean A, B?)' with the known words nearest to `word`, as one types them, or ''."""
    matches = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f" (did you mean {', '.join(map(typed, matches))}?)" if matches else ""
