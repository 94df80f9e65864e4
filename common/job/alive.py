"""Signs of life: who is stuck, and the end of a job in which nothing moves any more.

Every rank notes what it does on a board that all can read. A thread on each rank looks at it; where others are waited
for and give no sign for too long, it names them and ends the job instead of letting it hang for ever.
"""

from __future__ import annotations

import faulthandler
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic, strftime, time
from typing import Any, NamedTuple, TextIO

from baselines_ppo.common.failures import NOTHING_SAVED, STOPPED_BY_CTRL_C, STUCK
from baselines_ppo.common.files.whole import open_text
from baselines_ppo.common.job.board import Board, Sign, open_board
from baselines_ppo.common.job.heartbeat import Heartbeat
from baselines_ppo.common.job.signals import Asked

FIRST_FACTOR = 3.0  # times the timeout, until the first iteration is done, as programs are loaded and compiled
PAUSE = 0.25  # s, between two looks
LONGEST_PAUSE = 1.0  # s; what is beyond between two looks, the process was stopped or the computer slept
STACK_AT = 0.8  # of the time until the end: who is stuck writes down where
OBEYED_WITHIN = 1.0  # s, that Python takes to obey a second Ctrl-C, unless it is in the middle of learning
OTHERS_FIRST = 3.0  # s, that those who know less leave the others


class Watch(NamedTuple):
    """What the thread needs to know."""

    timeout: float  # s without a sign of life
    grace: float  # s, from a stop signal to the end
    asked: Callable[[], Asked | None]  # this rank's own stop signal
    insisted: Callable[[], float | None]  # when a second Ctrl-C came, s since the epoch
    end: Callable[[int, str], None]  # end the job with an exit code and a message


class Alive:
    """This rank's signs of life; before `begin` they cost nothing, and nobody watches."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self.saved = False  # whether there is a checkpoint that the run can go on from
        self._clear()

    def _clear(self) -> None:
        self.warm = False  # whether the first iteration is done
        self.stuck_code = STUCK  # with which a job ends in which nothing moves; another one when all is saved
        self.rescue: Callable[[], str | None] = lambda: None  # write what was kept in memory; returns its name
        self.heartbeat = Heartbeat()
        self._moved, self._doing, self._waits_for = time(), "starting", ""
        self._saving = self._rescuing = self._brief = False
        self._collectives = 0
        self._asked: Asked | None = None  # of this rank
        self._obeyed = False  # whether a stop signal has had its end, or its warning
        self._awake = 0.0  # s, for which the watch was awake; the clock by which silence is measured
        self._heard: dict[int, tuple[Sign, float]] = {}  # by rank, its last sign and when it was seen, by that clock
        self._board = Board()
        self._log: TextIO | None = None  # for the stacks of this rank's threads
        self._log_of: Callable[[int], Path] | None = None  # any rank's log
        self._stack_of = -1.0  # the sign of life after which a stack was written
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, doing: str, saving: bool = False, brief: bool = False) -> None:
        """Say what this rank begins to do.

        Args:
          saving: a stop signal waits for it, however long it takes.
          brief: it loads and compiles nothing, so that one timeout is enough for it also before the first iteration.
        """
        self._moved, self._doing, self._saving, self._brief = time(), doing, saving, brief
        self._write()

    def enter(self, collective: str) -> None:
        """Say that this rank waits for the others."""
        self._collectives += 1
        self._moved, self._waits_for = time(), collective
        self._write()

    def leave(self) -> None:
        """Say that the others came."""
        self._moved, self._waits_for = time(), ""
        self._write()

    def begin(self, watch: Watch) -> None:
        """Watch over the job from now on; all ranks are at the same point."""
        self._clear()
        self.saved = False
        if self.rank == 0:
            self.heartbeat.begin()
        self._thread = threading.Thread(target=self._look_on, args=(watch, self._stopped), name="alive", daemon=True)
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

    def _sign(self) -> Sign:
        doing = f"waiting for {self._waits_for}" if self._waits_for else self._doing
        asked = self._asked or Asked(0.0, 0)
        return Sign(self._moved, self._collectives, *asked, self._saving or self._rescuing, doing)

    def _write(self) -> None:
        self._board.write(self.rank, self._sign())

    def _look_on(self, watch: Watch, stopped: threading.Event) -> None:
        looked = monotonic()
        while not stopped.wait(PAUSE):
            now = monotonic()
            passed = min(now - looked, LONGEST_PAUSE)
            self._awake += passed
            looked = now
            self._look(watch)
            with suppress(Exception):  # a line that is not shown ends no job
                self.heartbeat.look(passed, self._sign().doing, time() - self._moved)

    def _look(self, watch: Watch) -> None:
        limit = watch.timeout * (1.0 if self.warm or self._brief else FIRST_FACTOR)
        with suppress(Exception):  # should not even this thread get its turn any more, a timer in C writes
            faulthandler.dump_traceback_later(limit, file=self._where_to_write())
        signs, asked = self._hear(), self._stop_signal(watch)
        still, silence = self._silence_of(self.rank), self._silence(signs)
        waited, insisted = 0.0 if asked is None else time() - asked.at, watch.insisted()
        if not self._waits_for and (still > STACK_AT * limit or waited > STACK_AT * watch.grace):
            self._write_stack()
        # With a board those who wait know who is missing; without one only the rank that is stuck knows that it is.
        knows = self.size == 1 or bool(self._waits_for) == self._board.shared
        saving = any(sign.saving for sign in (self._sign(), *signs[:1]))
        if insisted is not None and time() - insisted > OBEYED_WITHIN and not self._obeyed:
            self._obeyed = True
            watch.end(STOPPED_BY_CTRL_C, f"stopped at once; {self.way_on()}")
        elif silence > limit + (0.0 if knows else OTHERS_FIRST):
            watch.end(self.stuck_code, f"{self._report(still, signs)}; {self.way_on()}")
            self._heard.clear()  # who is still here was only warned
        elif asked and not (self._obeyed or saving) and waited > watch.grace + (OTHERS_FIRST if self.rank else 0.0):
            self._obeyed = True
            self._stop(watch, asked, f"stop was asked for {waited:.0f} s ago; ", self._report(still, signs))

    def _hear(self) -> list[Sign]:
        """Return what all ranks said last, after noting what is new of it."""
        signs = self._board.read()
        for rank, sign in {self.rank: self._sign(), **dict(enumerate(signs))}.items():
            if rank not in self._heard or self._heard[rank][0] != sign:
                self._heard[rank] = sign, self._awake
        return signs

    def _silence_of(self, rank: int) -> float:
        """Return for how many seconds a rank has said nothing new."""
        return self._awake - self._heard[rank][1]

    def _silence(self, signs: list[Sign]) -> float:
        """Return for how many seconds nothing moves: this rank, or the longest silent of those that it waits for."""
        still = self._silence_of(self.rank)
        if not self._waits_for or not signs:
            return still
        missing = self._missing(signs)
        others = map(self._silence_of, missing or range(len(signs)))
        return min(still, max(others) if missing else min(others))

    def _missing(self, signs: list[Sign]) -> list[int]:
        """Return the ranks that have not come to where this one waits."""
        return [rank for rank, sign in enumerate(signs) if sign.collectives < self._collectives]

    def _stop_signal(self, watch: Watch) -> Asked | None:
        """Return the first stop signal that any rank got; tells the others of this rank's."""
        if self._asked is None:
            self._asked = watch.asked()
            if self._asked is not None:
                self._write()
        signs = [self._sign(), *(sign for sign, _ in self._heard.values())]
        return min((Asked(sign.asked_at, sign.exit_code) for sign in signs if sign.asked_at), default=None)

    def _stop(self, watch: Watch, asked: Asked, told: str, report: str) -> None:
        """End a job that a stop signal has waited for too long, with what was kept in memory if there is any."""
        self._rescuing = True
        self._write()
        saved = self.rescue()
        self._rescuing = False
        if saved is None:
            watch.end(STUCK, f"{told}{report}; {self.way_on()}")
        else:
            self.saved = True
            watch.end(asked.exit_code, f"{told}{saved} written; {self.way_on()}")

    def way_on(self) -> str:
        """Return in words what a job that ends now can be gone on from."""
        return "go on from the last checkpoint with --resume" if self.saved else NOTHING_SAVED

    def _report(self, still: float, signs: list[Sign]) -> str:
        """Return who is stuck, for all that is known here."""
        if not self._waits_for:
            return f"no sign of life for {still:.0f} s ({self._doing}){self._stack(self.rank)}"
        named = [self._named(rank, signs[rank]) for rank in self._missing(signs)]
        return f"waited {still:.0f} s for {self._waits_for}; not arrived: {', '.join(named) or 'nobody knows'}"

    def _named(self, rank: int, sign: Sign) -> str:
        ago = f"last sign of life {time() - sign.time:.0f} s ago" if sign.time else "no sign of life yet"
        return f"rank {rank} ({sign.doing or 'starting'}, {ago}{self._stack(rank)})"

    def _stack(self, rank: int) -> str:
        return "" if self._log_of is None else f"; its stack is in {self._log_of(rank)}"

    def _where_to_write(self) -> Any:
        return self._log or sys.__stderr__

    def write_down(self, text: str) -> None:
        """Write into this rank's log, if there is one."""
        with suppress(OSError, ValueError):
            if self._log is not None:
                self._log.write(f"{strftime('%F %T')} {text}")
                self._log.flush()

    def _write_stack(self) -> None:
        """Write down where this rank is, once for every time that it stands still."""
        if self._stack_of == self._moved:
            return
        self._stack_of = self._moved
        log = self._where_to_write()
        with suppress(Exception):  # there may be no screen to write it on
            log.write(f"{strftime('%F %T')} no sign of life ({self._doing}):\n")
            log.flush()
            faulthandler.dump_traceback(file=log)
