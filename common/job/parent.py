"""Processes that end with the one that has started them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux's prctl


def ending_with_parent() -> Callable[[], None]:
    """Return what a child does first (`preexec_fn`), so that it saves and ends should its parent be killed.

    Nobody would know of it otherwise. The parent is the thread that starts it; where there is no Linux, nobody is.
    """
    parent = os.getpid()
    if sys.platform != "linux":
        return lambda: None
    library = ctypes.CDLL(None)  # found before the fork: a child of several threads may not load anything

    def begin() -> None:
        library.prctl(DIE_WITH_PARENT, int(signal.SIGTERM))
        if os.getppid() != parent:  # killed already
            os.kill(os.getpid(), signal.SIGTERM)

    return begin


@contextmanager
def killed_with_parent() -> Iterator[None]:
    """Let the kernel kill this process if its parent ends inside of this block; where there is no Linux, nobody does.

    For what no thread of this process could end, because it waits in C and holds Python's lock. The parent must not be
    one whose threads end before it.
    """
    if sys.platform != "linux":
        yield
        return
    library = ctypes.CDLL(None)
    library.prctl(DIE_WITH_PARENT, int(signal.SIGKILL))
    try:
        yield
    finally:
        library.prctl(DIE_WITH_PARENT, 0)
