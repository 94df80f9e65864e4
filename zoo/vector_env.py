"""Our environments: n robots stepped as one, and a single one as the case n = 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import EzPickle
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from baselines_ppo.zoo.infos import masked, named, told_by
from baselines_ppo.zoo.random_state import set_words, words_of
from baselines_ppo.zoo.rendering import Camera
from baselines_ppo.zoo.scene import CONTROL_STEP
from baselines_ppo.zoo.tasks.by_name import make_task

METADATA: dict[str, Any] = {"render_modes": ["rgb_array", "human"], "render_fps": round(1 / CONTROL_STEP)}


class RobotVectorEnv(VectorEnv[np.ndarray, np.ndarray, np.ndarray], EzPickle):
    """n robots at a task, each with a random stream of its own: what one does depends on no other, nor on n."""

    def __init__(
        self,
        task: str,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.SAME_STEP,
        width: int = 640,
        height: int = 480,
        **settings: Any,
    ) -> None:
        """Make the environments; none has begun.

        Args:
          task: one of the names in `by_name.TASKS`.
          max_episode_steps: after which an episode is truncated; -1 or None: never.
          autoreset_mode: the same step, or disabled: then some rows are begun anew by
            `reset(options={"reset_mask": ...})`, with a seed for each of them or for none.
          width, height: of pictures, in pixels.
          settings: of the task, see `make_task`.
        """
        # Pickled, it is made anew.
        EzPickle.__init__(
            self, task, num_envs, max_episode_steps, render_mode, autoreset_mode, width, height, **settings
        )
        if render_mode not in (None, *METADATA["render_modes"]):
            raise ValueError(f"render_mode is {render_mode!r}, expected one of {', '.join(METADATA['render_modes'])}")
        mode = AutoresetMode(autoreset_mode)
        if mode is AutoresetMode.NEXT_STEP:
            raise ValueError("autoreset_mode is next-step; these environments have same-step and disabled")
        self.num_envs, self.render_mode, self._mode = num_envs, render_mode, mode
        self.metadata = {**METADATA, "autoreset_mode": mode}
        self.task = make_task(task, num_envs, **settings)
        self.single_observation_space = spaces.Box(
            -self.task.observation_bound, self.task.observation_bound, (self.task.observation_size,), np.float32
        )
        self.single_action_space = spaces.Box(-1.0, 1.0, (self.task.action_size,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.generators = [np_random(None)[0] for _ in range(num_envs)]
        self.steps = np.zeros(num_envs, dtype=np.int64)  # of the episodes under way
        self.simulation_failures = 0  # episodes that ended because their simulation became unstable
        self._most_steps = np.inf if max_episode_steps in (None, -1) else max_episode_steps
        self.expect_limit(max_episode_steps)
        self._camera = Camera(self.task, width, height)
        self._fresh = {name: values.copy() for name, values in self.task.state.items()}

    def expect_limit(self, steps: int | None) -> None:
        """Let the task know after how many steps an episode is over, where this is a success; -1 or None: never."""
        if steps not in (None, -1) and self.task.episode_steps is not None:
            self.task.episode_steps = steps

    def reset(
        self, *, seed: int | Sequence[int | None] | np.ndarray | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin episodes everywhere, or where `options["reset_mask"]`, [n] bool, says so.

        Begun everywhere by seeds, nothing is remembered of earlier episodes.

        Args:
          seed: one for each that begins, or for each of all; of a single number s, row i takes s + i.
        """
        everywhere = not options or "reset_mask" not in options
        mask = np.ones(self.num_envs, dtype=bool) if everywhere else np.asarray((options or {})["reset_mask"])
        if mask.shape != (self.num_envs,) or mask.dtype != bool:
            raise ValueError(f"reset_mask is {mask!r}, expected {self.num_envs} of True or False")
        rows = np.flatnonzero(mask).tolist()
        if seed is not None:
            alone = isinstance(seed, int | np.integer)
            seeds: list[Any] = [int(seed) + i for i in range(self.num_envs)] if alone else list(seed)  # type: ignore[arg-type]
            if len(seeds) == self.num_envs:
                seeds = [seeds[row] for row in rows]
            if len(seeds) != len(rows):
                raise ValueError(f"{len(seeds)} seeds for {len(rows)} environments")
            for row, own in zip(rows, seeds, strict=True):
                if own is not None:
                    self.generators[row] = np_random(int(own))[0]
            if everywhere:
                self.forget()
        self.begin(rows)
        return self.task.observe(), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Advance all by a control step with actions [n, A]; beyond [-1, 1] they are clipped."""
        outcome = self.task.step(self._checked(actions), self.generators)
        self.steps += 1
        rewards = np.where(outcome.failed, 0.0, np.sum(outcome.terms, axis=0))
        terminated = outcome.terminated | outcome.failed
        truncated = self.steps >= self._most_steps
        self.simulation_failures += int(outcome.failed.sum())
        observations = self.task.observe()
        facts = {**named(outcome.terms), "simulation_failed": outcome.failed.copy()}
        if self.flags_reached is not None:
            facts["flags_reached"] = self.flags_reached
        infos = {**masked(facts, np.ones(self.num_envs, dtype=bool)), **told_by(self.task)}
        ended = terminated | truncated
        if self._mode is AutoresetMode.SAME_STEP and ended.any():
            final_info = {**masked(facts, ended), **told_by(self.task, ended)}
            final = np.full(self.num_envs, None, dtype=object)
            for row in np.flatnonzero(ended).tolist():
                final[row] = observations[row]
            infos |= masked({"final_obs": final, "final_info": final_info}, ended)
            self.begin(np.flatnonzero(ended).tolist())
            observations = self.task.observe()
        return observations, rewards, terminated, truncated, infos

    @property
    def flags_reached(self) -> np.ndarray | None:
        """How many flags each row has reached in its episode, [n], or None where there are none."""
        return None if self.task.flags is None else self.task.flags.reached.copy()

    def begin(self, rows: list[int]) -> None:
        """Begin an episode in each of these rows, by its own generator."""
        self.task.begin(rows, [self.generators[row] for row in rows])
        self.steps[rows] = 0

    def set_target(self, index: int, x: float, y: float, stays: bool = False) -> None:
        """Place the flag of a robot, in m; it stays until it is reached, or the episode ends.

        Args:
          stays: even when it is reached, which then does not count.

        Raises:
          ValueError: this task has no flags.
        """
        if self.task.flags is None:
            raise ValueError("this task has no flag to place")
        self.task.flags.put(index, x, y, stays)

    def throw_cube(self, index: int) -> None:
        """Throw a cube at a robot now.

        Raises:
          ValueError: this task has no cube.
        """
        if self.task.cubes is None or self.task.body is None:
            raise ValueError("this task has no cube to throw")
        self.task.cubes.throw(index, self.task.body.pose, self.generators[index])

    def push(self, index: int, x: float, y: float) -> None:
        """Add to the velocity of a robot at once, in m/s.

        Raises:
          ValueError: what moves in this task is not a robot on a floor.
        """
        if self.task.body is None:
            raise ValueError("this task has no robot to push")
        self.task.body.push(index, x, y)

    def capture(self) -> dict[str, np.ndarray]:
        """Return a copy of all state, arrays [n, ...]: with it restored, each row goes on bit for bit."""
        return {
            **{name: values.copy() for name, values in {**self.task.state, **self.task.fixed}.items()},
            "simulation": self.task.simulation.state.copy(),
            "steps": self.steps.copy(),
            "generator": np.stack([words_of(generator) for generator in self.generators]),
        }

    def restore(self, state: dict[str, np.ndarray]) -> np.ndarray:
        """Bring all rows to where `capture` found them, or others, as many; returns observations [n, D].

        Raises:
          KeyError, ValueError: the state is of another environment, or of another number; nothing was changed.
        """
        own = {**self.task.state, "simulation": self.task.simulation.state, "steps": self.steps}
        words = (self.num_envs, *words_of(self.generators[0]).shape)
        for name, shape in {**{name: x.shape for name, x in own.items()}, "generator": words}.items():
            if np.shape(state[name]) != shape:
                raise ValueError(f"{name} is {np.shape(state[name])}, expected {shape}")
        if other := [name for name, values in self.task.fixed.items() if not np.array_equal(state[name], values)]:
            raise ValueError(f"{other[0]} is another")
        for name, values in own.items():
            values[:] = state[name]
        for generator, own_words in zip(self.generators, state["generator"], strict=True):
            set_words(generator, own_words)
        self.task.look()
        return self.task.observe()

    def render(self) -> tuple[np.ndarray, ...] | None:
        """Return a picture of each row, [height, width, 3] bytes; in the mode `human`, show the first in a window."""
        if self.render_mode == "human":
            self._camera.show(0)
            return None
        return tuple(self._camera.picture(row) for row in range(self.num_envs))

    def close_extras(self, **_: Any) -> None:
        self._camera.close()

    def forget(self) -> None:
        """Make the task what it was before its first episode."""
        for name, values in self.task.state.items():
            values[:] = self._fresh[name]

    def _checked(self, actions: Any) -> np.ndarray:
        expected = (self.num_envs, self.task.action_size)
        array = np.asarray(actions, dtype=np.float64)
        if array.shape != expected:
            raise ValueError(f"actions of shape {array.shape}, expected {expected}")
        if not np.isfinite(array).all():
            row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
            raise ValueError(f"the action of environment {row} is not finite: {array[row]}")
        return np.clip(array, -1.0, 1.0)


class RobotEnv(gymnasium.Env[np.ndarray, np.ndarray], EzPickle):
    """One robot at a task; Gymnasium does not tell it of another time limit: `vector.expect_limit` does."""

    metadata = METADATA

    def __init__(self, task: str, render_mode: str | None = None, **settings: Any) -> None:
        """Make the environment; for its settings see `RobotVectorEnv`."""
        EzPickle.__init__(self, task, render_mode, **settings)
        self.task = task
        self.vector = RobotVectorEnv(task, 1, None, render_mode, AutoresetMode.DISABLED, **settings)
        self.observation_space = self.vector.single_observation_space
        self.action_space = self.vector.single_action_space
        self.render_mode = render_mode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.vector.generators[0] = self.np_random
        if seed is not None:
            self.vector.forget()
        self.vector.begin([0])
        return self.vector.task.observe()[0], {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, SupportsFloat, bool, bool, dict[str, Any]]:
        observations, rewards, terminated, _, infos = self.vector.step(np.asarray(action)[None])
        if self.render_mode == "human":
            self.render()
        info = {name: values[0] for name, values in infos.items() if infos.get(f"_{name}", [False])[0]}
        return observations[0], float(rewards[0]), bool(terminated[0]), False, info

    @property
    def flags_reached(self) -> int | None:
        """See `RobotVectorEnv.flags_reached`."""
        reached = self.vector.flags_reached
        return None if reached is None else int(reached[0])

    def render(self) -> np.ndarray | None:
        pictures = self.vector.render()
        return None if pictures is None else pictures[0]

    def set_target(self, index: int, x: float, y: float, stays: bool = False) -> None:
        """Place the flag; see `RobotVectorEnv.set_target`.

        Args:
          index: 0, the only one; it is asked for so that a script need not know whether it has one robot or many.
        """
        self.vector.set_target(index, x, y, stays)

    def throw_cube(self) -> None:
        """See `RobotVectorEnv.throw_cube`."""
        self.vector.throw_cube(0)

    def push(self, x: float, y: float) -> None:
        """See `RobotVectorEnv.push`."""
        self.vector.push(0, x, y)

    def capture(self) -> dict[str, np.ndarray]:
        """See `RobotVectorEnv.capture`."""
        return self.vector.capture()

    def restore(self, state: dict[str, np.ndarray]) -> np.ndarray:
        """See `RobotVectorEnv.restore`; returns the observation [D]."""
        return self.vector.restore(state)[0]

    def close(self) -> None:
        self.vector.close()
