"""Stable-Baselines3's PPO at given work; run by a Python that has it, and importing nothing of this package.

`python peer.py JSON` prints lines of JSON: the versions, and then its speed or a line for each iteration.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import platform
import sys
import time
from collections import deque
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

WINDOW = 100  # episodes
WARM_UP = 2  # iterations, not counted
NO_PACKAGE = 2  # exit code


def missing(request: dict[str, Any]) -> list[str]:
    """Return what pip has to install for a request."""
    atari, recurrent = "ALE/" in request["env"], "Lstm" in request["policy"]
    needed = {"torch": "torch", "stable_baselines3": "stable-baselines3"}
    needed |= {"sb3_contrib": "sb3-contrib"} if recurrent else {}
    needed |= {"ale_py": "ale-py", "cv2": "opencv-python-headless"} if atari else {}
    return [package for module, package in needed.items() if importlib.util.find_spec(module) is None]


def environments(request: dict[str, Any]) -> Any:
    """Return the request's environments as one, normalised if they are to be."""
    import gymnasium
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecNormalize

    sys.path.extend(request["path"])  # behind this Python's own
    wrappers = [name.partition(":")[::2] for name in request["wrapper"]]
    limit = request.get("clip_rewards")

    def make() -> gymnasium.Env[Any, Any]:
        module, colon, name = request["env"].rpartition(":")
        if colon:
            importlib.import_module(module)
        if name.startswith("ALE/"):
            importlib.import_module("cv2").setNumThreads(1)  # its images are small
            environment: Any = gymnasium.make(name, frameskip=1)
            environment = gymnasium.wrappers.AtariPreprocessing(environment, frame_skip=4)
            environment = gymnasium.wrappers.FrameStackObservation(environment, 4, padding_type="zero")
        else:
            environment = gymnasium.make(name)
        for place, wrapper in wrappers:
            environment = getattr(importlib.import_module(place), wrapper)(environment)
        return environment

    def clipped(environment: Any) -> Any:
        return gymnasium.wrappers.ClipReward(environment, -limit, limit) if limit else environment

    kind = {"dummy": DummyVecEnv, "subprocess": SubprocVecEnv}[request["kind"]]
    # What counts episodes comes between the two, so that it sees raw rewards.
    envs = make_vec_env(make, request["n_envs"], seed=request["seed"], wrapper_class=clipped, vec_env_cls=kind)
    normalize = request["normalize"]
    return VecNormalize(envs, gamma=request["settings"]["gamma"], **normalize) if any(normalize.values()) else envs


def scheduled(value: Any) -> Any:
    """Return RL Zoo's `lin_0.001` as a function that falls to 0, any other value as it is."""
    if not (isinstance(value, str) and value.startswith("lin_")):
        return value
    first = float(value.removeprefix("lin_"))
    return lambda remaining: remaining * first


def model_of(request: dict[str, Any]) -> Any:
    """Return what learns."""
    import torch
    from stable_baselines3 import PPO

    torch.set_num_threads(request["threads"])
    settings = {name: scheduled(value) for name, value in request["settings"].items()}
    networks = dict(settings.pop("policy_kwargs", {}))
    if "activation_fn" in networks:
        networks["activation_fn"] = getattr(torch.nn, networks["activation_fn"])
    kind: Any = PPO
    if "Lstm" in request["policy"]:
        from sb3_contrib import RecurrentPPO

        kind = RecurrentPPO
    common = {"policy_kwargs": networks, "seed": request["seed"], "device": "cpu"}
    return kind(request["policy"], environments(request), **settings, **common)


def measure(request: dict[str, Any]) -> None:
    """Print the steps per second of training."""
    model = model_of(request)
    per_iteration = request["n_envs"] * request["settings"]["n_steps"]
    model.learn(WARM_UP * per_iteration)
    begun = time.perf_counter()
    model.learn(request["iterations"] * per_iteration)
    say({"training": request["iterations"] * per_iteration / (time.perf_counter() - begun)})


def train(request: dict[str, Any]) -> None:
    """Train, and print after each iteration how many episodes there were, and the mean return of the last ones."""
    from stable_baselines3.common.callbacks import BaseCallback

    returns: deque[float] = deque(maxlen=WINDOW)

    class Told(BaseCallback):
        """Counts episodes, and tells of them where an iteration ends."""

        episodes = 0

        def _on_step(self) -> bool:
            for info in self.locals["infos"]:
                if "episode" in info:
                    returns.append(info["episode"]["r"])
                    self.episodes += 1
            return True

        def _on_rollout_start(self) -> None:
            self._tell()  # what came before has been learned from

        def _on_training_end(self) -> None:
            self._tell()

        def _tell(self) -> None:
            mean = sum(returns) / len(returns) if returns else None
            say({"steps": self.num_timesteps, "episodes": self.episodes, "mean_return": mean})

    model_of(request).learn(request["n_timesteps"], callback=Told())


def say(line: dict[str, Any]) -> None:
    """Print a line of JSON at once."""
    print(json.dumps(line), flush=True)


def versions(request: dict[str, Any]) -> str:
    """Return what runs, in words."""
    packages = ["stable-baselines3", "torch", "numpy", "gymnasium", "mujoco", "ale-py"]
    packages[1:1] = ["sb3-contrib"] if "Lstm" in request["policy"] else []
    if "ALE/" not in request["env"]:
        packages.remove("ale-py")
    found = [f"{name} {version(name)}" for name in packages if importlib.util.find_spec(name.replace("-", "_"))]
    return ", ".join([f"Python {platform.python_version()}", *found])


def main(request: dict[str, Any], do: dict[str, Callable[[dict[str, Any]], None]]) -> int:
    """Do what a request asks for, be it nothing but the versions; returns the exit code."""
    if packages := missing(request):
        install = f"{sys.executable} -m pip install {' '.join(packages)}"
        sys.stderr.write(f"{sys.executable} has no {', '.join(packages)}; {install}\n")
        return NO_PACKAGE
    say({"facts": versions(request)})
    if request["what"] in do:
        do[request["what"]](request)
    return 0


if __name__ == "__main__":  # subprocess environments import this file again
    sys.exit(main(json.loads(sys.argv[1]), {"speed": measure, "score": train}))
