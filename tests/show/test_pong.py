"""A person plays Pong against an agent: who gets which point, and who may play; with no screen."""

from __future__ import annotations

import math

import numpy as np
import pytest

from baselines_ppo.common.failures import UsageError
from baselines_ppo.run import cli
from baselines_ppo.run.agents.duel import AGENT, BREAK, PERSON, POINTS, Duel, player
from baselines_ppo.zoo.scene import CONTROL_STEP
from tests.zoo.test_zoo_pong import follow

PONG = "zoo:RoboPong-v1"
REST = math.ceil(BREAK / CONTROL_STEP)  # steps


def duel(level: str = "hard", seed: int = 0) -> Duel:
    return Duel(player(PONG), seed, level)


def ball(game: Duel) -> np.ndarray:
    """Return where the ball is, x and y in m."""
    return game._match.game.table.places[0, 2].copy()


def play(game: Duel, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Let a follower play for the person.

    Returns how often the ball was served anew after it had been at the line of the person, and of the agent; and the
    points.
    """
    passed, before = np.zeros(2, dtype=int), ball(game)
    for _ in range(steps):
        game.move(*follow(game.seen))
        game.step()
        now = ball(game)
        if abs(before[0]) > 1.5 and now[0] == 0.0:
            passed[PERSON if before[0] < 0 else AGENT] += 1
        before = now
    return passed, game.points


def test_who_lets_the_ball_pass_gives_the_other_a_point_until_somebody_has_eleven() -> None:
    game, together = duel("easy"), np.zeros(2, dtype=int)
    while not game.over:
        passed, points = play(game, 300)
        together += passed
        assert points.tolist() == together[::-1].tolist()
    assert points.max() == POINTS > points.min() > 0
    assert game.doing == ("you won" if points[PERSON] == POINTS else "the agent won")
    rest = ball(game)
    _, after = play(game, 200)
    assert after.tolist() == points.tolist()
    assert ball(game).tolist() == rest.tolist()
    game.reset()
    assert game.points.tolist() == [0, 0]
    assert game.doing == "serve"


def test_a_follower_beats_the_agent_at_the_lowest_level_and_not_at_the_highest() -> None:
    easy, hard = duel("easy"), duel("hard")
    _, points = play(easy, 1500)
    assert points[PERSON] > points[AGENT]
    _, points = play(hard, 1500)
    assert points[PERSON] == 0
    assert hard.longest > 20


def test_the_paddle_goes_where_it_is_steered_and_brakes_when_the_keys_are_let_go() -> None:
    game = duel()
    for way, axis, sign in (((0, 1), 1, 1), ((0, -1), 1, -1), ((1, 0), 0, 1), ((-1, 0), 0, -1)):
        game.reset()
        for _ in range(REST):
            game.step()
        before = game.place
        game.move(*way)
        for _ in range(12):
            game.step()
        assert sign * (game.place[axis] - before[axis]) > 0.1
        assert game.place[1 - axis] == pytest.approx(before[1 - axis])
        game.move(0, 0)
        for _ in range(17):
            game.step()
        rest = game.place
        game.step()
        assert game.place == rest


def test_all_stands_still_before_a_serve() -> None:
    game = duel()
    game.move(0, 1)
    places = []
    for _ in range(REST):
        places.append((*game.place, *ball(game)))
        game.step()
    assert len(set(places)) == 1
    game.step()
    assert ball(game)[0] != 0.0


def test_the_ball_is_shown_on_its_way_but_not_on_the_way_to_a_serve() -> None:
    game = duel()
    for _ in range(REST + 5):
        game.step()
    before = ball(game)
    game.step()
    half = game.motion.at(0.5).body("ball").xpos[:2]
    np.testing.assert_allclose(half, (before + ball(game)) / 2)
    table = game._match.game.table
    table.places[0, 2], table.velocities[0, 2] = (-1.64, 0.9), (-3.0, 0.0)
    game.step()
    assert game.motion.at(0.5).body("ball").xpos[0] == ball(game)[0] == 0.0


def test_only_agents_that_play_pong_are_taken() -> None:
    with pytest.raises(UsageError, match="RoboAnt-v1 cannot play: it was trained on RoboAnt-v1; give"):
        cli.main(["pong", "zoo:RoboAnt-v1", "--port", "0"])
    with pytest.raises(UsageError, match="level"):
        cli.main(["pong", "--level", "godlike"])
