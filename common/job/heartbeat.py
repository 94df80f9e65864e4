"""A line of progress while nothing else is shown, so that what is slow can be told from what is stuck."""

from __future__ import annotations

from collections.abc import Callable

PATIENCE = 8.0  # s, after which there is a line; with what comes before and after, less than ten


class Heartbeat:
    """Says how far a run is whenever it has been quiet for some seconds; on rank 0, once `begin` was called."""

    def __init__(self) -> None:
        self._quiet = -float("inf")  # s, in which the process was awake; far away before `begin`
        self._describe: Callable[[str, float], str] = _plain
        self._say: Callable[[str], None] = _print
        self._patience = PATIENCE

    def begin(self, describe: Callable[[str, float], str] | None = None) -> None:
        """Speak from now on.

        Args:
          describe: makes a line of what is done and for how many seconds.
        """
        self._describe = describe or self._describe
        self._quiet = 0.0

    def speak_by(self, say: Callable[[str], None], patience: float) -> None:
        """Speak by another way than plain lines, after so many seconds."""
        self._say, self._patience = say, patience

    def shown(self) -> None:
        """Note that there is something new on the screen, or that an iteration begins."""
        self._quiet = min(self._quiet, 0.0)  # who has not begun stays silent

    def look(self, passed: float, doing: str, seconds: float) -> None:
        """Print a line if it is time for one.

        Args:
          passed: seconds since the last call.
          doing: what is done, for so many seconds.
        """
        self._quiet += passed
        if self._quiet >= self._patience:
            self.shown()
            self._say(self._describe(doing, seconds))


def _print(line: str) -> None:
    print(line, flush=True)


def _plain(doing: str, seconds: float) -> str:
    return f"{doing}, {seconds:.0f} s"
