"""Pong: what counts, what players see, and who wins."""

from __future__ import annotations

from collections.abc import Callable

import gymnasium
import mujoco
import numpy as np
import pytest

from baselines_ppo.zoo.tasks.pong import Pong, PongMatch
from baselines_ppo.zoo.tasks.table import (
    BALL_RADIUS,
    GOAL,
    HALF_AXIS,
    HOMES,
    PADDLE_ACCELERATION,
    REACH,
    SUBSTEP,
    TOUCH,
    Table,
)
from baselines_ppo.zoo.vector_env import RobotVectorEnv

STEP = 0.0165  # s
BALL = 2  # its index among what lies on a table
NOBODY = np.zeros((1, 2, 2))

Policy = Callable[[np.ndarray], np.ndarray]


def lay(ball: object, velocity: object) -> Table:
    """Return tables with paddles at home; ball and velocity are [n, 2]."""
    places, velocities = np.atleast_2d(np.asarray(ball, float)), np.atleast_2d(np.asarray(velocity, float))
    table = Table(np.concatenate([np.tile(HOMES, (len(places), 1, 1)), places[:, None]], axis=1))
    table.velocities[:, BALL] = velocities
    return table


def stands(table: Table) -> np.ndarray:
    return np.zeros((len(table.places), 2, 2))


def put(match: PongMatch, ball: object, velocity: object) -> None:
    match.game.table.places[:, BALL], match.game.table.velocities[:, BALL] = ball, velocity


def follow(observations: np.ndarray) -> np.ndarray:
    """Go where the ball is along y, and home along x, for observations [..., 13]."""
    x, y, y_speed, ball_y, ball_y_speed = (observations[..., i] for i in (0, 2, 3, 10, 11))
    return np.clip(np.stack([-0.3 * x, 6 * (ball_y - y) + 1.5 * (ball_y_speed - y_speed)], axis=-1), -1.0, 1.0)


def chase(observations: np.ndarray) -> np.ndarray:
    """Always go at full speed towards the ball, for observations [..., 13]."""
    x, y, ball_x, ball_y = (observations[..., i] for i in (0, 2, 8, 10))
    return np.sign(np.stack([2 * ball_x + 1.3 - 0.3 * x, ball_y - y], axis=-1))


def test_paddles_accelerate_to_their_speed_and_stop_where_their_reach_ends() -> None:
    table = lay([0.0, 0.0], [0.0, 0.0])
    targets = np.array([[[0.0, 3.0], [3.0, -1.0]]])
    table.step(targets)
    np.testing.assert_allclose(table.velocities[0, :2, 1], [PADDLE_ACCELERATION * STEP, -PADDLE_ACCELERATION * STEP])
    for _ in range(16):
        table.step(targets)
    np.testing.assert_array_equal(table.velocities[0, :2], [[0.0, 3.0], [0.0, -1.0]])
    np.testing.assert_allclose(table.places[0, 1, 0], 1.6)
    for _ in range(80):
        table.step(targets)
    np.testing.assert_allclose(table.places[0, :2], [[-1.3, 1.1], [1.6, -1.1]])
    assert not table.velocities[0, :2].any()


def test_a_return_earns_a_hundredth_of_its_speed_once() -> None:
    match = PongMatch(1, seed=0)
    match.reset()
    put(match, [HOMES[0, 0] + TOUCH + 0.001, 0.05], [-2.25, 0.5])
    match.game.awaited[:], match.game.waited[:] = 0, 70
    observations, rewards = match.step(NOBODY)
    np.testing.assert_allclose(rewards, [[0.0225, 0.0]], atol=1e-15)
    assert observations[0, :, 12].tolist() == [0.0, 0.0]
    assert match.game.awaited[0] == 1
    put(match, [HOMES[0, 0] + TOUCH + 0.001, 0.05], [-2.25, 0.5])
    _, rewards = match.step(NOBODY)
    assert not rewards.any()  # the other player is awaited
    put(match, [HOMES[1, 0] - TOUCH - 0.001, 0.05], [3.0, 0.5])
    _, rewards = match.step(NOBODY)
    np.testing.assert_allclose(rewards, [[0.0, 0.03]], atol=1e-15)


def test_to_touch_the_ball_is_not_to_return_it() -> None:
    match, normal = PongMatch(1, seed=0), np.array([0.3, np.sqrt(1 - 0.3**2)])
    match.reset()
    velocity = np.array([-2.0, 0.0])
    put(match, HOMES[0] + [0.0, HALF_AXIS] + 0.99 * TOUCH * normal - SUBSTEP * velocity, velocity)
    match.game.awaited[:], match.game.waited[:] = 0, 70
    _, rewards = match.step(NOBODY)
    ball = match.game.table.velocities[0, BALL]
    np.testing.assert_allclose(ball, velocity - 2 * (velocity @ normal) * normal)
    assert ball[0] < 0  # as before, past the paddle
    assert not rewards.any()
    assert (match.game.awaited[0], match.game.waited[0]) == (0, 71)


@pytest.mark.parametrize("loser", [0, 1])
@pytest.mark.parametrize(("returns", "won"), [(0, 0.0), (1, 1.0), (7, 1.0)])
def test_who_misses_loses_a_point_that_the_other_wins_if_there_was_a_return(
    loser: int, returns: int, won: float
) -> None:
    match, side = PongMatch(1, seed=0), (-1, 1)[loser]
    match.reset()
    put(match, [side * (GOAL - 0.04), 0.5], [side * 2.0, 0.0])
    match.game.returns[:] = returns
    assert not match.step(NOBODY)[1].any()  # not yet beyond the line
    _, rewards = match.step(NOBODY)
    assert rewards[0, loser] == -1.0
    assert rewards[0, 1 - loser] == won
    assert match.game.table.places[0, BALL, 0] == 0.0  # served again, to the winner
    assert match.game.table.velocities[0, BALL, 0] * side < 0
    assert match.game.returns[0] == 0
    assert not match.step(NOBODY)[1].any()


def test_alone_every_serve_comes_to_the_player() -> None:
    pong, generators = Pong(1), [np.random.default_rng(0)]
    pong.begin([0], generators)
    for side, expected in ((-1, -1.0), (1, 1.0)):
        pong.game.table.places[:, BALL], pong.game.table.velocities[:, BALL] = (side * (GOAL + 0.01), 0.0), 0.0
        pong.game.returns[:] = 1
        terms = pong.step(np.zeros((1, 2)), generators).terms
        assert (terms.point[0], terms.return_hint[0]) == (expected, 0.0)
        assert pong.game.awaited[0] == 0
        assert pong.game.table.velocities[0, BALL, 0] < 0


def test_the_clock_runs_from_0_to_minus_1_and_then_the_ball_is_served_again_without_points() -> None:
    match = PongMatch(1, seed=3)
    assert match.reset()[0, 0, 12] == 0.0
    put(match, [0.3, 0.2], [0.0, 0.0])
    awaited = match.game.awaited[0]
    for step in range(1, 150):
        observations, rewards = match.step(NOBODY)
        np.testing.assert_allclose(observations[0, :, 12], -step / 150, rtol=1e-6)
        assert not rewards.any()
    observations, rewards = match.step(NOBODY)
    assert not rewards.any()
    assert observations[0, :, 12].tolist() == [0.0, 0.0]
    assert match.game.table.places[0, BALL, 0] == 0.0
    assert match.game.awaited[0] == awaited


def test_serves_fill_their_ranges_and_go_to_either_player() -> None:
    match = PongMatch(600, seed=0)
    match.reset()
    places, velocities = match.game.table.places[:, BALL], match.game.table.velocities[:, BALL]
    assert not places[:, 0].any()
    for values, low, high in (
        (places[:, 1], -0.9, 0.9),
        (np.abs(velocities[:, 0]), 2.0, 2.5),
        (velocities[:, 1], -2.0, 2.0),
    ):
        assert low <= values.min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < values.max() <= high
    assert 250 < (velocities[:, 0] > 0).sum() < 350
    np.testing.assert_array_equal(velocities[:, 0] > 0, match.game.awaited == 1)


def test_the_trainer_goes_to_a_new_place_at_each_serve_and_stays_there() -> None:
    pong, generators = Pong(300), [np.random.default_rng(seed) for seed in range(300)]
    pong.begin(list(range(300)), generators)
    table, still = pong.game.table, np.zeros((300, 2))
    stood = []
    for _ in range(2):
        table.places[:, BALL], table.velocities[:, BALL] = (0.0, 0.5), 0.0
        for _ in range(149):
            pong.step(still, generators)
        trainers = (table.places[:, 1] - HOMES[1]) / REACH
        assert np.abs(table.velocities[:, 1]).max() < 0.01
        np.testing.assert_array_less(np.abs(trainers), 0.9 + 1e-9)
        assert (np.ptp(trainers, axis=0) > 1.7).all()
        stood.append(trainers)
        pong.step(still, generators)  # waited long enough: the next serve
        assert not pong.game.waited.any()
    assert (np.abs(stood[0] - stood[1]).max(axis=1) > 0.01).mean() > 0.95


def test_players_see_the_table_from_their_own_side() -> None:
    match = PongMatch(1, seed=0)
    match.reset()
    match.game.table.places[0] = [[-1.15, 0.55], [1.6, -1.1], [1.0, 0.22]]
    match.game.table.velocities[0] = [[1.0, -2.0], [-3.0, 0.5], [5.0, -1.0]]
    match.game.waited[:] = 30
    left, right, ball = [0.5, 0.5, 0.5, -1.0], [1.0, -1.5, -1.0, 0.25], [0.5, 2.5, 0.2, -0.5]
    np.testing.assert_allclose(match.game.observe(0), [[*left, *right, *ball, -0.2]], rtol=1e-6)
    left, right, ball = [-0.5, -0.5, 0.5, -1.0], [-1.0, 1.5, -1.0, 0.25], [-0.5, -2.5, 0.2, -0.5]
    np.testing.assert_allclose(match.game.observe(1), [[*right, *left, *ball, -0.2]], rtol=1e-6)


def test_an_action_means_the_same_to_both_players() -> None:
    match = PongMatch(1, seed=0)
    match.reset()
    observations, _ = match.step(np.array([[[0.5, -1.0], [0.5, -1.0]]]))
    np.testing.assert_array_equal(observations[0, 0, :4], observations[0, 1, :4])
    assert observations[0, 0, 1] > 0 > observations[0, 0, 3]


def test_players_who_change_sides_play_the_mirrored_game() -> None:
    one, other = PongMatch(20, seed=5), PongMatch(20, seed=5)
    seen, mirrored = one.reset(), other.reset()
    for values in (other.game.table.places, other.game.table.velocities):
        values[:] = values[:, [1, 0, 2]] * [-1.0, 1.0]
    other.game.awaited[:] = 1 - other.game.awaited
    generator, points, hits = np.random.default_rng(0), 0, 0
    for step in range(500):
        actions = follow(seen) + generator.normal(0, 0.3, (20, 2, 2))
        seen, rewards = one.step(actions)
        mirrored, mirrored_rewards = other.step(actions[:, ::-1])
        np.testing.assert_array_equal(mirrored, seen[:, ::-1], err_msg=f"step {step}")
        np.testing.assert_array_equal(mirrored_rewards, rewards[:, ::-1])
        points, hits = points + (rewards == 1).sum(axis=0), hits + (rewards % 1 > 0).sum(axis=0)
    assert np.min(points) > 1 and np.min(hits) > 20


def test_a_match_among_many_is_that_match_alone() -> None:
    many, alone = PongMatch(6, seed=2), PongMatch(1, seed=2 + 4)
    together, single = many.reset(), alone.reset()
    for _ in range(400):
        np.testing.assert_array_equal(together[4:5], single)
        (together, rewards), (single, reward) = many.step(chase(together)), alone.step(chase(single))
        np.testing.assert_array_equal(rewards[4:5], reward)


def test_a_player_among_many_is_that_player_alone() -> None:
    many, alone = RobotVectorEnv("Pong", 6), RobotVectorEnv("Pong", 1)
    (together, _), (single, _) = many.reset(seed=2), alone.reset(seed=2 + 4)
    for _ in range(600):  # several serves
        np.testing.assert_array_equal(together[4:5], single)
        together, rewards, *_ = many.step(follow(together))
        single, reward, *_ = alone.step(follow(single))
        np.testing.assert_array_equal(rewards[4:5], reward)


def mean_return(policy: Policy) -> float:
    envs = RobotVectorEnv("Pong", 40, max_episode_steps=1000)
    observations, _ = envs.reset(seed=0)
    total = np.zeros(40)
    for step in range(1000):
        observations, rewards, terminated, truncated, _ = envs.step(policy(observations))
        total += rewards
        assert not terminated.any()
        assert truncated.all() == truncated.any() == (step == 999)
    return float(total.mean())


def test_who_follows_the_ball_beats_the_trainer_and_who_does_anything_does_not() -> None:
    generator = np.random.default_rng(0)
    assert mean_return(follow) > 2.0
    assert mean_return(lambda observations: generator.uniform(-1, 1, (len(observations), 2))) < -5.0


def test_its_name_makes_it() -> None:
    env = gymnasium.make("baselines_ppo.zoo:RoboPong-v1")
    assert env.spec is not None and env.spec.max_episode_steps == 1000
    assert env.observation_space.shape == (13,)
    assert env.action_space.shape == (2,)
    env.close()


def test_what_is_shown_is_where_things_are() -> None:
    match = PongMatch(3, seed=0)
    observations = match.reset()
    for _ in range(20):
        observations, _ = match.step(chase(observations))
    data = mujoco.MjData(match.simulation.model)
    match.simulation.data(1, data)
    shown = np.array([data.body(name).xpos for name in ("paddle0", "paddle1", "ball")])
    np.testing.assert_array_equal(shown[:, :2], match.game.table.places[1])
    table, ball = data.body("table").xpos[2], shown[2, 2]
    assert ball == table + BALL_RADIUS


@pytest.mark.parametrize("wrong", [np.zeros((2, 2)), np.zeros((3, 2, 2)), np.full((2, 2, 2), np.nan)])
def test_actions_that_are_none_are_refused(wrong: np.ndarray) -> None:
    match = PongMatch(2, seed=0)
    match.reset()
    with pytest.raises(ValueError, match="expected"):
        match.step(wrong)
