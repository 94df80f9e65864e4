"""`record --out episodes.npz`: what an agent saw and did, as demonstrations that `clone` learns from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from baselines_ppo.common.envs.foreign import close_unheard
from baselines_ppo.common.envs.keywords import canonical_keywords
from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.envs.masking import mask_in
from baselines_ppo.common.episodes import Episodes
from baselines_ppo.common.failures import short
from baselines_ppo.common.files import demonstrations
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.files.demonstrations import Demonstration, stacked
from baselines_ppo.common.files.whole import shown
from baselines_ppo.common.policy.observations import MaskedObservation, Observation
from baselines_ppo.run.agents.acting import seen_backend_for
from baselines_ppo.run.agents.playing import told
from baselines_ppo.run.news import News
from baselines_ppo.state.platform_facts import platform_facts


class Kept(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Keeps what its environment gave and took in the episode under way, masks of actions with what is seen."""

    def __init__(self, environment: gymnasium.Env[Any, Any], observation: Observation) -> None:
        super().__init__(environment)
        self._masked = observation if isinstance(observation, MaskedObservation) else None
        self._mask: Any = None  # the last one
        self._observations: list[Any] = []
        self._actions: list[Any] = []
        self._rewards: list[float] = []
        self._terminated = False

    def reset(self, **keywords: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode, and forget the one before."""
        observation, info = self.env.reset(**keywords)
        self._observations, self._actions, self._rewards = [self._seen(observation, info)], [], []
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Make a step, and keep it."""
        self._actions.append(_copied(action))
        observation, reward, self._terminated, truncated, info = self.env.step(action)
        self._observations.append(self._seen(observation, info))
        self._rewards.append(float(reward))
        return observation, reward, self._terminated, truncated, info

    def _seen(self, observation: Any, info: dict[str, Any]) -> Any:
        """Return what is seen, with the mask of its info; where an episode ends without one, the last one stands in."""
        if self._masked is not None and not self._masked.holds_mask(observation):
            given = mask_in(info)
            self._mask = self._mask if given is None else given
            observation = self._masked.joined(observation, self._mask)
        return _copied(observation)

    @property
    def episode(self) -> Demonstration:
        """The episode under way as far as it is."""
        rewards = np.array(self._rewards, np.float64)
        return Demonstration(stacked(self._observations), stacked(self._actions), rewards, bool(self._terminated))


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
        made[:] = [
            Kept(make_environment(spec), agent.policy.network.observation)
        ]  # each episode may have a new one, see `Treatment`
        return made[0]

    backend = seen_backend_for(agent, spec, make)
    player, news = Episodes(agent, backend, 1, spec.env_id, seed, most_steps), News()
    kept = []
    for number in range(episodes):
        (played,) = player.play([number], not stochastic, news.say)
        print(told(number, played), flush=True)
        kept.append(made[0].episode)
    close_unheard(backend.close)
    about = {
        "env": spec.env_id,
        "env_kwargs": canonical_keywords(dict(spec.keywords)),
        "wrapper": list(spec.wrappers),
        "platform": platform_facts(),
    }
    demonstrations.save(path, kept, about)
    steps = sum(episode.length for episode in kept)
    size = path.stat().st_size / 1e6
    return f"wrote {short(shown(path))}: {len(kept)} episodes, {steps:,} steps, {size:.2f} MB"


def _copied(given: Any) -> Any:
    """Return a copy of what an environment gave or takes, which it may go on to write into."""
    if isinstance(given, dict):
        return {key: _copied(part) for key, part in given.items()}
    return tuple(map(_copied, given)) if isinstance(given, tuple) else np.array(given)
