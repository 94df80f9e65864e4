"""Settings per environment, each with where it comes from; `--preset none` gives the textbook values."""

from __future__ import annotations

import math
import re
import sys
from dataclasses import replace
from typing import Any

from baselines_ppo.common.failures import UsageError, nearest
from baselines_ppo.settings.algorithms import PPO1Config, PPO2Config, TRPOConfig
from baselines_ppo.settings.config import TEXTBOOK, RolloutConfig, TrainConfig, renamed, with_fields
from baselines_ppo.settings.preset import Preset
from baselines_ppo.settings.robots import GYMNASIUM, HUMANOID, ZOO
from baselines_ppo.settings.small_tasks import SMALL_TASKS

WITH_MEMORY = ("lstm", "cnn_lstm")  # whose minibatches are whole environments
MEMORY_MINIBATCHES = 4  # of an epoch at most, where the preset's do not fit: as many ranks can share the environments
ATARI_ID = re.compile(r"ALE/\w+-v5|\w+NoFrameskip-v4")

ATARI = Preset(
    TrainConfig(
        num_timesteps=10_000_000,
        rollout=RolloutConfig(num_envs=8, num_steps=128, normalize_returns=False, clip_raw_rewards=1.0),
        algorithm=PPO2Config(
            num_minibatches=4,
            num_epochs=4,
            learning_rate=2.5e-4,
            clip_range=0.1,
            clip_range_schedule="linear",
            value_clip_range=0.1,
            entropy_coef=0.01,
        ),
    ),
    "The settings of OpenAI Baselines and CleanRL, which have 20 on Pong at 10 M steps.",
)

CARTPOLE_GAMMA = "The gamma that RL Zoo has for CartPole; results are in docs/results.md."

# By algorithm and environment.
PRESETS: dict[str, dict[str, Preset]] = {
    "ppo2": {
        **{f"{name}-{version}": preset for name, preset in GYMNASIUM.items() for version in ("v4", "v5")},
        **SMALL_TASKS,
        "HumanoidBulletEnv-v0": HUMANOID,
        **{f"Robo{name}-v1": preset for name, preset in ZOO.items()},
    },
    "ppo1": {
        "CartPole-v1": Preset(
            replace(
                TEXTBOOK["ppo1"],
                rollout=RolloutConfig(
                    num_envs=None, num_steps=1024, gamma=0.98, gae_lambda=0.9, normalize_returns=False
                ),
                algorithm=PPO1Config(num_minibatches=16),
            ),
            CARTPOLE_GAMMA,
        )
    },
    "ppo_kl": {
        "ten-robots": Preset(
            TEXTBOOK["ppo_kl"],
            "Coady's one setting for ten robots. For long tasks, add --num-episodes 5 --num-envs 5.",
        ),
        "CartPole-v1": Preset(
            replace(
                TEXTBOOK["ppo_kl"],
                num_timesteps=100_000,
                wrapper=(),
                rollout=replace(TEXTBOOK["ppo_kl"].rollout, gamma=0.98, gae_lambda=0.95),
            ),
            CARTPOLE_GAMMA,
        ),
    },
    "trpo": {
        **dict.fromkeys(
            ("Swimmer-v4", "Swimmer-v5"),
            Preset(
                replace(TEXTBOOK["trpo"], rollout=replace(TEXTBOOK["trpo"].rollout, gamma=0.9999)),
                "gamma 0.9999: 359 at 1 M steps with the most likely actions, over five seeds; RL Zoo has 366.",
            ),
        ),
        "CartPole-v1": Preset(
            replace(
                TEXTBOOK["trpo"],
                num_timesteps=100_000,
                rollout=replace(TEXTBOOK["trpo"].rollout, num_steps=128),
                algorithm=TRPOConfig(num_minibatches=8),
            ),
            "Smaller batches than the textbook's, for a short task.",
        ),
    },
}


def preset_of(env: str, alg: str) -> TrainConfig:
    """Return an environment's preset, or the textbook values if it has none; a module before its id does not matter."""
    name = str(env).rpartition(":")[2]
    if ATARI_ID.fullmatch(name) and alg == "ppo2":
        return ATARI.config
    found = PRESETS.get(alg, {}).get(name)
    return TEXTBOOK[alg] if found is None else found.config


def configure(env: str, alg: str = "ppo2", preset: str | None = None, **values: Any) -> TrainConfig:
    """Return a training configuration: a preset with some fields changed.

    Args:
      env: Gymnasium environment id.
      alg: `ppo1`, `ppo2`, `ppo_kl` or `trpo`.
      preset: name of another environment whose preset to use; "none" for the textbook values; by default the
        environment's own preset, or the textbook values if it has none.
      values: fields of any section of the configuration, such as num_envs=32 or learning_rate=1e-4.

    Raises:
      UsageError: an unknown algorithm, preset or field, or a value out of range.

    >>> config = configure("HalfCheetah-v4", "ppo2", preset="none", num_envs=16, learning_rate=1e-4)
    >>> config.num_envs, config.algorithm.learning_rate
    (16, 0.0001)
    """
    if alg not in [*TEXTBOOK]:  # it may be anything
        raise UsageError(f"unknown algorithm {alg}; choose from {', '.join(TEXTBOOK)}")
    if preset is None:
        base = preset_of(env, alg)
    elif preset == "none":
        base = TEXTBOOK[alg]
    elif preset in [*PRESETS.get(alg, {})]:
        base = PRESETS[alg][preset].config
    else:
        known = ("none", *PRESETS.get(alg, {}))
        raise UsageError(f"unknown preset {preset} of {alg}{nearest(str(preset), known)}; known: {', '.join(known)}")
    for was, name in renamed(base).items():
        if was in values:
            sys.stderr.write(f"warning: {was} is called {name} now\n")
    config = with_fields(base, env=env, **values)
    return for_memory(config, {*values}) if config.policy.network in WITH_MEMORY else config


def for_memory(config: TrainConfig, given: set[str]) -> TrainConfig:
    """Return a configuration that a network with a memory can be trained with, but for what was given.

    Its minibatches divide the environments, and values are not recomputed.
    """
    changes: dict[str, Any] = {}
    wanted, environments = config.num_minibatches, config.rollout.num_envs or 1
    if "num_minibatches" not in given and wanted is not None and environments % wanted:
        changes["num_minibatches"] = math.gcd(environments, MEMORY_MINIBATCHES)
    if "recompute_advantages" not in given and isinstance(config.algorithm, PPO2Config):
        changes["recompute_advantages"] = False
    return with_fields(config, **changes)
