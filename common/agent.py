"""A trained agent: a policy, its statistics and its environment, loaded from data alone, acting in numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from baselines_ppo.common.checkpoint import Checkpoint, find
from baselines_ppo.common.failures import DataError, LoadError
from baselines_ppo.common.policy import ActorCritic, Policy


class Agent:
    """Acts in an environment's own units; its statistics never change."""

    def __init__(self, policy: Policy, env_id: str, path: Path, manifest: dict[str, Any]) -> None:
        self.policy, self.env_id, self.path, self.manifest = policy, env_id, path, manifest

    def act(
        self, observation: np.ndarray, deterministic: bool = True, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Return the environment action for one raw observation [D], or actions [n, ...] for a batch [n, D].

        Args:
          observation: as the environment gives it; the same row gives the same bits alone and in a batch.
          deterministic: the most likely action; otherwise one drawn from the policy.
          rng: where a drawn action's noise comes from; by default a fresh one each call.

        Raises:
          DataError: the observation has another size than the agent was trained on.
        """
        if np.shape(observation)[-1:] != (self.policy.network.observation_size,) or np.ndim(observation) > 2:
            expected = self.policy.network.observation_size
            raise DataError(f"the observation has shape {np.shape(observation)}, this agent takes [{expected}]")
        batch = np.atleast_2d(observation)
        normalized = self.policy.observations.normalize(batch.astype(np.float32))
        if deterministic:
            actions = self.policy.mode(normalized)
        else:
            noise = self.policy.distribution.noise(rng or np.random.default_rng(), len(batch))
            actions, _ = self.policy.sample(normalized, noise)
        environment_actions = self.policy.network.action.to_environment(actions)
        return environment_actions if np.ndim(observation) > 1 else environment_actions[0]


def load_agent(path: str | Path) -> Agent:
    """Return the agent at a run folder (its newest valid checkpoint), a checkpoint or an agent folder.

    Raises:
      LoadError: there is none, or it is damaged or incomplete.
    """
    checkpoint, _ = find(Path(path).expanduser())
    return agent_of(checkpoint)


def agent_of(checkpoint: Checkpoint) -> Agent:
    """Return the agent that a checkpoint holds.

    Raises:
      LoadError: the checkpoint does not fit together.
    """
    manifest, arrays = checkpoint.manifest, checkpoint.arrays
    try:
        network = ActorCritic.from_json(manifest["policy"])
        parameters = arrays["parameters"]
        if parameters.shape != (network.layout.size,):
            raise LoadError(f"{checkpoint.path}: {parameters.size} parameters, its network has {network.layout.size}")
        policy = Policy(network, parameters, manifest["clip_observations"])
        for name, normalizer in (
            ("observations", policy.observations),
            ("value_targets", policy.value_targets),
        ):
            normalizer.restore({key: arrays[f"{name}/{key}"] for key in ("mean", "variance", "count")})
        return Agent(policy, str(manifest["env"]), checkpoint.path, manifest)
    except (KeyError, TypeError, ValueError) as error:
        raise LoadError(f"{checkpoint.path}: not an agent: {type(error).__name__} {error}") from None
