"""What is said where a window was asked for, and there is no screen to open it on."""

from __future__ import annotations

from baselines_ppo.common.failures import UsageError
from baselines_ppo.common.job.opengl import has_display

NO_DISPLAY = "there is no display here to open a window on"


def require_display() -> None:
    """Check that a window can be opened.

    Raises:
      UsageError: there is no display.
    """
    if not has_display():
        raise UsageError(
            f"{NO_DISPLAY}; train without --play, and see the agent in a browser with play --browser, "
            "in a film with record, or only its returns with play --headless"
        )
