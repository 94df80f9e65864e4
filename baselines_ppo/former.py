"""Modules that have moved: what users wrote with their former names goes on working, with a warning."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# Folder -> the modules that have moved into it; "former:new" where the last name has changed too.
FOLDERS = {
    "common.policy": "actions actor_critic arrays distributions fit given_arrays layers networks normalizer "
    "observations parameters recurrence",
    "common.policy.spaces": "images observation_json",
    "common.envs": "action_log backend_contract backends episodes interface keywords lean_mujoco native_backend "
    "packages process_state treatment trial vec_env",
    "common.job": "alive board heartbeat launcher memory opengl shared_memory signals tensorflow_start threads",
    "common.files": "agent checkpoint files:whole npz pretrained progress run_folder",
    "settings": "changes config fields presets",
    "state": "snapshot",
    "monitoring": "iteration_progress",
    "run.agents": "choices evaluate:scoring live play:playing race:racing record:recording steering",
    "run.show": "display film film_page frame local_server messages motion page pictures replay shapes shutter "
    "simulated stage",
    "run.cards": "cards:tables curve export",
    "zoo.bodies": "body robot",
    "zoo.tasks": "cubes flags harder pendulums pong reacher table walker",
}
ELSEWHERE = {
    "run.episodes": "common.envs.episodes",
    "run.agents.episodes": "common.envs.episodes",
    "common.images": "common.policy.spaces.images",
    "common.observation_json": "common.policy.spaces.observation_json",
}
MOVED = {
    f"baselines_ppo.{folder.rpartition('.')[0]}.{former}".replace("..", "."): f"baselines_ppo.{folder}.{new or former}"
    for folder, names in FOLDERS.items()
    for former, _, new in (name.partition(":") for name in names.split())
} | {f"baselines_ppo.{former}": f"baselines_ppo.{new}" for former, new in ELSEWHERE.items()}


class _Moved(MetaPathFinder, Loader):
    """Finds modules by their former names, after all others have looked for them."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        warnings.warn(f"{name} is {MOVED[name]} now", FutureWarning, stacklevel=2)
        sys.modules[name] = importlib.import_module(MOVED[name])  # what the import statement then gets


def keep_former_names() -> None:
    """Let former names be imported."""
    if not any(isinstance(finder, _Moved) for finder in sys.meta_path):
        sys.meta_path.append(_Moved())
