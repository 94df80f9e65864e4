"""What a user means by naming an agent: a path, one that comes with the package, one checkpoint of a run."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from baselines_ppo.common.failures import LoadError, WriteError, nearest, short
from baselines_ppo.common.files.whole import check_given

PREFIX = "zoo:"
CHOICES = BEST, LAST = ("best", "last")  # of a run's checkpoints, behind a colon
MANIFESTS = "[!.]*/manifest.json"
AGENTS = Path(__file__).parents[2] / "zoo" / "agents"


def own_agents() -> Path:
    """Return the folder of the agents that a user adds where the package's own cannot be written."""
    data = Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share")
    with suppress(RuntimeError):  # nobody's home is known
        data = data.expanduser()
    return data / "baselines_ppo" / "agents"


def new_agents() -> Path:
    """Return the folder that a new agent is put into; makes the user's own if it is that one.

    Raises:
      WriteError: neither can be written.
    """
    if os.access(AGENTS, os.W_OK):
        return AGENTS
    folder = own_agents()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        cure = "let XDG_DATA_HOME name a folder that can be"
        raise WriteError(f"agents are put into {short(AGENTS)} or {short(folder)}, which cannot be written; {cure}")
    return folder


def names() -> list[str]:
    """Return the names of all pretrained agents, in alphabetical order."""
    return sorted({path.parent.name for folder in (own_agents(), AGENTS) for path in folder.glob(MANIFESTS)})


def folder_of(name: str) -> Path:
    """Return the folder of an agent that there is; the user's own comes first."""
    own = own_agents() / name
    return own if own.is_dir() else AGENTS / name


def locate(typed: str | Path) -> Path:
    """Return the path that a user means: one that exists, or that of a pretrained agent, `zoo:NAME` or just NAME.

    The names of our own robots may be given without the Robo.

    Raises:
      LoadError: there is neither.
    """
    return located(typed)[0]


def located(typed: str | Path) -> tuple[Path, str | None]:
    """Return the path that a user means, and which checkpoint of the run there: `RUN:best`, `RUN:last` or none said.

    A path that exists with such an ending is meant itself.

    Raises:
      LoadError: see `locate`.
      UsageError: see `check_given`.
    """
    check_given(typed)
    found = _existing(typed)
    base, _, choice = str(typed).rpartition(":")
    if found is None and base and choice in CHOICES:
        return _existing(base) or _pretrained(base), choice
    return found or _pretrained(typed), None


def no_such(name: str) -> LoadError:
    """Return the error that no pretrained agent has a name."""
    known = names()
    return LoadError(f"no pretrained agent {short(name)}{nearest(name, known)}; there are: {', '.join(known)}")


def _existing(typed: str | Path) -> Path | None:
    """Return a path that exists, None for what is none."""
    if str(typed).startswith(PREFIX):
        return None
    try:
        path = Path(typed).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError) as error:  # no such user, too long, forbidden, with a zero in it
        raise LoadError(f"{short(typed)}: {short(error)}") from None


def _pretrained(typed: str | Path) -> Path:
    name, known = str(typed).removeprefix(PREFIX), names()
    for meant in (name, f"Robo{name}"):
        if meant in known:
            return folder_of(meant)
    if str(typed).startswith(PREFIX):
        raise no_such(name)
    raise LoadError(f"{short(Path(typed).expanduser())} does not exist{nearest(name, known)}")
