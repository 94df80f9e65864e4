"""What every rank did last, in one file that the ranks of a host all map; and a log for each rank beside it."""

from __future__ import annotations

import mmap
import struct
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from baselines_ppo.common.files.whole import open_bytes

RECORD = struct.Struct("<dqdq?80s")  # the fields of Sign


class Sign(NamedTuple):
    """What a rank said last."""

    time: float = 0.0  # s since the epoch; 0: nothing yet
    collectives: int = 0  # that it has entered
    asked_at: float = 0.0  # s since the epoch, when it got a stop signal; 0: none
    exit_code: int = 0  # that the signal asks for
    saving: bool = False  # what a stop signal waits for, however long it takes
    doing: str = ""


class Board:
    """The records of all ranks; without a file, of none."""

    def __init__(self, memory: mmap.mmap | None = None, size: int = 0) -> None:
        self._memory, self._size = memory, size

    @property
    def shared(self) -> bool:
        """Whether the ranks see each other here."""
        return self._memory is not None

    def write(self, rank: int, sign: Sign) -> None:
        """Replace a rank's record."""
        if self._memory is not None:
            # In one piece: packed in place, a record is seen empty before it is seen new.
            begin = RECORD.size * rank
            self._memory[begin : begin + RECORD.size] = RECORD.pack(*sign[:-1], sign.doing.encode()[:80])

    def read(self) -> list[Sign]:
        """Return what all ranks said last."""
        if self._memory is None:
            return []
        records = RECORD.iter_unpack(self._memory[: RECORD.size * self._size])
        return [Sign._make((*record[:-1], record[-1].rstrip(b"\0").decode(errors="replace"))) for record in records]

    def close(self) -> None:
        """Give the file back; nothing is written or read any more."""
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.close()


def create_board(path: Path, size: int) -> None:
    """Make a file of empty records; where that cannot be done, nobody will know who is stuck."""
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        with open_bytes(path, "wb") as file:
            file.write(bytes(RECORD.size * size))


def open_board(path: Path, size: int) -> Board:
    """Return the records of `size` ranks; of none where the file system cannot share memory."""
    try:
        with open_bytes(path, "r+b") as file:
            return Board(mmap.mmap(file.fileno(), RECORD.size * size), size)
    except (OSError, ValueError):
        return Board()
