"""Environments that change all they can of the process, in every call; importing this registers them."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from baselines_ppo.common.job.launcher import RANK_VARIABLES, SIZE_VARIABLES


class Tame(gymnasium.Env[np.ndarray, Any]):
    """A point that the actions push; twelve steps."""

    observation_space = spaces.Box(-9, 9, (2,), np.float64)
    action_space = spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.place, self.left = self.np_random.uniform(-1, 1, 2), 12
        return self.place, {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.place, self.left = self.place + 0.1 * np.asarray(action, np.float64), self.left - 1
        return self.place, -float(np.abs(self.place).sum()), False, self.left == 0, {}


class Meddling(Tame):
    """The same point, in hands that respect nothing."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        answer = super().reset(seed=seed)
        meddle()
        return answer

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        answer = super().step(action)
        meddle()
        return answer

    def close(self) -> None:
        threading.Thread(target=threading.Event().wait, name="left-behind").start()
        raise RuntimeError("the simulator\nhas gone")


def meddle() -> None:
    """Change what a process is made of."""
    folder = Path(tempfile.gettempdir()) / f"meddling-{os.getpid()}"
    folder.mkdir(exist_ok=True)
    os.chdir(folder)
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT):
        signal.signal(number, lambda *arguments: None)
    np.seterr(all="raise")
    np.random.seed(0)
    warnings.simplefilter("error")
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
    os.umask(0o777)
    for name in (*RANK_VARIABLES, *SIZE_VARIABLES, "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "PATH"):
        os.environ.pop(name, None)
    sys.setrecursionlimit(200)
    time.time = time.monotonic = time.perf_counter = lambda: 0.0
    sys.path[:] = [entry for entry in sys.path if "site-packages" not in entry]
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].config.run_functions_eagerly(True)


class Closing(Meddling):
    """Closes the screen instead of replacing it."""

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        answer = super().step(action)
        sys.stdout = sys.__stdout__
        if sys.stdout is not None and self.left == 5:
            sys.stdout.close()
        return answer


gymnasium.register("Tame-v0", f"{__name__}:Tame")
gymnasium.register("Meddling-v0", f"{__name__}:Meddling")
gymnasium.register("Closing-v0", f"{__name__}:Closing")
