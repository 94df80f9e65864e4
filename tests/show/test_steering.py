"""Steering without a screen: what a session does on command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.failures import LoadError, UsageError
from baselines_ppo.common.files.agent import Agent, load_agent
from baselines_ppo.common.policy.actions import action_of
from baselines_ppo.common.policy.actor_critic import ActorCritic
from baselines_ppo.common.policy.networks import NetworkSettings
from baselines_ppo.common.policy.observations import observation_of
from baselines_ppo.common.policy.policy import Policy
from baselines_ppo.common.seeding import Purpose, episode_seed
from baselines_ppo.run.agents.steering import MOMENT, PUSH, Session, make_steered
from baselines_ppo.zoo import REGISTERED
from baselines_ppo.zoo.scene import CONTROL_STEP
from baselines_ppo.zoo.tasks.by_name import WALKERS
from tests.show.following import follow_places

FLAGRUN, CHEETAH, HOPPER = "RoboHumanoidFlagrun-v1", "RoboHalfCheetah-v1", "RoboHopper-v1"
PENDULUM = "InvertedPendulum-v4"


def session_of(name: str = FLAGRUN, seed: int = 0) -> Session:
    return Session(load_agent(f"zoo:{name}"), EnvironmentSpec(name), make_steered, seed)


def run(session: Session, seconds: float) -> None:
    for _ in range(round(seconds / session.simulated.step_seconds)):
        session.step()


def task_of(session: Session) -> Any:
    return session._task


def test_it_runs_where_it_is_told_to() -> None:
    score = follow_places(session_of(), 10, np.random.default_rng(0))
    assert score.reached >= 8
    assert score.falls <= 1


def test_its_first_episode_is_that_of_other_commands() -> None:
    """With a seed, `play` in a window, `evaluate` and `record` begin with this one."""
    env = make_environment(EnvironmentSpec(HOPPER))
    observation, _ = env.reset(seed=episode_seed(3, 0, 0, Purpose.EVALUATION))
    np.testing.assert_array_equal(session_of(HOPPER, seed=3)._observation[0], observation)


def test_a_flag_is_where_it_was_put_until_it_is_reached() -> None:
    session = session_of()
    session.set_target(3.0, 4.0)
    before = session.numbers
    assert session.target == (3.0, 4.0)
    assert before.distance == pytest.approx(5.0, abs=0.2)
    while session.numbers.flags_reached == before.flags_reached:
        assert session.target == (3.0, 4.0)
        session.step()
        assert session.numbers.episode_seconds < 15
    assert session.target != (3.0, 4.0)  # it wanders on
    assert np.hypot(session.position[0] - 3.0, session.position[1] - 4.0) < 1.0


def test_a_flag_that_nobody_reaches_stays_for_longer_than_it_would_in_training() -> None:
    session = session_of()
    session.set_target(60.0, 0.0)
    run(session, 5.0)
    assert session.target == (60.0, 0.0)


def test_who_is_not_to_wander_stays_at_the_flag_and_has_reached_it_once() -> None:
    session = session_of(seed=1)
    session.set_wander(False)
    session.set_target(3.0, 0.0)
    run(session, 8.0)
    assert session.target == (3.0, 0.0)
    assert session.numbers.flags_reached == 1
    session.set_wander(True)
    run(session, 5.0)
    assert session.target != (3.0, 0.0)


def test_a_flag_that_was_reached_does_not_count_again_when_it_is_to_wander_on() -> None:
    session = session_of(seed=1)
    session.set_wander(False)
    session.set_target(3.0, 0.0)
    while session.numbers.flags_reached == 0:
        session.step()
    for _ in range(3):
        session.set_wander(True)
        session.set_wander(False)
        session.step()
        assert session.target == (3.0, 0.0)
    session.set_wander(True)
    session.step()
    assert session.target != (3.0, 0.0)
    assert session.numbers.flags_reached == 1
    session.set_target(*session.position)  # another one does count
    session.step()
    assert session.numbers.flags_reached == 2


def test_the_flag_moves_by_steps() -> None:
    session = session_of()
    session.set_target(3.0, 4.0)
    session.move_target(-1.0, 0.5)
    assert session.target == (2.0, 4.5)


@pytest.mark.parametrize("name", WALKERS)
def test_a_push_changes_the_velocity_sideways_or_in_the_plane(name: str) -> None:
    env = make_steered(EnvironmentSpec(f"Robo{name}-v1"))
    session = session_in(env, f"Robo{name}-v1")
    run(session, 0.2)
    pose, planar = task_of(session).body.pose, task_of(session).body.robot.planar
    session.push()
    task_of(session).look()
    change = (task_of(session).body.pose.velocity - pose.velocity)[0]
    ahead = np.array([np.cos(pose.yaw[0]), np.sin(pose.yaw[0]), 0.0])
    assert session.can_push
    assert np.linalg.norm(change) == pytest.approx(PUSH)
    assert abs(change @ ahead) == pytest.approx(PUSH if planar else 0.0, abs=1e-9)


def fall(session: Session) -> None:
    """Push the robot over, and let it fall."""
    task_of(session).body.push(0, 0.0, 6.0)
    while session.numbers.falls == 0:
        session.step()


def test_the_fallen_begin_anew_after_a_moment_and_the_flag_stays() -> None:
    session = session_of()
    session.set_target(30.0, 0.0)
    run(session, 1.0)
    fall(session)
    fallen = session.numbers.episode_seconds
    run(session, MOMENT / 2)
    assert session.numbers.episode_seconds == pytest.approx(fallen + MOMENT / 2, abs=0.1)
    run(session, MOMENT)
    assert session.numbers.episode_seconds < MOMENT
    assert session.numbers.falls == 1
    assert session.target == (30.0, 0.0)


def test_an_episode_does_not_end_by_time() -> None:
    session = session_of(CHEETAH, seed=1)
    for _ in range(1200):  # 1000 are an episode in training
        session.step()
    assert session.numbers.falls == 0
    assert session.numbers.episode_seconds == pytest.approx(1200 * CONTROL_STEP)
    assert session.numbers.distance is None
    assert session.numbers.speed is not None
    assert session.numbers.speed > 1.0


def test_what_comes_after_the_end_of_an_episode_does_not_count() -> None:
    session = session_of()
    run(session, 1.0)
    fall(session)
    before = session.numbers.episode_return
    run(session, MOMENT / 2)
    assert session.numbers.episode_return == before


def test_gymnasiums_own_do_not_go_on_after_the_end_but_can_be_seen_for_a_moment() -> None:
    env = make_environment(EnvironmentSpec("InvertedPendulum-v4"))
    session = session_in(env, "InvertedPendulum-v4")
    while session.numbers.falls == 0:
        session.step()
    before, poses = session.numbers, session.motion.at(1.0).qpos.copy()
    run(session, MOMENT / 2)
    assert session.numbers.episode_return == before.episode_return
    assert session.numbers.episode_seconds > before.episode_seconds
    np.testing.assert_array_equal(session.motion.at(1.0).qpos, poses)
    run(session, MOMENT / 2)
    assert session.numbers.episode_seconds < MOMENT / 2
    assert session.numbers.falls == 1


def test_without_a_flag_or_a_robot_commands_do_nothing() -> None:
    session = session_of("RoboPong-v1")
    assert not (session.has_flag or session.can_throw or session.can_push)
    session.set_target(1.0, 1.0)
    session.move_target(1.0, 1.0)
    session.set_wander(False)
    session.throw_cube()
    session.push()
    session.step()
    assert session.target is None


def test_a_cube_that_is_not_thrown_changes_nothing_and_one_that_is_comes_flying() -> None:
    with_cube, without = make_steered(EnvironmentSpec(FLAGRUN)), make_environment(EnvironmentSpec(FLAGRUN))
    seen, expected = with_cube.reset(seed=3)[0], without.reset(seed=3)[0]
    agent = load_agent(f"zoo:{FLAGRUN}")
    for _ in range(60):
        np.testing.assert_allclose(seen, expected, atol=1e-6)
        action = agent.act(expected)
        seen, expected = with_cube.step(action)[0], without.step(action)[0]
    session = session_of()
    run(session, 1.0)
    height = session.motion.at(1.0).body("cube").xpos[2]
    assert height == 20.0
    session.throw_cube()
    assert session.motion.at(0.0).body("cube").xpos[2] < 4.0  # even if no step is made, and nothing on the way
    session.step()
    cube = session.motion.at(1.0).body("cube").xpos
    assert np.linalg.norm(cube[:2] - session.position) < 5.0
    assert cube[2] < 4.0
    with pytest.raises(ValueError, match="no cube to throw"):
        without.unwrapped.throw_cube()  # type: ignore[attr-defined]


def test_only_our_robots_are_steered_and_only_by_agents_that_fit() -> None:
    with pytest.raises(UsageError, match="nothing to steer"):
        make_steered(EnvironmentSpec("HalfCheetah-v4"))
    with pytest.raises(LoadError, match="with other spaces than"):
        Session(load_agent(f"zoo:{CHEETAH}"), EnvironmentSpec(FLAGRUN), make_steered)
    with pytest.raises(UsageError, match="not simulated by MuJoCo"):
        session_in(make_environment(EnvironmentSpec("CartPole-v1")), "CartPole-v1")


def test_a_view_that_follows_nothing_says_so() -> None:
    env = make_environment(EnvironmentSpec("Pusher-v5"))  # whose trackbodyid is -1
    session = session_in(env, "Pusher-v5")
    session.step()
    assert session.numbers.speed is None
    assert session.position == (0.0, 0.0)


def test_gymnasiums_robots_can_be_watched() -> None:
    env = make_environment(EnvironmentSpec("HalfCheetah-v4"))
    session = session_in(env, "HalfCheetah-v4")
    assert session.simulated.step_seconds == pytest.approx(0.05)
    run(session, 49.0)
    assert session.numbers.episode_seconds == pytest.approx(49.0)
    run(session, 2.0)  # beyond the 1000 steps of its episodes
    assert session.numbers.episode_seconds == pytest.approx(1.0)
    assert session.numbers.distance is None


def session_in(env: Any, env_id: str) -> Session:
    """Return one of an agent that has learned nothing, in an environment that there is already."""
    return Session(untrained(env, env_id), EnvironmentSpec(env_id), lambda _: env)


def untrained(env: Any, env_id: str) -> Agent:
    settings = NetworkSettings("mlp", (8,), "tanh", 0)
    network = ActorCritic(
        observation_of(env.observation_space, env_id), action_of(env.action_space, env_id), settings, settings
    )
    parameters = network.initial_parameters(np.random.default_rng(0), 0.0)
    return Agent(Policy(network, parameters, 10.0), env_id, Path("untrained"), {})


@pytest.mark.parametrize("name", REGISTERED)
def test_all_our_tasks_can_be_seen_and_take_every_command(name: str) -> None:
    env = make_steered(EnvironmentSpec(f"Robo{name}-v1"))
    session = session_in(env, f"Robo{name}-v1")
    for command in (session.throw_cube, session.push, session.reset, lambda: session.set_target(1.0, 2.0)):
        command()
        run(session, 0.2)
        session.motion.at(0.5)
    assert session.has_flag == ("Flagrun" in name)
    session.close()
