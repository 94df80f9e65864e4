"""`race`: trained robots side by side, who comes farthest in a given time; in a film, a replay or a window."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import mujoco
import numpy as np

from baselines_ppo.common.envs.make import EnvironmentSpec
from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.common.files.agent import Agent, load_agent
from baselines_ppo.common.files.pretrained import PREFIX
from baselines_ppo.common.job.opengl import has_display
from baselines_ppo.run.agents.acting import backend_for
from baselines_ppo.run.show.film import REPLAY, checked_out, film, most_pictures, picture_size, written
from baselines_ppo.run.show.frame import labelled
from baselines_ppo.run.show.replay import Crowd, replay
from baselines_ppo.run.show.shutter import Shutter, check_rate, check_seconds, moments_in, pace
from baselines_ppo.zoo.bodies.robot import Robot
from baselines_ppo.zoo.race import Race
from baselines_ppo.zoo.rendering import Camera
from baselines_ppo.zoo.scene import CONTROL_STEP
from baselines_ppo.zoo.tasks.by_name import WALKERS

RACES = {f"Robo{name}-v1": make for name, make in WALKERS.items()}  # environments whose agents can take part

OWN, SHORT = re.compile(r"Robo(.+)-v\d+"), r"\1"  # the name of an agent of ours
SQUARE = 1.0  # the width of a replay's picture by its height, at least

Show = Callable[[int], None]  # what there is to see after so many steps


class Racer(NamedTuple):
    """Who runs in a lane."""

    name: str
    agent: Agent
    robot: Robot


class Standing(NamedTuple):
    """How far the racer of a lane has come."""

    lane: int  # from 1, on the right
    name: str
    distance: float  # m
    seconds: float  # until it fell, or until the end
    fell: bool


def race(
    agents: Sequence[str],
    seconds: float,
    seed: int,
    out: str | None,
    width: int | None,
    height: int | None,
    fps: float | None,
) -> int:
    """Let agents run, show it in a file or a window, and print how far they came; returns the exit code.

    Raises:
      UsageError: a flag is wrong, or an agent is not for a robot that walks.
      LoadError: there is no such agent.
      WriteError: the file cannot be written.
    """
    check_seconds(seconds)
    path = None if out is None else checked_out(out)
    kind = "" if path is None else path.suffix
    size = picture_size(kind, width, height)
    check_rate(fps, kind)
    racers = [racer(agent) for agent in agents]
    event = Race([racer.robot for racer in racers], SQUARE if kind == REPLAY else size[0] / size[1])
    event.begin(np.random.default_rng(seed))
    with _shown(event, racers, seconds, path, size, fps) as show:
        results = run(event, racers, round(seconds / CONTROL_STEP), show)
    print(table(results))
    return 0


def racer(typed: str) -> Racer:
    """Return who runs when a user types this.

    Raises:
      UsageError: its robot does not walk, or is not ours.
      LoadError: there is no such agent, or it does not fit its robot.
    """
    agent, name = load_agent(typed), short(Path(typed.removeprefix(PREFIX)).name)
    env_id = agent.env_id.removeprefix("baselines_ppo.zoo:")
    if env_id not in RACES or agent.wrappers or agent.env_kwargs:
        seen = f"{env_id} {agent.env_kwargs}".rstrip() + f" through {', '.join(agent.wrappers)}" * bool(agent.wrappers)
        raise UsageError(
            f"{name} cannot race: it was trained on {short(seen)}, and a race is between {', '.join(RACES)}"
        )
    backend_for(agent, EnvironmentSpec(env_id)).close()
    return Racer(name, agent, RACES[env_id](1).robot)


def run(event: Race, racers: Sequence[Racer], steps: int, show: Show) -> list[Standing]:
    """Let all run for so many steps, or until the last has fallen; returns the results, the best first."""
    upright = np.zeros(len(racers), dtype=np.int64)  # steps that each has run
    show(0)
    for step in range(1, steps + 1):
        event.step([racer.agent.act(seen) for racer, seen in zip(racers, event.observe(), strict=True)])
        upright += event.running
        show(step)
        if not event.running.any():
            break
    return standings(event, racers, upright)


def standings(event: Race, racers: Sequence[Racer], upright: np.ndarray | None = None) -> list[Standing]:
    """Return how far all have come, the best first.

    Args:
      upright: [racers] steps that each has run; None: of no interest.
    """
    seconds = np.zeros(len(racers)) if upright is None else upright * CONTROL_STEP
    facts = zip(racers, event.distances.tolist(), seconds.tolist(), event.running, strict=True)
    results = [
        Standing(lane, racer.name, distance, seconds, not running)
        for lane, (racer, distance, seconds, running) in enumerate(facts, 1)
    ]
    return sorted(results, key=lambda result: -result.distance)


def table(results: Sequence[Standing]) -> str:
    """Return the results as lines of text."""
    width = max(len("agent"), *(len(result.name) for result in results))
    lines = [f"place  lane  {'agent':<{width}}  distance      speed"]
    for place, result in enumerate(results, 1):
        speed = result.distance / max(result.seconds, CONTROL_STEP)
        fell = f"  fell after {result.seconds:.1f} s" if result.fell else ""
        figures = f"{result.distance:>6.1f} m  {speed:>5.2f} m/s"
        lines.append(f"{place:>5}  {result.lane:>4}  {result.name:<{width}}  {figures}{fell}")
    return "\n".join(lines)


def caption(event: Race, racers: Sequence[Racer]) -> str:
    """Return who leads, in lines for a picture."""
    return "\n".join(
        f"{place}. {result.name}  {result.distance:.1f} m{'  (fell)' * result.fell}"
        for place, result in enumerate(standings(event, racers), 1)
    )


def names(event: Race, racers: Sequence[Racer]) -> list[str]:
    """Return each one's place, name and distance, short enough to be above it, by lane."""
    placed = sorted(enumerate(standings(event, racers), 1), key=lambda each: each[1].lane)
    return [
        f"{place}. {OWN.sub(SHORT, result.name)}  {result.distance:.0f} m{' (fell)' * result.fell}"
        for place, result in placed
    ]


@contextmanager
def _shown(
    event: Race, racers: Sequence[Racer], seconds: float, path: Path | None, size: tuple[int, int], fps: float | None
) -> Iterator[Show]:
    """Give what shows a race: in a file, else in a window, else, where there is no display, nowhere."""
    with closing(Camera(event, *size)) as camera:
        if path is None:
            yield (lambda _: camera.show(0)) if has_display() else (lambda _: None)
            return
        stride, rate = pace(1 / CONTROL_STEP, path.suffix, fps)
        moments_in(seconds, rate, most_pictures(path.suffix, size))
        opened = (
            _replayed(event, racers, path, rate)
            if path.suffix == REPLAY
            else _filmed(event, racers, camera, path, rate)
        )
        with opened as take:
            shutter = Shutter(take, stride, rate)
            yield shutter.step
        print(written(path, shutter.moments, rate))


@contextmanager
def _filmed(
    event: Race, racers: Sequence[Racer], camera: Camera, path: Path, rate: float
) -> Iterator[Callable[[], None]]:
    with film(path, rate) as add:
        yield lambda: add(labelled(camera.picture(0), caption(event, racers)))


@contextmanager
def _replayed(event: Race, racers: Sequence[Racer], path: Path, rate: float) -> Iterator[Callable[[], None]]:
    data = mujoco.MjData(event.simulation.model)
    roots = [body.view["trackbodyid"] for body in event.bodies]

    def take() -> None:
        event.simulation.data(0, data)
        view = event.view
        add(data, Crowd(view["lookat"][:2], view["distance"], dict(zip(roots, names(event, racers), strict=True))))

    with replay(path, rate, event.simulation.model, event.view) as add:
        yield take
