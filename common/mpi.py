"""The ranks' common language; the only module that imports mpi4py. Without MPI the same code runs on one rank."""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import zlib
from collections.abc import Callable, Mapping, Sequence
from time import monotonic, perf_counter, sleep
from typing import Any, TypeVar

import numpy as np

from baselines_ppo.common.failures import DataError, Failure, UsageError
from baselines_ppo.common.job import launcher
from baselines_ppo.common.job.alive import Alive
from baselines_ppo.common.job.messages import Buffer, Messages
from baselines_ppo.common.moments import Moments, merge_moments, moments_of

T = TypeVar("T")

TAGS = 4093  # so many there are
YIELDS = 200  # tests of a request that only give way, before the waiting rank begins to sleep
SHORT_SLEEP, LONG_SLEEP = 50e-6, 1e-3  # seconds; the long one after a second of waiting
LAST_WORDS = 0.3  # seconds
LEAVE_TOGETHER = 3.0  # seconds that a failing rank waits for the others to fail alike


class Comm:
    """What the ranks say to each other. Every rank must make the same calls in the same order.

    Waiting is polite: a rank that is early tests its request and gives way, so that more ranks than cores do not
    burn each other's time, and that signals are handled (during the learning of an iteration, when that ends).
    Every call says what it is `of`; a tag made of that and of how many calls there were goes along, so that ranks
    that are not at the same point are told instead of given wrong numbers.
    """

    def __init__(self, mpi_comm: Any = None) -> None:
        self._comm = mpi_comm
        self._exit_comm = mpi_comm.Dup() if mpi_comm is not None else None  # never waits behind a lost collective
        self.rank: int = mpi_comm.Get_rank() if mpi_comm is not None else 0
        self.size: int = mpi_comm.Get_size() if mpi_comm is not None else 1
        self.is_root = self.rank == 0
        self.alive = Alive(self.rank, self.size)
        self.messages = Messages()
        self._calls = 0
        self._sent, self._received = Buffer(), Buffer()

    def sum(self, x: np.ndarray, of: str = "numbers") -> np.ndarray:
        """Return the elementwise sum over ranks, of the same shape and dtype; bit for bit the same on all.

        A power of two of ranks is added up in a binary tree, neighbours first, as `tree_sum` of their rows has it.

        Args:
          x: numbers of at least 32 bits.

        Raises:
          DataError: the ranks are not at the same point.
        """
        x = np.ascontiguousarray(x)
        if x.dtype.itemsize < 4:
            raise TypeError(f"the sum of {of} is of {x.dtype}, expected numbers of at least 32 bits")
        if self.size == 1:
            return x
        tag = self._tag(of)
        sent, total = self._sent.of(x.size + 1, x.dtype), self._received.of(x.size + 1, x.dtype)
        sent[:-1], sent[-1] = x.reshape(-1), tag
        if self.size == 2 or self.size & (self.size - 1):  # MPI adds two in one way only; of others it may choose
            halves = 2 * sent.nbytes * (self.size - 1) // self.size  # there and back, by the least that is known
            self._wait(lambda: [self._comm.Iallreduce(sent, total)], f"the sum of {of}", halves)
        else:
            self._add_up(sent, total, f"the sum of {of}")
        if total[-1] != self.size * tag:
            raise DataError(f"ranks out of step at the sum of {of}; {self.alive.way_on()}")
        return total[:-1].reshape(x.shape).copy()

    def _add_up(self, own: np.ndarray, total: np.ndarray, of: str) -> None:
        """Fill `total` with the sum of all ranks' `own`: each adds up its pair, then with another its four, and so on.

        Both of a pair add the same two numbers in the same order. `own` does not stay.
        """
        distance = 1
        while distance < self.size:
            partner = self.rank ^ distance
            self._wait(lambda p=partner: [self._comm.Irecv(total, p), self._comm.Isend(own, p)], of, own.nbytes)  # type: ignore[misc]
            first, second = (own, total) if self.rank < partner else (total, own)
            np.add(first, second, out=own)
            distance *= 2
        total[:] = own

    def moments(self, samples: Sequence[np.ndarray]) -> Moments:
        """Return the moments of all ranks' samples together, bit for bit the same on any number of ranks.

        Args:
          samples: this rank's, one array [B, ...] for each of its environments; as many on every rank.
        """
        own = [moments_of(x) for x in samples]
        shape, size = own[0].mean.shape, own[0].mean.size
        packed = np.stack([np.concatenate([m.mean.ravel(), m.variance.ravel(), [m.samples]]) for m in own])
        rows = self.stack(packed, "moments").reshape(-1, 2 * size + 1)
        parts = [Moments(row[:size].reshape(shape), row[size:-1].reshape(shape), row[-1]) for row in rows]
        return functools.reduce(merge_moments, parts)

    def stack(self, x: np.ndarray, of: str = "arrays") -> np.ndarray:
        """Return the arrays of all ranks, [R, *x.shape], on every rank.

        Raises:
          DataError: the ranks are not at the same point, or their arrays differ in shape or type.
        """
        x = np.ascontiguousarray(x)
        if self.size == 1:
            return x[None]
        self.barrier(of, f"{x.dtype} {x.shape}")
        sent, rows = self._sent.of(x.size, x.dtype), self._received.of(self.size * x.size, x.dtype)
        sent[:] = x.reshape(-1)
        self._wait(lambda: [self._comm.Iallgather(sent, rows)], of, sent.nbytes * (self.size - 1))
        return rows.reshape(self.size, *x.shape).copy()

    def stack_all(self, arrays: Mapping[str, np.ndarray], of: str = "arrays") -> dict[str, np.ndarray]:
        """Return several arrays of all ranks, each [R, *x.shape], on every rank, by one collective for all of them.

        Raises:
          DataError: the ranks are not at the same point.
        """
        packed = np.concatenate([np.ascontiguousarray(x).reshape(-1).view(np.uint8) for x in arrays.values()])
        rows = self.stack(packed, of)
        parts = np.split(rows, np.cumsum([x.nbytes for x in arrays.values()])[:-1], axis=1)
        return {
            name: np.ascontiguousarray(part).view(x.dtype).reshape(self.size, *x.shape)
            for (name, x), part in zip(arrays.items(), parts, strict=True)
        }

    def gather(self, item: T, of: str = "items") -> list[T] | None:
        """Return the items of all ranks, in rank order, on rank 0; None elsewhere."""
        if self.size == 1:
            return [item]
        self.barrier(of)  # politely, because what follows blocks
        return self._comm.gather(item, root=0)

    def gather_all(self, item: T, of: str = "items") -> list[T]:
        """Return the items of all ranks, in rank order, on every rank."""
        if self.size == 1:
            return [item]
        packed = np.frombuffer(pickle.dumps(item), np.uint8)
        lengths = self.stack(np.array([len(packed)]), of)[:, 0]
        rows = self.stack(np.pad(packed, (0, lengths.max() - len(packed))), of)
        return [pickle.loads(row[:length].tobytes()) for row, length in zip(rows, lengths, strict=True)]

    def broadcast(self, item: T, of: str = "items") -> T:
        """Return rank 0's item on every rank."""
        if self.size == 1:
            return item
        self.barrier(of)
        return self._comm.bcast(item, root=0)

    def barrier(self, of: str = "all", alike: str = "") -> None:
        """Wait until every rank is here.

        Args:
          alike: what must be the same on all ranks, in words.

        Raises:
          DataError: some are elsewhere; names those that differ from rank 0.
        """
        if self.size == 1:
            return
        tags = np.empty(self.size, dtype=np.int64)
        own = np.array([self._tag(f"{of} {alike}")], dtype=np.int64)
        self._wait(lambda: [self._comm.Iallgather(own, tags)], of)
        if odd := [str(rank) for rank in range(self.size) if tags[rank] != tags[0]]:
            names = ", ".join(odd)
            raise DataError(f"ranks out of step at {of}: rank {names} is elsewhere; {self.alive.way_on()}")

    def on_root(self, function: Callable[[], T], of: str = "what rank 0 does") -> T:
        """Run the function on rank 0 and return its result, or raise its Failure, on every rank."""
        outcome: tuple[T | None, Failure | None] = (None, None)
        if self.is_root:
            try:
                outcome = (function(), None)
            except Failure as failure:
                outcome = (None, failure)
        result, raised = self.broadcast(outcome, of)
        if raised is not None:
            raise raised
        return result  # type: ignore[return-value]  # None only where the function returned it

    def assert_equal(self, arrays: dict[str, np.ndarray], when: str) -> None:
        """Check that all ranks hold the same arrays, bit for bit.

        Raises:
          DataError: they do not; names the ranks that differ from rank 0.
        """
        digest = hashlib.sha256()
        for name in sorted(arrays):
            digest.update(np.ascontiguousarray(arrays[name]).tobytes())
        digests = self.stack(np.frombuffer(digest.digest(), np.uint8), "digests")
        odd = [rank for rank in range(self.size) if not np.array_equal(digests[rank], digests[0])]
        if odd:
            names = ", ".join(map(str, odd))
            raise DataError(f"ranks out of sync {when}: rank {names} differs from rank 0; {self.alive.way_on()}")

    def together(self, function: Callable[[], T], of: str = "what all do") -> T:
        """Run the function on every rank and return its own result, or raise the first rank's Failure on all."""
        result, own = None, None
        try:
            result = function()
        except Failure as failure:
            own = failure
        first = next((failed for failed in self.gather_all(own, of) if failed is not None), None)
        if first is not None:
            raise first
        return result  # type: ignore[return-value]  # None only where the function returned it

    def leave_together(self, exit_code: int) -> bool:
        """Wait a moment for all ranks to leave with this code as well; False if some do not."""
        if self._exit_comm is None or self.size == 1:
            return True
        codes = np.zeros(self.size, dtype=np.int64)
        request = self._exit_comm.Iallgather(np.array([exit_code], dtype=np.int64), codes)
        deadline = monotonic() + LEAVE_TOGETHER
        while not request.Test():
            if monotonic() > deadline:
                return False
            sleep(LONG_SLEEP)
        return bool((codes == exit_code).all())

    def _tag(self, of: str) -> int:
        """Return what all ranks must have come to; so small that the sum over 4096 ranks is exact in float32."""
        self._calls += 1
        return zlib.crc32(f"{of} {self._calls}".encode()) % TAGS

    def _wait(self, begin: Callable[[], Sequence[Any]], of: str, sent: int = 0) -> None:
        """Make nonblocking MPI calls and wait for their end; counts the time, and the bytes that are sent."""
        self.alive.enter(of)
        begun = perf_counter()
        try:
            wait(*begin())
        except RuntimeError as error:  # of MPI, such as a message of another length
            raise DataError(f"ranks out of step at {of}: {error}; {self.alive.way_on()}") from None
        self.messages.count(perf_counter() - begun, sent)
        self.alive.leave()

    def finish(self) -> None:
        """Take leave of the other ranks, where this rank will not come to Python's own end."""
        if self._comm is not None:
            from mpi4py import MPI

            MPI.Finalize()

    def abort(self, exit_code: int) -> None:
        """End all ranks at once."""
        sleep(LAST_WORDS)  # mpirun drops what it has not yet read from a rank that aborts
        if self._comm is not None and self.size > 1:
            self._comm.Abort(exit_code)


def wait(*requests: Any) -> None:
    """Wait for nonblocking MPI calls without burning the core that a slower rank needs."""
    tests, begun = 0, 0.0
    while not all(request.Test() for request in requests):
        tests += 1
        if tests < YIELDS:
            os.sched_yield()
            continue
        begun = begun or monotonic()
        sleep(SHORT_SLEEP if monotonic() - begun < 1.0 else LONG_SLEEP)


@functools.cache
@launcher.ending_with_launcher()
def world() -> Comm:
    """Return the communicator of all ranks; starts MPI.

    Raises:
      UsageError: the launcher started several ranks, but this Python's MPI does not see them.
    """
    launched = launcher.launched_size()
    launcher.prepare_launch()
    try:
        import mpi4py

        if launcher.PMIX in os.environ:  # MPI is started below, if it understands that
            mpi4py.rc.initialize, mpi4py.rc.finalize = False, True
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        if launched > 1:
            raise UsageError(launcher.unloaded(error)) from None
        return Comm()
    library = launcher.library_of(MPI)
    if not MPI.Is_initialized():
        launcher.understood(library, MPI.__file__)
        MPI.Init_thread()
    if (launched > 1 or launcher.launched_rank() > 0) and MPI.COMM_WORLD.Get_size() == 1:
        raise UsageError(launcher.unseen(library))
    return Comm(MPI.COMM_WORLD)
