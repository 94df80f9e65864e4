"""Signs of life: who is stuck, and the end of a job in which nothing moves any more.

Every rank notes what it does in its record of a file that all share. A thread on each rank looks at them; where the
others are waited for too long it names those that did not come, and ends the job instead of letting it hang for ever.
"""

from __future__ import annotations

import faulthandler
import mmap
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TextIO

from baselines_ppo.common.failures import STOPPED_BY_SIGNAL, STUCK

RECORD = struct.Struct("<dq80s")  # s since the epoch, collectives that were entered, what the rank does
FIRST_FACTOR = 3.0  # times the timeout, until the first iteration is done: programs are loaded and compiled
PAUSE = 0.25  # s, between two looks
STACK_AT = 0.8  # of the time until the end: who is stuck writes down where
OTHERS_FIRST = 3.0  # s, that those who know less leave the others


class Sign(NamedTuple):
    """What a rank said last."""

    time: float  # s since the epoch
    collectives: int  # that it has entered
    doing: str


class Watch(NamedTuple):
    """What the thread needs to know."""

    board: mmap.mmap | None  # the records of all ranks
    log: TextIO  # of this rank, for the stacks of its threads
    log_name: Callable[[int], str]  # of any rank's log
    timeout: float  # s
    grace: float  # s, from a stop signal to the end
    asked: Callable[[], float | None]  # when a stop signal came, by the monotonic clock
    save: Callable[[], str | None]  # write what was kept in memory; returns what, on the rank that could
    end: Callable[[int, str], None]  # end the job with an exit code and a message


class Alive:
    """This rank's signs of life; before `begin` they cost nothing, and nobody watches."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self.warm = False  # whether the first iteration is done
        self._moved, self._doing, self._waits_for = time.monotonic(), "starting", ""
        self._collectives = 0
        self._watch: Watch | None = None
        self._stopped = threading.Event()
        self._stack_of = -1.0  # the sign of life after which a stack was written

    def note(self, doing: str) -> None:
        """Say what this rank begins to do."""
        self._moved, self._doing = time.monotonic(), doing
        self._write(doing)

    def enter(self, collective: str) -> None:
        """Say that this rank waits for the others."""
        self._collectives += 1
        self._moved, self._waits_for = time.monotonic(), collective
        self._write(f"waiting for {collective}")

    def leave(self) -> None:
        """Say that the others came."""
        self._moved, self._waits_for = time.monotonic(), ""
        self._write(self._doing)

    def begin(self, watch: Watch) -> None:
        """Watch over the job from now on."""
        self._watch, self._stopped, self.warm = watch, threading.Event(), False
        if self.size > 1:  # stacks of several ranks would be mixed up on the screen
            faulthandler.enable(file=watch.log)
        self._write(self._doing)
        threading.Thread(target=self._look_on, args=(watch, self._stopped), name="alive", daemon=True).start()

    def end(self) -> None:
        """Watch no more."""
        self._stopped.set()
        faulthandler.cancel_dump_traceback_later()
        if self.size > 1:
            faulthandler.enable()

    def signs(self) -> list[Sign]:
        """Return what all ranks said last; of none where there is no file to read it from."""
        if self._watch is None or self._watch.board is None:
            return []
        records = RECORD.iter_unpack(self._watch.board[: RECORD.size * self.size])
        return [Sign(at, count, doing.rstrip(b"\0").decode(errors="replace")) for at, count, doing in records]

    def _write(self, doing: str) -> None:
        if self._watch is not None and self._watch.board is not None:
            record = (time.time(), self._collectives, doing.encode()[:80])
            RECORD.pack_into(self._watch.board, RECORD.size * self.rank, *record)

    def _look_on(self, watch: Watch, stopped: threading.Event) -> None:
        while not stopped.wait(PAUSE):
            limit = watch.timeout * (1.0 if self.warm else FIRST_FACTOR)
            # Should not even this thread get its turn any more, a timer in C writes down where all hang.
            faulthandler.dump_traceback_later(limit, file=watch.log)
            now, asked = time.monotonic(), watch.asked()
            still = now - self._moved
            waited = 0.0 if asked is None or self._doing == "saving" else now - asked
            if not self._waits_for and (still > STACK_AT * limit or waited > STACK_AT * watch.grace):
                self._write_stack(watch.log)
            late = 0.0 if self._waits_for else OTHERS_FIRST
            if still > limit + late:
                watch.end(STUCK, self._report(still))
            elif waited > watch.grace + (0.0 if self.rank == 0 else OTHERS_FIRST):
                saved = watch.save()
                told = f"stop was asked for {waited:.0f} s ago; "
                if saved is None:
                    watch.end(STUCK, told + self._report(still))
                else:
                    watch.end(STOPPED_BY_SIGNAL, told + f"{saved} written")

    def _report(self, still: float) -> str:
        """Return who is stuck, for all that is known here."""
        watch, waits_for = self._watch, self._waits_for
        assert watch is not None
        if not waits_for:
            return f"no sign of life for {still:.0f} s ({self._doing}); its stack is in {watch.log_name(self.rank)}"
        signs = self.signs()
        missing = [rank for rank, sign in enumerate(signs) if sign.collectives < self._collectives]
        named = [
            f"rank {rank} ({signs[rank].doing}, last sign of life {time.time() - signs[rank].time:.0f} s ago; "
            f"its stack is in {watch.log_name(rank)})"
            for rank in missing
        ]
        return f"waited {still:.0f} s for {waits_for}; not arrived: {', '.join(named) or 'nobody knows'}"

    def _write_stack(self, log: TextIO) -> None:
        """Write down where this rank is, once for every time that it stands still."""
        if self._stack_of != self._moved:
            self._stack_of = self._moved
            with suppress(OSError, ValueError):
                log.write(f"{time.strftime('%F %T')} no sign of life ({self._doing}):\n")
                log.flush()
                faulthandler.dump_traceback(file=log)


def open_board(path: Path, size: int) -> mmap.mmap | None:
    """Return the records of `size` ranks, or None where the file system cannot share memory."""
    try:
        with path.open("r+b") as file:
            return mmap.mmap(file.fileno(), RECORD.size * size)
    except (OSError, ValueError):
        return None


def create_board(path: Path, size: int) -> None:
    """Make a file of empty records; where that cannot be done, nobody will know who is stuck."""
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(RECORD.size * size))


def open_log(path: Path) -> TextIO:
    """Return a rank's log, or standard error where there is no such place, as on another host."""
    try:
        return path.open("a")
    except OSError:
        return sys.stderr
