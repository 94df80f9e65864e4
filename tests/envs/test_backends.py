"""The two ways of stepping environments: alike to the last bit where a vector form keeps its promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from baselines_ppo import configure, train
from baselines_ppo.common.envs.backend_contract import Backend, Outcome
from baselines_ppo.common.envs.backends import SerialBackend, make_backend
from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.envs.native_backend import NativeBackend
from baselines_ppo.common.envs.vec_env import Step, VecEnv
from baselines_ppo.common.failures import UsageError

STEPS = 40  # episodes of the walks take twelve at most
WALKS = ("Walk", "WalkNextStep", "WalkDict", "WalkDiscrete")


def walk(name: str) -> str:
    return f"tests.environments:{name}-v0"


def one_by_one(env_id: str, count: int) -> Backend:
    return SerialBackend(lambda: make_environment(EnvironmentSpec(env_id)), count, env_id)


def envs_of(env_id: str, indices: range = range(3), serial: bool = False) -> VecEnv:
    """Return environments that have begun."""
    backend = one_by_one(env_id, len(indices)) if serial else make_backend(EnvironmentSpec(env_id), len(indices))
    envs = VecEnv(backend, indices, seed=1, env_id=env_id, rank=0)
    envs.reset()
    return envs


def actions_of(indices: range, steps: int, choices: int = 3) -> list[np.ndarray]:
    """Return actions [n] of each step, an environment's own whoever else is there."""
    columns = [np.random.default_rng(index).integers(choices, size=steps) for index in indices]
    return list(np.stack(columns, axis=1))


def driven(envs: VecEnv, actions: Sequence[np.ndarray]) -> list[Step]:
    return [envs.step(each) for each in actions]


def assert_same_steps(one: Sequence[Step], other: Sequence[Step], columns: slice = slice(None)) -> None:
    for t, (a, b) in enumerate(zip(one, other, strict=True)):
        for name, x, y in zip(Step._fields, a, b, strict=True):
            assert x[columns].dtype == y.dtype
            assert x[columns].tobytes() == y.tobytes(), f"{name} of step {t}"


@pytest.mark.parametrize("name", WALKS)
@pytest.mark.parametrize("count", [1, 3])
def test_a_vector_form_that_keeps_its_promises_is_used(name: str, count: int) -> None:
    assert isinstance(make_backend(EnvironmentSpec(walk(name)), count), NativeBackend)


def test_keywords_reach_a_vector_form_of_ours_and_no_other() -> None:
    """What somebody else's means by a word need not be what one environment means by it."""
    spec = EnvironmentSpec("RoboHumanoidFlagrunHarder-v1", keywords={"start": "face_up"})
    native, serial = make_backend(spec, 2), SerialBackend(lambda: make_environment(spec), 2, spec.env_id)
    assert isinstance(native, NativeBackend)
    ours, each = native.reset([0, 1], [5, 6]), serial.reset([0, 1], [5, 6])
    assert ours.tobytes() == each.tobytes()
    assert ours.tobytes() != make_backend(EnvironmentSpec(spec.env_id), 2).reset([0, 1], [5, 6]).tobytes()
    theirs = EnvironmentSpec(walk("Walk"), keywords={"max_episode_steps": 5})
    assert isinstance(make_backend(theirs, 2), SerialBackend)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", ["WalkMaskless", "WalkSameStep"])
def test_a_vector_form_that_cannot_begin_one_episode_apart_is_not_used(name: str, count: int) -> None:
    """Nor where there is one row only: on another number of ranks there would be more."""
    assert isinstance(make_backend(EnvironmentSpec(walk(name)), count), SerialBackend)


@pytest.mark.parametrize("count", [1, 3])
def test_a_vector_form_that_takes_no_seed_of_each_is_not_used(count: int) -> None:
    assert isinstance(make_backend(EnvironmentSpec("CartPole-v1"), count), SerialBackend)


def test_wrapped_environments_are_stepped_one_by_one() -> None:
    wrappers = ("gymnasium.wrappers:FlattenObservation",)
    assert isinstance(make_backend(EnvironmentSpec(walk("Walk"), wrappers), 3), SerialBackend)


@pytest.mark.parametrize("name", WALKS)
def test_both_ways_give_the_same_bits(name: str) -> None:
    actions = actions_of(range(3), STEPS)
    native, single = envs_of(walk(name)), envs_of(walk(name), serial=True)
    assert native.observations.tobytes() == single.observations.tobytes()
    steps = driven(native, actions)
    assert_same_steps(steps, driven(single, actions))
    assert np.any([step.truncated for step in steps])
    assert np.any([step.terminated for step in steps])


@pytest.mark.parametrize("serial", [False, True])
def test_trajectories_do_not_depend_on_who_shares_the_rank(serial: bool) -> None:
    env_id, actions = walk("Walk"), actions_of(range(6), STEPS)
    together = driven(envs_of(env_id, range(6), serial), actions)
    for part in (range(1), range(1, 3), range(3, 6)):
        columns = slice(part.start, part.stop)
        apart = driven(envs_of(env_id, part, serial), [each[columns] for each in actions])
        assert_same_steps(together, apart, columns)


@pytest.mark.parametrize(("before", "after"), [(False, False), (True, True), (False, True), (True, False)])
@pytest.mark.parametrize("name", ["Walk", "WalkNextStep", "WalkDict"])
def test_episodes_under_way_go_on_after_a_replay(name: str, before: bool, after: bool) -> None:
    """They are 1 to 11 steps old, each its own; the way of stepping may change too."""
    actions = actions_of(range(3), 2 * STEPS)
    envs = envs_of(walk(name), serial=before)
    driven(envs, actions[:STEPS])
    records = envs.capture()
    assert len({len(record.actions) for record in records}) > 1
    again = envs_of(walk(name), serial=after)
    assert again.restore(records) == []
    assert again.observations.tobytes() == envs.observations.tobytes()
    assert_same_steps(driven(envs, actions[STEPS:]), driven(again, actions[STEPS:]))


@pytest.mark.parametrize("serial", [False, True])
def test_a_record_that_does_not_replay_begins_a_new_episode(serial: bool) -> None:
    envs = envs_of(walk("Walk"), serial=serial)
    driven(envs, actions_of(range(3), 5))
    records = envs.capture()
    records[1].observation += 1e-9
    again = envs_of(walk("Walk"), serial=serial)
    assert again.restore(records) == [1]
    assert [len(record.actions) for record in again.capture()] == [5, 0, 5]
    assert again.capture()[1].episode == records[1].episode + 1


@pytest.mark.parametrize("taken", [1, 7, STEPS])
def test_a_strict_vector_form_is_given_nothing_but_what_it_accepts(taken: int) -> None:
    """It refuses actions outside of its space, and to go on after an end; also while episodes are replayed."""
    assert isinstance(make_backend(EnvironmentSpec(walk("StrictWalk")), 3), NativeBackend)
    actions = [each + 1 for each in actions_of(range(3), 2 * STEPS)]
    envs, single = envs_of(walk("StrictWalk")), envs_of(walk("StrictWalk"), serial=True)
    assert_same_steps(driven(envs, actions[:taken]), driven(single, actions[:taken]))
    records = envs.capture()
    assert any(len(record.actions) for record in records)
    again = envs_of(walk("StrictWalk"))
    assert again.restore(records) == []
    assert again.observations.tobytes() == envs.observations.tobytes()
    assert_same_steps(driven(envs, actions[taken:]), driven(again, actions[taken:]))


@pytest.mark.parametrize("serial", [False, True])
def test_a_replay_that_ends_too_early_is_not_stepped_on(serial: bool) -> None:
    actions = [each + 1 for each in actions_of(range(3), 2 * STEPS)]
    envs = envs_of(walk("StrictWalk"), serial=serial)
    driven(envs, actions[:STEPS])
    records = envs.capture()
    records[1].actions = np.full(20, 3)  # more steps to the right than there is room for
    again = envs_of(walk("StrictWalk"), serial=serial)
    assert again.restore(records) == [1]
    others = [0, 2]
    for step, replayed in zip(driven(envs, actions[STEPS:]), driven(again, actions[STEPS:]), strict=True):
        for name, x, y in zip(Step._fields, step, replayed, strict=True):
            assert x[others].tobytes() == y[others].tobytes(), name


@pytest.mark.parametrize("serial", [False, True])
def test_parts_of_an_observation_reach_the_learner_as_one_vector(serial: bool) -> None:
    number = envs_of(walk("WalkDiscrete"), serial=serial).observations
    assert number.shape == (3, 2)
    assert number.dtype == np.float32
    assert number.sum(axis=1).tolist() == [1.0, 1.0, 1.0]
    parts = envs_of(walk("WalkDict"), serial=serial).observations
    assert parts.shape == (3, 4)
    assert parts.dtype == np.float64  # one of the parts is, until its mean is subtracted
    np.testing.assert_array_equal(parts[:, 3], parts[:, 0] > 0)  # the side on which it is
    np.testing.assert_array_equal(parts[:, 2:].sum(axis=1), 1.0)


def test_counting_episodes_needs_environments_that_step_one_by_one() -> None:
    config = configure(walk("Walk"), "ppo_kl", wrapper=(), num_envs=2, num_episodes=2)
    with pytest.raises(UsageError, match="steps all its environments at once; give --num-episodes none"):
        train(config)


def test_atari_steps_in_its_own_vector_form_whatever_the_batch() -> None:
    pytest.importorskip("ale_py")
    assert isinstance(make_backend(EnvironmentSpec("ALE/Pong-v5"), 2), NativeBackend)
    actions = actions_of(range(3), 30, choices=6)
    together = driven(envs_of("ALE/Pong-v5"), actions)
    assert together[0].observations.shape == (3, 84, 84, 4)
    assert together[0].observations.dtype == np.uint8
    assert (together[0].observations[0] != together[0].observations[1]).any()  # each has a seed of its own
    for part in (range(1), range(1, 3)):
        columns = slice(part.start, part.stop)
        assert_same_steps(together, driven(envs_of("ALE/Pong-v5", part), [each[columns] for each in actions]), columns)


def test_atari_goes_on_after_a_replay() -> None:
    """Its actions are sticky, so that this is about its random numbers too."""
    pytest.importorskip("ale_py")
    actions = actions_of(range(2), 60, choices=6)
    envs = envs_of("ALE/Pong-v5", range(2))
    driven(envs, actions[:30])
    again = envs_of("ALE/Pong-v5", range(2))
    assert again.restore(envs.capture()) == []
    assert_same_steps(driven(envs, actions[30:]), driven(again, actions[30:]))


class Careless(SerialBackend):
    """Gives nonsense in the rows that were not asked for, as a backend may."""

    def step(self, actions: np.ndarray, rows: Sequence[int]) -> Outcome:
        outcome = super().step(actions, rows)
        others = [row for row in range(len(actions)) if row not in rows or row in outcome.raised]
        outcome.observations[others], outcome.rewards[others] = 99, np.nan
        outcome.terminated[others] = outcome.truncated[others] = True
        return outcome


def test_rows_that_were_not_asked_for_stay_as_they_are() -> None:
    env_id, asked = walk("Walk"), np.array([0, 2])
    envs = VecEnv(Careless(lambda: make_environment(EnvironmentSpec(env_id)), 3, env_id), range(3), 1, env_id, rank=0)
    before = envs.reset().copy()
    step = envs.step(actions_of(range(3), 1)[0], asked)
    expected = envs_of(env_id, serial=True).step(actions_of(range(3), 1)[0])
    assert step.observations[1].tobytes() == before[1].tobytes()
    assert (step.rewards[1], step.terminated[1], step.truncated[1], step.dropped[1]) == (0.0, False, False, False)
    assert_same_steps([Step(*(x[asked] for x in step))], [Step(*(x[asked] for x in expected))])


def test_a_step_that_raised_counts_for_nothing() -> None:
    """Each raises at step 5 of its second episode, after 10 of the first."""
    env_id = "tests.environments:Raising-always-v0"
    envs = VecEnv(
        Careless(lambda: make_environment(EnvironmentSpec(env_id)), 2, env_id),
        range(2),
        1,
        env_id,
        rank=0,
        restarts=100,
    )
    envs.reset()
    steps = driven(envs, [np.zeros((2, 1), np.float32)] * 15)
    last, before = steps[14], steps[13]
    assert last.dropped.all() and last.truncated.all() and not last.terminated.any() and not last.rewards.any()
    assert last.next_observations.tobytes() == before.next_observations.tobytes()
    assert not any(step.dropped.any() for step in steps[:14])


class Closing(gymnasium.Env[Any, Any]):
    """Notes that it was closed; some raise then."""

    observation_space, action_space = spaces.Box(-1, 1, (1,)), spaces.Discrete(2)
    closed: ClassVar[list[int]] = []
    made = 0

    def __init__(self) -> None:
        self.number = Closing.made
        Closing.made += 1

    def close(self) -> None:
        Closing.closed.append(self.number)
        if self.number in (0, 2):
            raise RuntimeError(f"number {self.number} has gone")


@pytest.fixture
def none_closed() -> None:
    Closing.made = 0
    Closing.closed.clear()


@pytest.mark.usefixtures("none_closed")
def test_environments_are_closed_if_a_later_one_cannot_be_made() -> None:
    def only_three() -> Closing:
        if Closing.made == 3:
            raise OSError("no fourth device")
        return Closing()

    with pytest.raises(UsageError, match="no fourth device"):
        SerialBackend(only_three, 4, "Closing")
    assert Closing.closed == [0, 1, 2]


@pytest.mark.usefixtures("none_closed")
def test_all_environments_are_closed_even_if_some_cannot_be() -> None:
    backend = SerialBackend(Closing, 4, "Closing")
    with pytest.raises(RuntimeError, match="number 0 has gone"):
        backend.close()
    assert Closing.closed == [0, 1, 2, 3]
