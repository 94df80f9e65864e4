"""What an environment may change of the process, and we rely on: apart from ours, or set again after its calls."""

from __future__ import annotations

import contextvars
import functools
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from baselines_ppo.common.envs.foreign import begin_training, end_training, leave_if_forked
from baselines_ppo.common.envs.treatment import STREAMS
from baselines_ppo.common.job.launcher import RANK_VARIABLES, SIZE_VARIABLES
from baselines_ppo.common.job.signals import StopSignals
from baselines_ppo.common.job.threads import RESULT_VARIABLES

SETTINGS = (*RANK_VARIABLES, *SIZE_VARIABLES, *RESULT_VARIABLES, "XLA_FLAGS")
OUTPUTS = ("stdout", "stderr")


class ProcessState:
    """The process as it was when a training began; until `end` nobody leaves it unseen.

    The working folder is not set again while it goes on: a simulator may work in one of its own, so every path of ours
    is absolute. It is given back at the end.
    """

    def __init__(self, signals: StopSignals) -> None:
        self.signals = signals
        try:
            self._folder: Path | None = Path.cwd()
        except OSError:  # it was removed
            self._folder = None
        self._umask = os.umask(0o022)
        os.umask(self._umask)
        self._variables = {name: os.environ.get(name) for name in SETTINGS}
        self._modules = list(sys.path)
        self._random = {name: stream.get() for name, stream in STREAMS.items()}
        self._filters = self._known = list(warnings.filters)
        self._copies = {name: _copy(getattr(sys, name)) for name in OUTPUTS}
        self._depth = sys.getrecursionlimit()
        begin_training()
        self._context = contextvars.copy_context()  # theirs: of numpy's error state, among others

    @property
    def folder(self) -> Path:
        """The working folder, as it was."""
        return self._folder or Path("/")

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call what belongs to an environment; what is needed between two of its steps is set again at once."""
        streams = {name: getattr(sys, name) for name in OUTPUTS}
        try:
            return self._context.run(function, *arguments)
        finally:
            leave_if_forked(sys.exc_info()[1])
            if sys.getrecursionlimit() < self._depth:
                sys.setrecursionlimit(self._depth)
            if warnings.filters != self._known:
                self._keep_warnings_harmless()
            self.signals.renew()
            for name, stream in streams.items():
                if getattr(sys, name) is not stream or getattr(stream, "closed", False):
                    self._put_back(name, stream)
            if sys.exc_info()[0] is not None:  # how all ranks end depends on it
                self.set_again()

    def set_again(self) -> None:
        """Set the rest again, which matters once per iteration."""
        self.signals.renew_bell()
        for descriptor, name in enumerate(OUTPUTS, start=1):
            copy = self._copies[name]
            if copy is not None and not _is_open(descriptor):
                os.dup2(copy.fileno(), descriptor)
        os.umask(self._umask)
        for variable, value in self._variables.items():
            if value is None:
                os.environ.pop(variable, None)
            elif os.environ.get(variable) != value:
                os.environ[variable] = value
        sys.path.extend(entry for entry in self._modules if entry not in sys.path)

    def end(self) -> None:
        """Give back the process as it was, the caller's random streams included."""
        end_training()
        self.set_again()
        for name, state in self._random.items():
            STREAMS[name].set(state)
        if self._folder is not None:
            with suppress(OSError):  # it was removed meanwhile
                os.chdir(self._folder)
        for name, copy in self._copies.items():
            if copy is not None and getattr(sys, name) is not copy:
                copy.close()

    def _put_back(self, name: str, stream: TextIO) -> None:
        """Put a stream back that was replaced, or a copy of one that was closed."""
        copy = self._copies[name]
        setattr(sys, name, copy if getattr(stream, "closed", False) and copy is not None else stream)

    def _keep_warnings_harmless(self) -> None:
        """Let warnings that an environment wants as errors be warnings again; what it hides may stay hidden."""
        self._known = [item for item in warnings.filters if item[0] != "error" or item in self._filters]
        warnings.filters[:] = self._known  # type: ignore[index]  # typed as what may not be changed
        with warnings.catch_warnings():  # at whose end Python looks at them anew
            pass


class Apart:
    """Environments as they are, but that each of their calls leaves the process as we need it."""

    def __init__(self, environments: Any, process: ProcessState) -> None:
        self._environments, self._process = environments, process

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._environments, name)
        if not callable(found):
            return found
        called = functools.partial(self._process.call, found)
        self.__dict__[name] = called  # so that Python comes here but once
        return called


def _copy(stream: TextIO | None) -> TextIO | None:
    """Return a stream to the same file that nobody else can close, or None where there is no file, as in a notebook."""
    try:
        assert stream is not None
        descriptor = os.dup(stream.fileno())
    except (AssertionError, AttributeError, OSError, ValueError):
        return None
    return os.fdopen(descriptor, "w", buffering=1, encoding=stream.encoding, errors=stream.errors)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
