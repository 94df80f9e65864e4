"""By which id a tracker knows a run: kept in its folder, so that a resumed run goes on where it was."""

from __future__ import annotations

import json
import re
from pathlib import Path

from baselines_ppo.common.files.run_folder import TRACKERS
from baselines_ppo.common.files.strict_json import parsed
from baselines_ppo.common.files.whole import open_text, write_whole

PLAIN = re.compile(r"[A-Za-z0-9_-]{1,128}")


def kept(folder: Path, tracker: str) -> str | None:
    """Return a run's id in a tracker; None where there is none, or the file says something else."""
    known = _known(folder).get(tracker)
    return known if isinstance(known, str) and PLAIN.fullmatch(known) else None


def keep(folder: Path, tracker: str, identity: str) -> None:
    """Write down a run's id in a tracker.

    Raises:
      WriteError: it could not be written.
    """
    known = {**_known(folder), tracker: identity}
    write_whole(folder / TRACKERS, json.dumps(known, indent=1) + "\n")


def _known(folder: Path) -> dict[str, object]:
    try:
        with open_text(folder / TRACKERS, "r") as file:
            found = parsed(file.read())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
