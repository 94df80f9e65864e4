"""Whether there is a screen to open a window on."""

from __future__ import annotations

import os
import sys

from baselines_ppo.common.failures import UsageError


def require_display() -> None:
    """Check that a window can be opened.

    Raises:
      UsageError: there is no display.
    """
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise UsageError(
            "playing opens a window, and there is no display here; play on a desktop or over ssh -X, "
            "or see the agent's score with the command evaluate"
        )
