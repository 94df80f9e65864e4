"""`zoo add` and `zoo remove`: which agents there are."""

from __future__ import annotations

import re
import shutil
import sys

from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.common.failures import UsageError, WriteError, short
from baselines_ppo.common.files import checkpoint, pretrained
from baselines_ppo.common.files.agent import Agent, agent_of
from baselines_ppo.common.files.whole import write_whole
from baselines_ppo.common.mpi import world
from baselines_ppo.run.cards.curve import CURVE, curve_of, written
from baselines_ppo.run.cards.export import Named, agent_files, card_of, picture_of, training_of
from baselines_ppo.run.cards.measure import measured, say_scores
from baselines_ppo.zoo.card import PICTURE, write_card

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def add(run: str, name: str | None, replace: bool, named: Named, episodes: int, seed: int) -> int:
    """Make a pretrained agent of a run's best checkpoint, or of the one that is named, and score it.

    Returns:
      The exit code.

    Raises:
      UsageError: there is an agent of this name already, or it is no name.
      LoadError: there is no checkpoint of a training, or it asks for a module that is not named.
      WriteError: the agents' folder cannot be written.
    """
    comm = world()
    found, _ = comm.on_root(lambda: checkpoint.find(run, unsaid=pretrained.BEST))
    agent = agent_of(found)
    manifest, arrays = agent_files(found, named)
    name = str(manifest["env"]).rpartition(":")[2].replace("/", "-") if name is None else name
    if NAME.fullmatch(name) is None:
        raise UsageError(f"--name is {short(name)}, expected letters, digits, dots and dashes")
    if name in pretrained.names() and not replace:
        raise UsageError(f"there is an agent {name} already; --replace puts this one in its place")
    agents = comm.on_root(pretrained.new_agents)
    training_of(found._replace(manifest=manifest), named)  # else there would be a score, but no card
    curve = comm.on_root(lambda: curve_of(found.path.parent.parent, manifest["training"]["total_steps"]))
    if comm.is_root:
        print(f"{short(name)}: of {found.path}, {manifest['training']['total_steps']:,} steps", flush=True)
        if agents != pretrained.AGENTS:
            print(f"it is put into {short(agents)}, as the package's folder cannot be written", flush=True)
    spec = named.own(agent)
    scores = measured(agent, spec, episodes, seed)

    def write() -> None:
        beside: dict[str, str | bytes] = {CURVE: written(curve), **_picture(agent, spec)}
        path = checkpoint.save(agents, f".new-{name}", manifest, arrays)
        try:
            write_card(path, card_of(checkpoint.load(path), episodes, seed, scores, named))
            for file, data in beside.items():
                write_whole(path / file, data)
            checkpoint.put(path, agents / name)
        finally:
            shutil.rmtree(path, ignore_errors=True)
        say_scores(name, scores, episodes, seed)

    comm.on_root(write)
    return 0


def remove(name: str) -> int:
    """Delete a pretrained agent; returns the exit code.

    Raises:
      LoadError: there is none of this name.
      WriteError: it cannot be deleted.
    """

    def delete() -> None:
        bare = name.removeprefix(pretrained.PREFIX)
        if bare not in pretrained.names():
            raise pretrained.no_such(bare)
        try:
            checkpoint.delete(folder := pretrained.folder_of(bare))
        except OSError as error:
            raise WriteError(f"{folder} cannot be deleted: {error.strerror}") from None
        print(f"{bare}: removed")

    world().on_root(delete)
    return 0


def _picture(agent: Agent, spec: EnvironmentSpec) -> dict[str, bytes]:
    """Return the file that holds a picture; none, with a warning, where nothing can be drawn."""
    try:
        return {PICTURE: picture_of(agent, spec)}
    except Exception as error:  # of whatever draws here
        sys.stderr.write(f"warning: no picture of {spec.env_id}: {short(error)}\n")
        return {}
