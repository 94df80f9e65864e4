"""The humanoid that chases flags, gets up when it lies on the ground, and has cubes thrown at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from baselines_ppo import zoo
from baselines_ppo.common.failures import UsageError
from baselines_ppo.zoo.bodies.body import CLIP, Body, body_of
from baselines_ppo.zoo.bodies.robot import HUMANOID
from baselines_ppo.zoo.scene import CONTROL_STEP
from baselines_ppo.zoo.task import Task, TaskOutcome
from baselines_ppo.zoo.tasks.cubes import EVERY, FIRST, Cubes
from baselines_ppo.zoo.tasks.flags import Flags, distances
from baselines_ppo.zoo.tasks.strengths import Strengths
from baselines_ppo.zoo.tasks.walker import FOOT_COST, LIMIT_COST

EPISODE = 1000  # control steps; who gets so far has succeeded
WINDOW = 10  # episodes of each start that are remembered
STARTS = zoo.STARTS["HumanoidFlagrunHarder"]
WALK, FALLEN = STARTS.index("upright"), STARTS.index("fallen")
PITCHES = (0.0, np.pi / 2, 3 * np.pi / 2 - 0.15)  # rad, of the starts but the last, which Roboschool did not have

REFERENCE_HEIGHT = 0.8  # m, that heights are observed from
UPRIGHT = 0.8  # m, the height of the waist from which on a robot is not on the ground
PATIENCE = 170  # control steps on the ground until the episode ends
LYING_BONUS, STANDING_BONUS = 0.5, 1.5  # per step: the first always, the second in proportion to the height
FULL_HEIGHT = 0.7  # m, of the torso and a bit of the pelvis, so that leaning over neither helps nor hurts
STANDS = 60  # control steps upright without a break; whoever manages them has stood up when they began
IN_TIME = 4.0  # s, in which one is to have stood up
RISING = 100.0  # times what the bonus has grown
ELECTRICITY_COST, ELECTRICITY_COST_LYING = 1.0, 0.4
CREEPS, RISES = 0.3, 0.7  # m, heights of the waist between which a robot gets off the ground


class Terms(NamedTuple):
    """What the rewards [n] of a step are the sums of."""

    alive: np.ndarray
    progress: np.ndarray  # m/s, towards the flag, while upright: crawling earns nothing
    rising: np.ndarray
    electricity: np.ndarray
    joints_at_limit: np.ndarray
    foot_collision: np.ndarray


class FlagrunHarder(Task):
    """n humanoids; each starts upright or lying, most often in the way that it fails at most often."""

    body: Body
    flags: Flags
    cubes: Cubes
    episode_steps: int

    def __init__(
        self,
        count: int,
        start: str | None = None,
        fallen: bool = False,
        strength: float = 1.0,
        turning: float = 0.0,
        lying_cost: float = ELECTRICITY_COST_LYING,
        steered: bool = False,
    ) -> None:
        """Make them; none has begun. All but `start` and `steered` help to learn to get up.

        Args:
          start: one of `STARTS`, for all episodes; None: each is drawn.
          fallen: whether the last of these is drawn, too.
          strength: of who starts on the ground, at first: times the robot's; see `Strengths`.
          turning: times what the chest has turned to the ground, as a reward.
          lying_cost: of electricity, on the ground.
          steered: whether a fall ends no episode, and no cube comes by itself.

        Raises:
          UsageError: there is no such start, or the strength is out of its range.
        """
        if start not in (None, *STARTS):
            raise UsageError(f"start is {start!r}, expected one of {', '.join(STARTS)}")
        self._always = None if start is None else STARTS.index(start)
        self._turning, self._lying_cost = turning, lying_cost
        self.episode_steps, self.steered = EPISODE, steered
        self.body = body_of(HUMANOID, count, flag=True, cube=True, strength=strength)
        self.simulation = self.body.simulation
        self.flags, self.cubes = Flags(self.simulation.mocap_pos[:, 0, :2]), Cubes(self.simulation)
        self._start = np.zeros(count, dtype=np.int64)  # how the episode under way started
        self._steps = np.zeros(count, dtype=np.int64)
        self._fallen = np.zeros(count, dtype=bool)  # who has not got to the end of its episode
        self._grounded = np.zeros(count, dtype=np.int64)  # control steps on the ground, less those off it
        self._upright_steps = np.zeros(count, dtype=np.int64)  # without a break until now
        self._stood_up = np.full(count, np.nan)  # s from the start; nan: not yet, or it was upright
        starts = len(STARTS) if fallen else len(PITCHES)
        self._successes = np.full((count, starts, WINDOW), np.nan)  # the last of each start; nan: none yet
        self._strengths = Strengths(count, strength)
        self.observation_size, self.action_size = self.body.observation_size, self.body.num_joints
        self.observation_bound, self.view = CLIP, self.body.view
        own: dict[str, np.ndarray] = {"start": self._start, "steps_made": self._steps, "grounded": self._grounded}
        own |= {"successes": self._successes, "fallen": self._fallen}
        own |= {"upright_steps": self._upright_steps, "stood_up": self._stood_up}
        own |= self._strengths.state
        self.state = {**own, **self.body.state, **self.flags.state, **self.cubes.state}

    def begin(self, rows: list[int], generators: Sequence[np.random.Generator]) -> None:
        """Begin an episode in each of these rows."""
        self.simulation.reset(rows)
        for row, generator in zip(rows, generators, strict=True):
            if self._fallen[row] or self._steps[row] >= self.episode_steps:  # not one that somebody broke off
                self._remember(row, not self._fallen[row])
            drawn = generator.choice(self._successes.shape[1], p=start_chances(self._successes[row]))
            self._start[row] = drawn if self._always is None else self._always
            if self._start[row] == FALLEN:
                self.body.fall(row, generator)
            else:
                self.body.stand(row, generator, PITCHES[self._start[row]])
            self.flags.begin(row, generator)
            self._steps[row], self._grounded[row], self._fallen[row] = 0, 0, False
            self._upright_steps[row], self._stood_up[row] = 0, np.nan
        self.cubes.park(rows)
        self.body.look()

    def step(self, actions: np.ndarray, generators: Sequence[np.random.Generator]) -> TaskOutcome:
        """Advance all by a control step with actions [n, A] within [-1, 1]."""
        body = self.body
        upright, bonus, before = self.upright, self._bonus(), distances(self.flags.places, body.pose.position)
        turned = self._turned()
        failed = body.step(self._strengths.weakened(actions, self._start))
        self._steps += 1
        progress = (before - distances(self.flags.places, body.pose.position)) / CONTROL_STEP
        progress[self.flags.renew(body.pose.position, failed, generators) | ~(upright & self.upright)] = 0.0
        self._count_grounded()
        self._note_who_stands()
        self._throw(generators)
        ended = (self._grounded >= PATIENCE) & (not self.steered)
        self._fallen[:] = ended | failed
        terms = Terms(
            alive=np.where(ended, -1.0, self._bonus()),
            progress=progress,
            rising=RISING * (self._bonus() - bonus) + self._turning * (self._turned() - turned),
            electricity=body.electricity(actions, np.where(self.upright, ELECTRICITY_COST, self._lying_cost)),
            joints_at_limit=-LIMIT_COST * body.joints_at_limit(),
            foot_collision=-FOOT_COST * body.colliding.sum(axis=1),
        )
        return TaskOutcome(terms, ended, failed)

    @property
    def upright(self) -> np.ndarray:
        """[n] bool, who is not on the ground."""
        return self.body.pose.height >= UPRIGHT

    @property
    def facts(self) -> dict[str, np.ndarray]:
        """What is told of the episodes under way, each [n]; nan: nothing.

        `is_success`: it has lasted to the end. Of those that started lying: whether they stood up in time, and after
        how many seconds.
        """
        lying = self._start != WALK
        return {
            "is_success": ((self._steps >= self.episode_steps) & ~self._fallen).astype(float),
            "stood_up": np.where(lying, self._stood_up <= IN_TIME, np.nan),
            "seconds_to_stand": self._stood_up.copy(),
        }

    def look(self) -> None:
        """Read where the simulation is."""
        self.body.look()

    def observe(self) -> np.ndarray:
        """Return observations [n, D] float32."""
        return self.body.observe(REFERENCE_HEIGHT, self.flags.places)

    def _bonus(self) -> np.ndarray:
        """Return the bonus of each, from lying flat to standing."""
        height = 0.7 * self.body.pose.height + 0.3 * self.body.senses.heights[:, 0]
        return LYING_BONUS + STANDING_BONUS * np.clip(height, 0.0, FULL_HEIGHT) / FULL_HEIGHT

    def _turned(self) -> np.ndarray:
        """Return how far each has got, 0 to 1: its chest from the sky to the ground, or itself from the ground."""
        pose = self.body.pose
        return np.maximum((1.0 + np.sin(pose.pitch)) / 2, np.clip((pose.height - CREEPS) / (RISES - CREEPS), 0.0, 1.0))

    def _count_grounded(self) -> None:
        upright = self.upright
        self._grounded[:] = np.where(upright, np.maximum(self._grounded - 1, 0), self._grounded + 1)
        self._grounded[~upright & (self._start == WALK)] = PATIENCE  # who started upright must not fall

    def _note_who_stands(self) -> None:
        self._upright_steps[:] = np.where(self.upright, self._upright_steps + 1, 0)
        risen = (self._upright_steps == STANDS) & np.isnan(self._stood_up) & (self._start != WALK)
        self._stood_up[risen] = (self._steps[risen] - STANDS) * CONTROL_STEP

    def _throw(self, generators: Sequence[np.random.Generator]) -> None:
        self.cubes.hold()
        due = (self._steps > FIRST) & (self._steps % EVERY == 0) & (self._grounded == 0) & (not self.steered)
        for row in np.flatnonzero(due).tolist():
            self.cubes.throw(row, self.body.pose, generators[row])

    def _remember(self, row: int, success: bool) -> None:
        start = int(self._start[row])
        self._strengths.remember(row, start, bool(self._stood_up[row] <= IN_TIME))
        if start < self._successes.shape[1]:
            window = self._successes[row, start]
            window[:] = [*window[1:], success]


def start_chances(successes: np.ndarray) -> np.ndarray:
    """Return the chance of each start, in proportion to how often it fails.

    Args:
      successes: [starts, window] 1, 0, or nan where there was no episode yet.
    """
    failing = 1.0 - np.nansum(successes, axis=1) / (1.0 + np.isfinite(successes).sum(axis=1))
    return failing / failing.sum()
