"""How well a robot follows its flag, be it that cubes are thrown at it: a measurement, with no screen and no clock."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from baselines_ppo.run.agents.steering import Session

NEAREST, FARTHEST = 2.0, 8.0  # m, of the places: in all at least, along x and y at most


class Tally(NamedTuple):
    """What `follow_places` came to."""

    reached: int  # in time
    falls: int
    rises: int


def follow_places(
    session: Session, count: int, generator: np.random.Generator, pace: float = 1.0, cube_every: float = np.inf
) -> Tally:
    """Put the flag in so many random places around the robot, one after the other; returns how well it followed.

    Each place is one in a square of 16 m around where the robot then is, but at least 2 m away. Who lies on the ground
    in the end has the time to stand up.

    Args:
      pace: s that it has to come, for each m that the place is away.
      cube_every: s, after which a cube is thrown at it, again and again.
    """
    start, in_time, thrown, seconds = session.numbers, 0, 0, 0.0
    for _ in range(count):
        way = np.zeros(2)
        while np.hypot(*way) < NEAREST:
            way = generator.uniform(-FARTHEST, FARTHEST, 2)
        session.set_target(session.position[0] + way[0], session.position[1] + way[1])
        before, end = session.numbers.flags_reached, seconds + pace * np.hypot(*way)
        while seconds < end and session.numbers.flags_reached == before:
            session.step()
            seconds += session.simulated.step_seconds
            if seconds >= (thrown + 1) * cube_every:
                session.throw_cube()
                thrown += 1
        in_time += session.numbers.flags_reached > before
    while session.footing.lies:
        session.step()
    end_numbers = session.numbers
    return Tally(in_time, end_numbers.falls - start.falls, (end_numbers.rises or 0) - (start.rises or 0))
