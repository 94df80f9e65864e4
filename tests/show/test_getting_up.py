"""Who can get up does so in the same episode: falls, rises, and what is said of them."""

from __future__ import annotations

import numpy as np
import pytest

from baselines_ppo.common.envs.make import EnvironmentSpec, make_environment
from baselines_ppo.common.files.agent import load_agent
from baselines_ppo.run.agents.footing import Footing
from baselines_ppo.run.agents.steering import CHANCE, MOMENT, Session, make_steered
from baselines_ppo.zoo.tasks.cubes import PARKED
from tests.show.following import follow_places
from tests.show.test_steering import fall, run, session_in, session_of, task_of

HARDER = "RoboHumanoidFlagrunHarder-v1"


def started(start: str, seed: int = 0) -> Session:
    """Return a session whose episodes start in a way."""
    return Session(load_agent(f"zoo:{HARDER}"), EnvironmentSpec(HARDER, keywords={"start": start}), make_steered, seed)


def untrained_one() -> Session:
    """Return a session of one that cannot stand, and lies soon."""
    return session_in(make_steered(EnvironmentSpec(HARDER)), HARDER)


def said(footing: Footing, down: bool, seconds: float) -> list[str | None]:
    """Return what is said in turn while it is down or up for so long."""
    words = []
    for _ in range(round(seconds / 0.1)):
        footing.step(down, 0.1)
        words.append(footing.words)
    return [word for i, word in enumerate(words) if i == 0 or word != words[i - 1]]


def test_it_is_said_who_falls_gets_up_and_stands() -> None:
    footing = Footing(gets_up=True)
    assert said(footing, down=False, seconds=2.0) == [None]
    assert said(footing, down=True, seconds=2.0) == ["fell", "getting up"]
    assert said(footing, down=False, seconds=0.5) == ["getting up"]
    assert said(footing, down=True, seconds=0.5) == ["getting up"]  # it was not up for long enough
    assert (footing.falls, footing.rises, footing.lies) == (1, 0, True)
    assert said(footing, down=False, seconds=9.0) == ["getting up", "stood up in 2.9 s", None]
    assert (footing.falls, footing.rises, footing.lies) == (1, 1, False)
    footing.begin(lying=True)
    assert said(footing, down=True, seconds=1.0) == ["getting up"]
    assert said(footing, down=False, seconds=2.0) == ["getting up", "stood up in 1.0 s"]
    assert (footing.falls, footing.rises) == (1, 2)


def test_who_cannot_get_up_is_not_said_to() -> None:
    assert said(Footing(gets_up=False), down=True, seconds=2.0) == ["fell"]


def knock_over(session: Session, x: float, y: float) -> None:
    """Push the robot, x m/s along the floor and y across, until it lies."""
    for _ in range(20):
        task_of(session).body.push(0, x, y)
        run(session, 0.5)
        if session.footing.lies:
            return
    raise AssertionError("it does not fall")


def hold_upright(session: Session, seconds: float) -> None:
    """Put the robot on its feet, at the origin, again and again."""
    for _ in range(round(seconds / session.simulated.step_seconds)):
        task_of(session).simulation.qvel[:] = 0.0
        task_of(session).body.stand(0, np.random.default_rng(0))
        task_of(session).look()
        session.step()


def test_a_fall_begins_no_new_episode_and_who_stands_again_has_got_up() -> None:
    session = untrained_one()
    while session.numbers.falls == 0:
        session.step()
    before = session.numbers
    run(session, 2.0)
    assert session.numbers.doing == "getting up"
    assert session.numbers.episode_seconds == pytest.approx(before.episode_seconds + 2.0, abs=0.1)
    hold_upright(session, 1.2)
    assert session.numbers.doing is not None and session.numbers.doing.startswith("stood up in 2.")
    assert (session.episodes, session.numbers.falls, session.numbers.rises) == (1, 1, 1)
    hold_upright(session, 4.0)
    assert session.numbers.doing == "standing"


@pytest.mark.parametrize("way", [(4.0, 0.0), (0.0, 4.0), (-4.0, 0.0), (0.0, -4.0)])
def test_every_fall_is_followed_by_a_rise(way: tuple[float, float]) -> None:
    session = session_of(HARDER)
    run(session, 2.0)
    knock_over(session, *way)
    while session.footing.lies:
        session.step()
    assert (session.numbers.falls, session.numbers.rises) == (1, 1)


def test_from_its_face_it_stands_up_which_is_a_rise_and_no_fall() -> None:
    session = started("face_down")
    assert session.numbers.doing == "getting up"
    run(session, 4.0)
    assert session.numbers.rises == 1
    assert session.numbers.falls == 0


def test_who_does_not_get_up_in_time_begins_anew_and_the_flag_stays() -> None:
    session = untrained_one()
    session.set_target(30.0, 0.0)
    while session.numbers.falls == 0:
        session.step()
    run(session, CHANCE - 0.2)
    assert session.episodes == 1
    run(session, 0.4)
    assert session.episodes == 2
    assert session.numbers.rises == 0
    assert session.target == (30.0, 0.0)


def test_no_cube_comes_but_those_that_are_thrown() -> None:
    session = session_of(HARDER)
    heights = []
    for _ in range(300):  # in training the first comes after 120
        session.step()
        heights.append(session.motion.at(1.0).body("cube").xpos[2])
    assert set(heights) == {PARKED}
    session.throw_cube()
    session.step()
    assert session.motion.at(1.0).body("cube").xpos[2] < 4.0


def test_a_failed_simulation_begins_anew() -> None:
    session = session_of(HARDER)
    run(session, 0.5)
    task_of(session).simulation.qvel[0, 3] = 1e12
    session.step()
    assert session.episodes == 2


def test_who_is_only_watched_falls_as_in_training() -> None:
    env = make_environment(EnvironmentSpec(HARDER, keywords={"start": "upright"}))
    session = session_in(env, HARDER)
    fall(session)
    assert session.numbers.rises is None
    run(session, MOMENT + 0.1)
    assert session.episodes == 2


def test_it_runs_to_flags_while_cubes_are_thrown_at_it() -> None:
    score = follow_places(session_of(HARDER), 12, np.random.default_rng(0), cube_every=5.0)
    assert score.reached >= 9


@pytest.mark.parametrize("start", ["upright", "face_down", "face_up"])
def test_a_start_that_is_asked_for_is_kept(start: str) -> None:
    assert (started(start).numbers.doing == "getting up") == (start != "upright")
