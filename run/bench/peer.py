"""Stable-Baselines3's PPO at the same work; run by a Python that has it, and importing nothing of this package."""

from __future__ import annotations

import json
import platform
import sys
import time
from importlib.metadata import version

if __name__ == "__main__":  # subprocess environments import this file again
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecNormalize

    request = json.loads(sys.argv[1])
    torch.set_num_threads(request["threads"])
    kind = {"dummy": DummyVecEnv, "subprocess": SubprocVecEnv}[request["kind"]]
    envs = VecNormalize(make_vec_env(request["env"], request["num_envs"], vec_env_cls=kind))
    per_iteration = request["num_envs"] * request["num_steps"]
    model = PPO(
        "MlpPolicy",
        envs,
        n_steps=request["num_steps"],
        batch_size=request["minibatch_size"],
        n_epochs=request["num_epochs"],
        policy_kwargs={"net_arch": [64, 64]},
        device="cpu",
    )
    model.learn(2 * per_iteration)  # warm up
    begun = time.perf_counter()
    model.learn(request["iterations"] * per_iteration)
    rate = request["iterations"] * per_iteration / (time.perf_counter() - begun)
    packages = ("stable-baselines3", "torch", "numpy", "gymnasium", "mujoco")
    facts = ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages)])
    print(json.dumps({"training": rate, "facts": facts}))
