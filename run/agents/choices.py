"""What a page offers beside the agent that it was opened with: the user's own runs, and the pretrained agents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import gymnasium

from baselines_ppo.common.envs.make import OWN_ID
from baselines_ppo.common.envs.stored import is_safe_id
from baselines_ppo.common.files import checkpoint, pretrained
from baselines_ppo.common.files.run_folder import CHECKPOINTS, RUNS, changed_at

MOST_RUNS, MOST_READ = 20, 200  # runs that are offered, and folders that are looked into for these

Shows = Callable[[str], bool]  # whether a page can show an environment


def offered(agent: str, shows: Shows) -> dict[str, str]:
    """Return the agents that a page offers: what a user would type for each, by a short name; `agent` comes first.

    Of each file only the name of its environment is read here. What is chosen is loaded later, with the same checks as
    an agent that is typed.
    """
    here, found = pretrained.locate(agent).resolve(), {agent: agent}
    for name, path in own_runs(shows):
        if path.resolve() != here:
            found.setdefault(name, str(path))
    for name in pretrained.names():
        typed, path = f"{pretrained.PREFIX}{name}", pretrained.folder_of(name)
        if path.resolve() != here and shows(environment_of(path)):
            found.setdefault(typed, typed)
    return found


def own_runs(shows: Shows) -> Iterator[tuple[str, Path]]:
    """Yield names and folders of the newest runs in `runs`, here, whose environment a page can show."""
    newest = dict[Path, Path]()
    for path in sorted(RUNS.glob(f"*/*/{CHECKPOINTS}/{checkpoint.NAMES}")):
        newest[path.parent.parent] = path
    left = MOST_RUNS
    for run in sorted(newest, key=lambda run: changed_at(newest[run]), reverse=True)[:MOST_READ]:
        if left and shows(environment_of(newest[run])):
            left -= 1
            yield str(run.relative_to(RUNS)), run.absolute()


def environment_of(folder: Path) -> str:
    """Return the id of the environment that a checkpoint or an agent names; nothing if it cannot be read."""
    try:
        return str(checkpoint.read_json(folder / checkpoint.MANIFEST, checkpoint.LARGEST_MANIFEST)["env"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):  # a stranger's file may be wrong in any way
        return ""


def is_ours(env_id: str) -> bool:
    """Return whether an environment is one of ours."""
    return is_safe_id(env_id) and OWN_ID.fullmatch(env_id.rpartition(":")[2]) is not None


def is_turned(env_id: str) -> bool:
    """Return whether an environment is one of ours, or of those that Gymnasium simulates by MuJoCo."""
    spec = gymnasium.registry.get(env_id)
    return is_ours(env_id) or str(spec and spec.entry_point).startswith("gymnasium.envs.mujoco")
