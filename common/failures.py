"""Failures that a user can act on: one line that says what, where and what to do, and an exit code."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

FINISHED = 0
STOPPED_BY_SIGNAL = 75  # SIGTERM or SIGUSR1, checkpoint written: "requeue me"
STOPPED_BY_CTRL_C = 130
LONGEST_QUOTE = 200  # characters
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


def short(text: object) -> str:
    """Return what a stranger's file made somebody say, in one printable line that is not too long."""
    line = "".join(c if c.isprintable() else " " for c in str(text))
    return line if len(line) <= LONGEST_QUOTE else f"{line[:LONGEST_QUOTE]}..."


def nearest(word: str, known: Iterable[str], typed: Callable[[str], str] = str) -> str:
    """Return ' (did you mean A, B?)' with the known words nearest to `word`, as one types them, or ''."""
    matches = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f" (did you mean {', '.join(map(typed, matches))}?)" if matches else ""
