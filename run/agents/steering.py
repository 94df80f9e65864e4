"""An agent that is told where to go: commands in, numbers out, with no screen and no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from baselines_ppo.common.envs.backend_contract import Unusable
from baselines_ppo.common.envs.foreign import close_unheard
from baselines_ppo.common.envs.make import OWN_ID, EnvironmentSpec, explained, registered, wrapped
from baselines_ppo.common.failures import DataError, UsageError
from baselines_ppo.common.files.agent import Agent
from baselines_ppo.common.seeding import Purpose, episode_seed
from baselines_ppo.run.agents.acting import seen_backend_for
from baselines_ppo.run.agents.footing import Footing
from baselines_ppo.run.show.motion import Motion
from baselines_ppo.run.show.simulated import simulated
from baselines_ppo.zoo import is_own

MOMENT = 2.0  # s in which a fall is seen, before a new episode begins
CHANCE = 10.0  # s that a robot has to stand up, if it can, before a new episode begins
SMOOTHING = 0.3  # s, over which the speed is averaged
RUNS = 0.5  # m/s, from where on a robot runs
PUSH = 1.5  # m/s, that a push adds to the velocity of a robot


class Numbers(NamedTuple):
    """How it goes."""

    speed: float | None  # m/s over the floor; None: what there is does not go anywhere
    distance: float | None  # m to the flag; None: there is none
    doing: str | None  # in words, such as running; None: what there is is no robot on a floor
    flags_reached: int  # since the start, like the next two
    falls: int
    rises: int | None  # None: who falls cannot get up
    episode_return: float
    episode_seconds: float


@dataclass
class _Episode:
    """What is known of the episode under way."""

    episode_return: float = 0.0
    seconds: float = 0.0
    over: bool = False  # as training sees it: what comes then does not count
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
        with ExitStack() as on_failure:
            on_failure.callback(close_unheard, self._backend.close)
            self._start(agent, seed, deterministic)
            on_failure.pop_all()

    def _start(self, agent: Agent, seed: int, deterministic: bool) -> None:
        """Begin the first episode."""
        self.simulated = simulated(lambda: self._backend.environments[0], self._env_id)
        self._agent, self._deterministic, self.wander = agent, deterministic, True
        self._seed, self._noise = seed, np.random.default_rng(seed)
        self._placed: tuple[float, float] | None = None  # the flag that was asked for, until another one appears
        self._counted = False  # whether the flag that is there was reached
        self._reached, self._side = 0, 1
        self.episodes = 0  # begun
        self._begin_episode(episode_seed(seed, 0, 0, Purpose.EVALUATION))
        self.footing = Footing(self._gets_up)
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
        self.footing.step(self._is_down if self._gets_up else bool(terminated), seconds)
        self._keep_flag()
        if truncated or self._is_lost(bool(terminated)):
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
        return self._task is not None and self._task.body is not None

    @property
    def _gets_up(self) -> bool:
        """Whether a fall is not the end of an episode."""
        return self._task is not None and bool(self._task.steered)

    @property
    def _is_down(self) -> bool:
        """Whether one that can get up is on the ground."""
        return self._gets_up and not self._task.upright[0]

    def _is_lost(self, terminated: bool) -> bool:
        """Return whether what has fallen had its time; where a fall is no end, only a failed simulation terminates."""
        seconds = self.footing.seconds_down
        return (terminated or seconds >= CHANCE) if self._gets_up else seconds >= MOMENT

    @property
    def numbers(self) -> Numbers:
        """How it goes."""
        target, moves = self.target, bool(self.simulated.view["trackbodyid"])
        speed = float(np.hypot(*self._episode.velocity))
        doing = self.footing.words or ("running" if speed >= RUNS else "standing")
        return Numbers(
            speed=speed if moves else None,
            distance=None if target is None else float(np.hypot(*np.subtract(target, self.position))),
            doing=doing if self.can_push else None,
            flags_reached=self._reached,
            falls=self.footing.falls,
            rises=self.footing.rises if self._gets_up else None,
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
        self._flags: Any = self._task and self._task.flags
        self._cubes: Any = self._task and self._task.cubes

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
        self.footing.begin(lying=self._is_down)
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


def make_steered(spec: EnvironmentSpec) -> gymnasium.Env[Any, Any]:
    """Return one of our environments without a time limit; its robot has a cube to be thrown at it, and may fall.

    Raises:
      UsageError: it is not one of ours, or see `wrapped`.
    """
    name, keywords = registered(spec.env_id), dict(spec.keywords)
    if OWN_ID.fullmatch(name) is None:
        raise UsageError(f"{spec.env_id} has nothing to steer; see it with the command play")
    from baselines_ppo.zoo.tasks.by_name import TASKS, TO_STEER  # a new MuJoCo, which only ours need

    with explained(spec.env_id):
        task = keywords.pop("task", gymnasium.spec(name).kwargs["task"])
        task += TO_STEER if f"{task}{TO_STEER}" in TASKS else ""
        env = gymnasium.make(name, disable_env_checker=True, task=task, **{**keywords, "max_episode_steps": -1})
    return wrapped(lambda: env, spec.wrappers)
