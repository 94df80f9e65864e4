"""Pong: how the ball flies and bounces, and how paddles move."""

from __future__ import annotations

import numpy as np
import pytest

from baselines_ppo.zoo.tasks.pong import PongMatch
from baselines_ppo.zoo.tasks.table import (
    BALL_SPEED,
    EDGE,
    HALF_AXIS,
    HOMES,
    PADDLE_SPEED,
    REACH,
    SUBSTEP,
    TOUCH,
)
from tests.zoo.test_zoo_pong import BALL, NOBODY, STEP, chase, lay, stands


def test_bounces_off_walls_and_resting_paddles_keep_the_speed_of_the_ball() -> None:
    generator = np.random.default_rng(0)
    angles, speeds = generator.uniform(0, 2 * np.pi, 300), generator.uniform(0.5, BALL_SPEED, 300)
    start = speeds * np.array([np.cos(angles), np.sin(angles)])
    table = lay(generator.uniform([-1, -EDGE], [1, EDGE], (300, 2)), start.T)
    hits, turns = np.zeros(2), 0
    for _ in range(100):
        before = table.velocities[:, BALL, 1].copy()
        hits += table.step(stands(table)).sum(axis=0)
        turns += int((before * table.velocities[:, BALL, 1] < 0).sum())
        np.testing.assert_allclose(np.hypot(*table.velocities[:, BALL].T), speeds, rtol=1e-12)
        assert np.abs(table.places[:, BALL, 1]).max() <= EDGE
    assert hits.min() > 10 and turns > 300
    assert not np.allclose(np.abs(table.velocities[:, BALL, 0]), np.abs(start[0]))  # round ends turn it


def test_a_wall_mirrors_the_path() -> None:
    table = lay([0.0, 0.965], [1.0, 2.0])  # its edge is 1 cm off the wall
    table.step(NOBODY)
    np.testing.assert_allclose(table.places[0, BALL], [STEP, 0.975 - (2 * STEP - 0.01)])
    np.testing.assert_array_equal(table.velocities[0, BALL], [1.0, -2.0])


@pytest.mark.parametrize(("paddle", "after"), [(0.0, 2.0), (1.0, 4.0), (-0.5, 1.0), (3.0, BALL_SPEED)])
def test_a_moving_paddle_adds_twice_its_speed_up_to_the_limit(paddle: float, after: float) -> None:
    table = lay([HOMES[0, 0] + TOUCH + 0.001, 0.1], [-2.0, 0.0])
    table.velocities[0, 0] = paddle, 0.0
    hit = table.step(table.velocities[:, :2].copy())
    assert hit.tolist() == [[True, False]]
    np.testing.assert_allclose(table.velocities[0, BALL], [after, 0.0], atol=1e-12)


def test_a_paddle_that_flees_the_ball_does_not_hit_it() -> None:
    table = lay([HOMES[0, 0] + TOUCH - 0.02, 0.0], [-1.0, 0.0])
    table.velocities[0, 0] = -2.0, 0.0
    assert not table.step(table.velocities[:, :2].copy()).any()
    assert table.velocities[0, BALL].tolist() == [-1.0, 0.0]


def test_round_ends_deflect() -> None:
    velocity = np.array([-2.0, 0.0])
    touching = HOMES[0] + [0.0, HALF_AXIS] + 0.99 * TOUCH * np.sqrt([0.5, 0.5])
    table = lay(touching - SUBSTEP * velocity, velocity)
    assert table.step(NOBODY)[0, 0]
    np.testing.assert_allclose(table.velocities[0, BALL], [0.0, 2.0], atol=1e-12)


def test_nothing_tunnels_at_the_highest_speeds() -> None:
    generator = np.random.default_rng(1)
    count = 5000  # of 20 substeps each
    side, player = generator.choice([-1.0, 1.0], count), generator.integers(0, 2, count)
    drift = generator.uniform(-PADDLE_SPEED, PADDLE_SPEED, count)  # of paddle and ball, so that it cannot go round
    velocity = np.stack([-side * np.sqrt(BALL_SPEED**2 - drift**2), drift], axis=1)
    gap = np.stack([side * (TOUCH + generator.uniform(0, 0.1, count)), generator.uniform(-1, 1, count) * HALF_AXIS], 1)
    table = lay(HOMES[player] + gap, velocity)
    each = np.arange(count)
    table.velocities[each, player] = np.stack([side * generator.uniform(-1, 1, count) * PADDLE_SPEED, drift], axis=1)
    targets, hits = table.velocities[:, :2].copy(), np.zeros(count, dtype=int)
    for _ in range(5):
        hits += table.step(targets)[each, player]
    away = table.places[:, BALL] - table.places[each, player]
    assert hits.min() == hits.max() == 1
    assert (away[:, 0] * side > 0).all()
    assert (table.velocities[:, BALL, 0] * side > -PADDLE_SPEED).all()


def test_the_wildest_play_stays_within_walls_limits_and_observations() -> None:
    match = PongMatch(250, seed=0)
    observations, fastest, hits = match.reset(), 0.0, 0.0
    for _ in range(100):
        observations, rewards = match.step(chase(observations))
        places, velocities = match.game.table.places, match.game.table.velocities
        assert np.abs(places[:, BALL, 1]).max() <= EDGE
        assert (np.abs(places[:, :2] - HOMES) <= REACH + 1e-12).all()
        assert np.abs(velocities[:, :2]).max() <= PADDLE_SPEED
        assert np.abs(observations).max() <= 0.5 * BALL_SPEED
        fastest = max(fastest, np.hypot(*velocities[:, BALL].T).max())
        hits += (rewards % 1 > 0).sum()
    assert hits > 100
    assert BALL_SPEED - 1e-9 < fastest < BALL_SPEED + 1e-9
