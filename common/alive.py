"""Signs of life: who is stuck, and the end of a job in which nothing moves any more.

Every rank notes what it does on a board that all can read. A thread on each rank looks at it; where others are waited
for and give no sign for too long, it names them and ends the job instead of letting it hang for ever.
"""

from __future__ import annotations

import faulthandler
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from baselines_ppo.common.board import Board, Sign, open_board
from baselines_ppo.common.failures import STUCK
from baselines_ppo.common.files import open_text
from baselines_ppo.common.signals import Asked

FIRST_FACTOR = 3.0  # times the timeout, until the first iteration is done: programs are loaded and compiled
PAUSE = 0.25  # s, between two looks
LAPSE = 5.0  # s; if there is more between two looks, the computer slept or the process was stopped
STACK_AT = 0.8  # of the time until the end: who is stuck writes down where
OTHERS_FIRST = 3.0  # s, that those who know less leave the others
SAVING = "saving"  # what a stop signal waits for


class Watch(NamedTuple):
    """What the thread needs to know."""

    timeout: float  # s without a sign of life
    grace: float  # s, from a stop signal to the end
    asked: Callable[[], Asked | None]  # this rank's own stop signal
    end: Callable[[int, str], None]  # end the job with an exit code and a message


class Alive:
    """This rank's signs of life; before `begin` they cost nothing, and nobody watches."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self._clear()

    def _clear(self) -> None:
        self.warm = False  # whether the first iteration is done
        self.rescue: Callable[[], str | None] = lambda: None  # write what was kept in memory; returns its name
        self._moved, self._doing, self._waits_for = time.time(), "starting", ""
        self._since = self._moved  # before which no silence counts
        self._collectives = 0
        self._asked: Asked | None = None
        self._rescuing = False
        self._board = Board()
        self._log: TextIO | None = None  # for the stacks of this rank's threads
        self._log_of: Callable[[int], Path] | None = None  # any rank's log
        self._stack_of = -1.0  # the sign of life after which a stack was written
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, doing: str) -> None:
        """Say what this rank begins to do."""
        self._moved, self._doing = time.time(), doing
        self._write()

    def enter(self, collective: str) -> None:
        """Say that this rank waits for the others."""
        self._collectives += 1
        self._moved, self._waits_for = time.time(), collective
        self._write()

    def leave(self) -> None:
        """Say that the others came."""
        self._moved, self._waits_for = time.time(), ""
        self._write()

    def begin(self, watch: Watch) -> None:
        """Watch over the job from now on; all ranks are at the same point."""
        self._clear()
        self._thread = threading.Thread(target=self._look_on, args=(watch,), name="alive", daemon=True)
        self._thread.start()

    def share(self, board: Path, log_of: Callable[[int], Path]) -> None:
        """Let the ranks see each other's signs from now on, and write down where they hang."""
        self._log_of = log_of
        with suppress(OSError):  # there is no such place, as on another host: then to the screen
            self._log = open_text(log_of(self.rank), "a")
        if self._log is not None and self.size > 1:  # stacks of several ranks would be mixed up on the screen
            faulthandler.enable(file=self._log)
        self._board = open_board(board, self.size)
        self._write()

    def end(self) -> None:
        """Watch no more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        faulthandler.cancel_dump_traceback_later()
        if self._log is not None:
            if self.size > 1:
                faulthandler.enable()
            self._log.close()
        self._board.close()
        self._clear()

    def signs(self) -> list[Sign]:
        """Return what all ranks said last; of none where there is no file to read it from."""
        return self._board.read()

    def _write(self) -> None:
        doing = f"waiting for {self._waits_for}" if self._waits_for else self._doing
        asked = self._asked or Asked(0.0, 0)
        self._board.write(self.rank, Sign(0.0, self._collectives, *asked, SAVING if self._rescuing else doing))

    def _look_on(self, watch: Watch) -> None:
        looked = time.time()
        while not self._stopped.wait(PAUSE):
            now = time.time()
            if not 0 <= now - looked < LAPSE:
                self._since = now
            looked = now
            self._look(watch, now)

    def _look(self, watch: Watch, now: float) -> None:
        limit = watch.timeout * (1.0 if self.warm else FIRST_FACTOR)
        with suppress(OSError, ValueError):  # should not even this thread get its turn any more, a timer in C writes
            faulthandler.dump_traceback_later(limit, file=self._log or sys.stderr)
        signs, asked = self._board.read(), self._stop_signal(watch)
        still = now - max(self._moved, self._since)
        waited = 0.0 if asked is None else now - max(asked.at, self._since)
        if not self._waits_for and (still > STACK_AT * limit or waited > STACK_AT * watch.grace):
            self._write_stack()
        knows_most = self.size == 1 or bool(self._waits_for) == self._board.shared
        first = self.rank == 0  # holds what was kept
        if self._silence(now, signs) > limit + (0.0 if knows_most else OTHERS_FIRST):
            watch.end(STUCK, self._report(still, now, signs))
        elif asked is not None and waited > watch.grace + (0.0 if first else OTHERS_FIRST) and not self._saving(signs):
            self._stop(watch, asked, f"stop was asked for {waited:.0f} s ago; ", self._report(still, now, signs))
        else:
            return
        self._since = now  # who is still here was only warned

    def _stop_signal(self, watch: Watch) -> Asked | None:
        """Return the first stop signal that any rank got; tells the others of its own."""
        if self._asked is None:
            self._asked = watch.asked()
            if self._asked is not None:
                self._write()
        seen = [Asked(sign.asked_at, sign.exit_code) for sign in self._board.read() if sign.asked_at]
        return min([*seen, *([self._asked] if self._asked else [])], default=None)

    def _saving(self, signs: list[Sign]) -> bool:
        return self._doing == SAVING or (bool(signs) and signs[0].doing == SAVING)

    def _stop(self, watch: Watch, asked: Asked, told: str, report: str) -> None:
        """End a job that a stop signal has waited for too long, with what was kept in memory if there is any."""
        self._rescuing = True
        self._write()
        saved = self.rescue()
        self._rescuing = False
        if saved is None:
            watch.end(STUCK, told + report)
        else:
            watch.end(asked.exit_code, f"{told}{saved} written")

    def _missing(self, signs: list[Sign]) -> list[int]:
        """Return the ranks that have not come to where this one waits."""
        return [rank for rank, sign in enumerate(signs) if sign.collectives < self._collectives]

    def _silence(self, now: float, signs: list[Sign]) -> float:
        """Return for how many seconds this rank, or the longest silent of those that it waits for, gave no sign."""
        still = now - max(self._moved, self._since)
        missing = self._missing(signs) if self._waits_for else []
        if not missing:
            return still
        oldest = min(signs[rank].time for rank in missing)
        return min(still, now - max(oldest, self._since))

    def _report(self, still: float, now: float, signs: list[Sign]) -> str:
        """Return who is stuck, for all that is known here."""
        if not self._waits_for:
            return f"no sign of life for {still:.0f} s ({self._doing}){self._stack(self.rank)}"
        named = [self._named(rank, signs[rank], now) for rank in self._missing(signs)]
        return f"waited {still:.0f} s for {self._waits_for}; not arrived: {', '.join(named) or 'nobody knows'}"

    def _named(self, rank: int, sign: Sign, now: float) -> str:
        said = f"{sign.doing}, last sign of life {now - sign.time:.0f} s ago" if sign.time else "no sign of life yet"
        return f"rank {rank} ({said}{self._stack(rank)})"

    def _stack(self, rank: int) -> str:
        return "" if self._log_of is None else f"; its stack is in {self._log_of(rank)}"

    def _write_stack(self) -> None:
        """Write down where this rank is, once for every time that it stands still."""
        if self._stack_of == self._moved:
            return
        self._stack_of = self._moved
        log: Any = self._log or sys.stderr
        with suppress(OSError, ValueError):
            log.write(f"{time.strftime('%F %T')} no sign of life ({self._doing}):\n")
            log.flush()
            faulthandler.dump_traceback(file=log)
