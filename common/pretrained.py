"""The agents that come with the package, and what a user means by naming one."""

from __future__ import annotations

from pathlib import Path

from baselines_ppo.common.failures import LoadError, nearest, short

PREFIX = "zoo:"
AGENTS = Path(__file__).parent.parent / "zoo" / "agents"


def names() -> list[str]:
    """Return the names of all pretrained agents, in alphabetical order."""
    return sorted(path.parent.name for path in AGENTS.glob("[!.]*/manifest.json"))


def locate(typed: str | Path) -> Path:
    """Return the path that a user means: one that exists, or that of a pretrained agent, `zoo:NAME` or just NAME.

    The names of our own robots may be given without the Robo.

    Raises:
      LoadError: there is neither.
    """
    name, known = str(typed).removeprefix(PREFIX), names()
    try:
        path = Path(typed).expanduser()
        if not str(typed).startswith(PREFIX) and path.exists():
            return path
    except (OSError, RuntimeError, ValueError) as error:  # no such user, too long, forbidden, with a zero in it
        raise LoadError(f"{short(typed)}: {short(error)}") from None
    for meant in (name, f"Robo{name}"):
        if meant in known:
            return AGENTS / meant
    if str(typed).startswith(PREFIX):
        raise LoadError(f"no pretrained agent {short(name)}{nearest(name, known)}; there are: {', '.join(known)}")
    raise LoadError(f"{short(path)} does not exist{nearest(name, known)}")
