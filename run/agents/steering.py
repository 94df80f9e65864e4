"""An agent that is told where to go: commands in, numbers out, with no screen and no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from baselines_ppo.common.envs.backend_contract import Unusable
from baselines_ppo.common.envs.make import OWN_ID, EnvironmentSpec, explained, registered, wrapped
from baselines_ppo.common.failures import DataError, UsageError
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.seeding import Purpose, episode_seed
from baselines_ppo.run.agents.acting import seen_backend_for
from baselines_ppo.run.show.motion import Motion
from baselines_ppo.run.show.simulated import simulated
from baselines_ppo.zoo import is_own

MOMENT = 2.0  # s that a fallen robot has to get up, before a new episode begins
SMOOTHING = 0.3  # s, over which the speed is averaged
PUSH = 1.5  # m/s, that a push adds to the velocity of a robot

NEAREST, FARTHEST = 2.0, 8.0  # m, of the places in `follow_places`: in all at least, along x and y at most
PACE = 1.0  # s that a robot has there for each metre


class Numbers(NamedTuple):
    """How it goes."""

    speed: float | None  # m/s over the floor; None: what there is does not go anywhere
    distance: float | None  # m to the flag; None: there is none
    flags_reached: int  # since the start, like the next
    falls: int
    episode_return: float
    episode_seconds: float


@dataclass
class _Episode:
    """What is known of the episode under way."""

    episode_return: float = 0.0
    seconds: float = 0.0
    over: bool = False  # as training sees it: what comes then does not count
    seconds_fallen: float = 0.0  # less those that it stood since
    flags_reached: int = 0
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))  # m/s, smoothed


class Session:
    """One agent in one environment; where an episode ends, the next begins. Not for several threads at once."""

    def __init__(
        self,
        agent: Agent,
        spec: EnvironmentSpec,
        make: Callable[[EnvironmentSpec], gymnasium.Env[Any, Any]],
        seed: int = 0,
        deterministic: bool = True,
    ) -> None:
        """Make an environment and begin.

        Args:
          make: makes one in the form that is seen.
          deterministic: whether the agent takes its most likely actions.

        Raises:
          LoadError: it has other spaces than the agent.
          UsageError: MuJoCo does not simulate it.
        """
        self._env_id, self._backend = spec.env_id, seen_backend_for(agent, spec, lambda: make(spec))
        self.simulated = simulated(lambda: self._backend.environments[0], spec.env_id)
        self._agent, self._deterministic, self.wander = agent, deterministic, True
        self._seed, self._noise = seed, np.random.default_rng(seed)
        self._placed: tuple[float, float] | None = None  # the flag that was asked for, until another one appears
        self._counted = False  # whether the flag that is there was reached
        self._reached, self._falls, self._side = 0, 0, 1
        self.episodes = 0  # begun
        self._begin_episode(seed)
        self.motion = Motion(self.simulated)
        self._begin()

    def step(self) -> None:
        """Let the agent act once; when an episode is over, what there is can be seen for another moment."""
        episode, before, seconds = self._episode, self.motion.position, self.simulated.step_seconds
        if self._robot is None and episode.over:  # which only our own can go on after
            reward, terminated, truncated = 0.0, True, False
        else:
            reward, terminated, truncated = self._act()
        self.motion.step()
        velocity = (self.motion.position - before) / seconds
        episode.velocity += (velocity - episode.velocity) * min(seconds / SMOOTHING, 1.0)
        episode.seconds += seconds
        episode.episode_return += 0.0 if episode.over else float(reward)
        episode.over |= bool(terminated)
        self._falls += bool(terminated) and episode.seconds_fallen == 0.0
        episode.seconds_fallen = max(episode.seconds_fallen + (seconds if terminated else -seconds), 0.0)
        self._keep_flag()
        if truncated or episode.seconds_fallen >= MOMENT:
            self.reset()

    def reset(self) -> None:
        """Begin a new episode; a flag that was asked for stays where it is."""
        self._begin_episode(episode_seed(self._seed, 0, self.episodes, Purpose.EVALUATION))
        self.motion.jump()
        self._begin()

    def set_target(self, x: float, y: float) -> None:
        """Put the flag somewhere, in m; where there is none, nothing happens."""
        if self._flags is not None:
            self._placed, self._counted = (x, y), False
            self._put_flag()

    def move_target(self, x: float, y: float) -> None:
        """Put the flag so many m from where it is."""
        if self.target is not None:
            self.set_target(self.target[0] + x, self.target[1] + y)

    def set_wander(self, wander: bool) -> None:
        """Say what happens when the flag is reached: another one appears somewhere, or it stays, and so the robot."""
        if wander != self.wander:
            self.wander = wander
            if self._flags is not None:
                self._put_flag()

    def throw_cube(self) -> None:
        """Throw a cube at the robot; where there is none, nothing happens."""
        if self.can_throw:
            self._robot.throw_cube()
            self.motion.jump()  # it did not fly to where it is thrown from

    def push(self) -> None:
        """Push the robot sideways, now from the right, now from the left; where there is none, nothing happens.

        One that moves in a plane is pushed forwards and backwards.
        """
        if self.can_push:
            self._side = -self._side
            body, strength = self._task.body, self._side * PUSH
            bearing = 0.0 if body.robot.planar else body.pose.yaw[0] + np.pi / 2
            self._robot.push(strength * np.cos(bearing), strength * np.sin(bearing))

    @property
    def has_flag(self) -> bool:
        """Whether there is a flag to run to."""
        return self._flags is not None

    @property
    def target(self) -> tuple[float, float] | None:
        """Where the flag is, in m."""
        return None if self._flags is None else (float(self._flags.places[0, 0]), float(self._flags.places[0, 1]))

    @property
    def position(self) -> tuple[float, float]:
        """Where the robot is, in m."""
        return float(self.motion.position[0]), float(self.motion.position[1])

    @property
    def can_throw(self) -> bool:
        """Whether there is a cube to throw."""
        return self._cubes is not None

    @property
    def can_push(self) -> bool:
        """Whether there is a robot to push."""
        return hasattr(self._task, "body")

    @property
    def numbers(self) -> Numbers:
        """How it goes."""
        target, moves = self.target, bool(self.simulated.view["trackbodyid"])
        return Numbers(
            speed=float(np.hypot(*self._episode.velocity)) if moves else None,
            distance=None if target is None else float(np.hypot(*np.subtract(target, self.position))),
            flags_reached=self._reached,
            falls=self._falls,
            episode_return=self._episode.episode_return,
            episode_seconds=self._episode.seconds,
        )

    def close(self) -> None:
        self._backend.close()

    def _begin_episode(self, seed: int) -> None:
        """Begin one in the environment, which may be a new one."""
        with self._told():
            self._observation = self._backend.reset([0], [seed])
        env: Any = self._backend.environments[0]
        self._robot: Any = env.unwrapped if is_own(env) else None
        self._task: Any = self._robot.vector.task if self._robot else None
        self._flags: Any = getattr(self._task, "flags", None)
        self._cubes: Any = getattr(self._task, "cubes", None)

    def _act(self) -> tuple[float, bool, bool]:
        """Let the agent act once; returns the reward, and whether the environment terminated or truncated."""
        actions = self._agent.act_encoded(self._observation, self._deterministic, self._noise)
        with self._told():
            outcome = self._backend.step(actions, [0])
            for row, reason in outcome.raised.items():
                raise Unusable(row, reason)
        self._observation = outcome.observations
        return float(outcome.rewards[0]), bool(outcome.terminated[0]), bool(outcome.truncated[0])

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say where what an environment did is not usable."""
        try:
            yield
        except Unusable as unusable:
            raise DataError(f"env {self._env_id}, episode {self.episodes}: {unusable}") from None

    def _begin(self) -> None:
        self._agent.reset()
        self._episode, self._counted = _Episode(), False
        self.episodes += 1
        if self._flags is not None:
            self._put_flag()

    def _keep_flag(self) -> None:
        """Keep the flag where it is until it is reached, and then still, unless the robot is to wander."""
        if self._flags is not None and self._flags.reached[0] > self._episode.flags_reached:
            self._episode.flags_reached = int(self._flags.reached[0])
            self._reached += not self._counted
            self._counted = not self.wander
            if self.wander:
                self._placed = None
            self._put_flag(stays=not self.wander)

    def _put_flag(self, stays: bool = False) -> None:
        """Put the flag where it was asked for, or leave it where it has appeared; it does not vanish by age."""
        x, y = self._placed or self._flags.places[0]
        self._robot.set_target(0, x, y, stays)


class Tally(NamedTuple):
    """What `follow_places` came to."""

    reached: int  # in time
    falls: int


def make_steered(spec: EnvironmentSpec) -> gymnasium.Env[Any, Any]:
    """Return one of our environments without a time limit, with a cube to throw where there is a robot that walks.

    Raises:
      UsageError: it is not one of ours, or see `wrapped`.
    """
    name, keywords = registered(spec.env_id), dict(spec.keywords)
    if OWN_ID.fullmatch(name) is None:
        raise UsageError(f"{spec.env_id} has nothing to steer; see it with the command play")
    from baselines_ppo.zoo.tasks.by_name import WALKERS, WITH_CUBE  # a new MuJoCo, which only ours need

    with explained(spec.env_id):
        task = keywords.pop("task", gymnasium.spec(name).kwargs["task"])
        task += WITH_CUBE if task in WALKERS else ""
        env = gymnasium.make(name, disable_env_checker=True, task=task, **{**keywords, "max_episode_steps": -1})
    return wrapped(lambda: env, spec.wrappers)


def follow_places(session: Session, count: int, generator: np.random.Generator) -> Tally:
    """Put the flag in so many random places around the robot, one after the other; returns how well it followed.

    Each place is one in a square of 16 m around where the robot then is, but at least 2 m away; it has as many
    seconds to come as it is metres away.
    """
    start, in_time = session.numbers, 0
    for _ in range(count):
        way = np.zeros(2)
        while np.hypot(*way) < NEAREST:
            way = generator.uniform(-FARTHEST, FARTHEST, 2)
        session.set_target(session.position[0] + way[0], session.position[1] + way[1])
        before, steps = session.numbers.flags_reached, int(PACE * np.hypot(*way) / session.simulated.step_seconds)
        for _ in range(steps):
            session.step()
            if session.numbers.flags_reached > before:
                in_time += 1
                break
    return Tally(in_time, session.numbers.falls - start.falls)
