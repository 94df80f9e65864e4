"""`record --out episodes.npz`: what an agent saw and did, as demonstrations that `clone` learns from."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from baselines_ppo.common.envs.episodes import Episodes
from baselines_ppo.common.envs.foreign import close_unheard
from baselines_ppo.common.envs.keywords import canonical_keywords
from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.envs.masking import mask_in
from baselines_ppo.common.failures import short
from baselines_ppo.common.files import demonstrations
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.files.demonstrations import Demonstration, stacked
from baselines_ppo.common.files.whole import shown
from baselines_ppo.common.policy.actions import Action, MultiBinaryAction, action_to_json
from baselines_ppo.common.policy.observations import MaskedObservation, Observation
from baselines_ppo.common.policy.spaces.masks import encoded_mask
from baselines_ppo.common.screen.numbers import counted
from baselines_ppo.run.agents.acting import seen_backend_for
from baselines_ppo.run.agents.playing import told
from baselines_ppo.run.news import News
from baselines_ppo.state.platform_facts import platform_facts


class Kept(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Keeps what its environment gave and took in the episode under way, masks of actions with what is seen."""

    def __init__(self, environment: gymnasium.Env[Any, Any], observation: Observation) -> None:
        super().__init__(environment)
        self._masked = observation if isinstance(observation, MaskedObservation) else None
        self._observations: list[Any] = []
        self._masks: list[Any] = []  # of the infos; where an episode ends, the last one stands in for that
        self._actions: list[Any] = []
        self._rewards: list[float] = []
        self._terminated = False

    def reset(self, **keywords: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode, and forget the one before."""
        observation, info = self.env.reset(**keywords)
        self._observations, self._actions, self._rewards = [_copied(observation, self.env.observation_space)], [], []
        self._masks = [copy.deepcopy(mask_in(info))]
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Make a step, and keep it."""
        self._actions.append(_copied(action, self.env.action_space))
        observation, reward, self._terminated, truncated, info = self.env.step(action)
        self._observations.append(_copied(observation, self.env.observation_space))
        self._masks.append(self._masks[-1] if self._terminated or truncated else copy.deepcopy(mask_in(info)))
        self._rewards.append(float(reward))
        return observation, reward, self._terminated, truncated, info

    @property
    def episode(self) -> Demonstration:
        """The episode under way as far as it is."""
        seen, masked = stacked(self._observations), self._masked
        if masked is not None and not masked.holds_mask(seen):
            seen = masked.joined(seen, np.stack([_whole(masked.action, mask) for mask in self._masks]))
        return Demonstration(seen, stacked(self._actions), np.array(self._rewards, np.float64), bool(self._terminated))


def record_episodes(
    path: Path, agent: Agent, spec: EnvironmentSpec, episodes: int, seed: int, most_steps: float, stochastic: bool
) -> str:
    """Write episodes of an agent into a file, and print their returns; returns a line on the file.

    Args:
      most_steps: of an episode, see `steps_allowed`.

    Raises:
      LoadError: the environment has other spaces than the agent.
      WriteError: the file cannot be written.
    """
    made: list[Kept] = []

    def make() -> Kept:
        made[:] = [Kept(make_environment(spec), agent.policy.network.observation)]  # one for each episode, perhaps
        return made[0]

    backend, kept = seen_backend_for(agent, spec, make), []
    try:
        player, news = Episodes(agent, backend, 1, spec.env_id, seed, most_steps), News()
        for number in range(episodes):
            (played,) = player.play([number], not stochastic, news.say)
            print(told(number, played), flush=True)
            kept.append(made[0].episode)
    finally:
        close_unheard(backend.close)
    about = {
        "env": spec.env_id,
        "env_kwargs": canonical_keywords(dict(spec.keywords)),
        "wrapper": list(spec.wrappers),
        "action_space": action_to_json(agent.policy.network.action),
        "platform": platform_facts(),
    }
    demonstrations.save(path, kept, about)
    steps = sum(episode.length for episode in kept)
    size = path.stat().st_size / 1e6
    return f"wrote {short(shown(path))}: {counted(len(kept), 'episode')}, {counted(steps, 'step')}, {size:.2f} MB"


def _whole(action: Action, mask: Any) -> Any:
    """Return a mask as one array, whatever is left out of it: what is so at one step need not be at the next."""
    return np.array(mask) if isinstance(action, MultiBinaryAction) else encoded_mask(action, mask).astype(np.int8)


def _copied(given: Any, space: Any) -> Any:
    """Return a copy of what an environment gave or takes, which it may go on to write into, nested as its space is."""
    if isinstance(space, gymnasium.spaces.Dict) and isinstance(given, Mapping):
        return {name: _copied(given[name], part) for name, part in space.items() if name in given}
    if isinstance(space, gymnasium.spaces.Tuple) and isinstance(given, tuple | list):
        return tuple(map(_copied, given, space))
    return np.array(given)
