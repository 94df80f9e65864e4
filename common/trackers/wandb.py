"""Weights & Biases: `WANDB_PROJECT`, `WANDB_ENTITY` and `WANDB_MODE` are as its own documentation says."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from baselines_ppo.common.trackers.configuration import flat, title
from baselines_ppo.common.trackers.identity import keep, kept

PROJECT = "baselines_ppo"  # unless WANDB_PROJECT says another
LONGEST_END = 8  # s, that sending what is left may take; what is not sent is in the run folder, for wandb sync


class WandB:
    """A run of Weights & Biases, its files in the run folder."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Take what shows a line: where the run can be seen."""
        self._say = say

    def begin(self, folder: Path, config: Mapping[str, Any]) -> None:
        """Begin or go on.

        Raises:
          ConnectionError: nobody is logged in.
        """
        import wandb

        offline = os.environ.get("WANDB_MODE", "online") != "online"
        if not offline and not wandb.login(prompt=False):  # else it would ask, and wait for an answer
            raise ConnectionError("nobody is logged in; type wandb login, or set WANDB_MODE=offline")
        identity = kept(folder, "wandb") or secrets.token_hex(4)
        keep(folder, "wandb", identity)
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            id=identity,
            resume="allow",
            name=title(folder, config),
            group=str(config["env"]),
            dir=folder,
            config=flat(config),
            settings=wandb.Settings(console="off", silent=True, finish_timeout=LONGEST_END),
        )
        where = f"offline; send it with wandb sync {self._run.settings.sync_dir}" if offline else self._run.url
        self._say(f"wandb: {where}")

    def row(self, row: Mapping[str, float], step: int) -> None:
        """Log the figures."""
        self._run.log(dict(row), step=step)

    def film(self, path: Path, step: int) -> None:
        """Log the film as a video."""
        import wandb

        self._run.log({"film": wandb.Video(str(path))}, step=step)

    def close(self) -> None:
        """Send what is left."""
        self._run.finish()
