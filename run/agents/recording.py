"""`record`: films of a trained agent, replays that open in a browser, and demonstrations; needs no display."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from baselines_ppo.common.envs.backends import SerialBackend
from baselines_ppo.common.envs.episodes import Episodes, steps_allowed
from baselines_ppo.common.envs.foreign import close_unheard
from baselines_ppo.common.envs.make import make_environment, time_limit
from baselines_ppo.common.failures import UsageError, short
from baselines_ppo.common.files import demonstrations
from baselines_ppo.common.files.whole import shown
from baselines_ppo.common.job.opengl import choose_opengl
from baselines_ppo.run.agents.acting import seen_backend_for
from baselines_ppo.run.agents.demonstrating import record_episodes
from baselines_ppo.run.agents.playing import told
from baselines_ppo.run.agents.scoring import trusted
from baselines_ppo.run.news import News
from baselines_ppo.run.show.film import REPLAY, checked_out, film, most_pictures, picture_size, written
from baselines_ppo.run.show.film_page import film_page
from baselines_ppo.run.show.pictures import Film, Pictures
from baselines_ppo.run.show.shutter import (
    ENDLESS,
    Filmed,
    Shutter,
    check_rate,
    check_seconds,
    moments_in,
    pace,
    steps_per_second,
)
from baselines_ppo.run.show.simulated import is_simulated, simulated


@dataclass(frozen=True, kw_only=True)
class Recording:
    """Which agent, how long, and into what file; None: as the agent, the environment or the kind of file has it."""

    agent: str
    out: str
    env: str | None = None
    env_kwargs: str | None = None  # JSON
    wrapper: tuple[str, ...] | None = None
    network: str | None = None
    episodes: int = 1
    max_steps: int | None = None  # of an episode; None: see `steps_allowed`
    seconds: float | None = None  # at most; None: whole episodes, but see `ENDLESS`
    seed: int = 0
    stochastic: bool = False
    width: int | None = None
    height: int | None = None
    fps: float | None = None


def record(recording: Recording) -> int:
    """Write episodes into a file, and print their returns; returns the exit code.

    Raises:
      UsageError: a flag is wrong, or there is nothing to draw with.
      WriteError: the file cannot be written.
    """
    path = checked_out(recording.out, [demonstrations.SUFFIX])
    if path.suffix == demonstrations.SUFFIX:
        return _demonstrations(recording, path)
    size = picture_size(path.suffix, recording.width, recording.height)
    check_rate(recording.fps, path.suffix)
    if recording.seconds is not None:
        check_seconds(recording.seconds)
    agent, spec = trusted(recording.agent, recording.env, recording.wrapper, recording.network, recording.env_kwargs)
    env_id = spec.env_id
    choose_opengl()  # before the environment imports what draws it
    most_steps = steps_allowed(env_id, recording.max_steps)
    with ExitStack() as closed_at_last:
        backend = seen_backend_for(agent, spec, lambda: make_environment(spec, render_mode="rgb_array"))
        closed_at_last.callback(close_unheard, backend.close)
        stride, rate = pace(steps_per_second(backend.environments[0], env_id), path.suffix, recording.fps)
        most, cut = most_pictures(path.suffix, size), f"as a {path.suffix} holds no more"
        if recording.seconds is not None:
            most, cut = moments_in(recording.seconds, rate, most), "by --seconds"
        elif recording.max_steps is None and time_limit(env_id) is None and ENDLESS * rate < most:
            most, cut = math.ceil(ENDLESS * rate), f"after {ENDLESS:.0f} s, as it may never end (--seconds allows more)"
        replayed = path.suffix == REPLAY and is_simulated(backend.environments[0])
        opened = _replayed(path, rate, backend, env_id) if replayed else _filmed(path, rate, backend, env_id, size)
        with opened as take:
            shutter = Shutter(take, stride, rate)
            filmed = Filmed(backend, shutter, most)
            player, news = Episodes(agent, filmed, 1, env_id, recording.seed, most_steps), News()
            for episode in range(recording.episodes):
                (played,) = player.play([episode], not recording.stochastic, news.say)
                print(told(episode, played) + f", cut {cut}" * filmed.full, flush=True)
                if filmed.full:
                    break
    print(written(path, shutter.moments, rate))
    return 0


def record_one(agent: str, path: Path, seconds: float) -> str:
    """Write an agent's first episode, a film or a replay by the ending of the file; returns what came of it.

    Args:
      seconds: of the film at most.

    Raises:
      LoadError: there is no agent, or it asks for a module or a file that the command line does not name.
      UsageError, WriteError: see `record`.
    """
    said = io.StringIO()
    with redirect_stdout(said):
        record(Recording(agent=agent, out=str(path), seconds=seconds))
    return said.getvalue().splitlines()[0]


def _demonstrations(recording: Recording, path: Path) -> int:
    """Write what the agent saw and did, whole episodes, and print their returns; returns the exit code.

    Raises:
      UsageError: a flag is of a film.
    """
    of_a_film = ("seconds", "width", "height", "fps")
    if given := [name for name in of_a_film if getattr(recording, name) is not None]:
        raise UsageError(f"--{given[0]} is of a film; {short(shown(path))} is to hold whole episodes, see --episodes")
    agent, spec = trusted(recording.agent, recording.env, recording.wrapper, recording.network, recording.env_kwargs)
    most_steps = steps_allowed(spec.env_id, recording.max_steps)
    print(record_episodes(path, agent, spec, recording.episodes, recording.seed, most_steps, recording.stochastic))
    return 0


@contextmanager
def _filmed(
    path: Path, rate: float, backend: SerialBackend, env_id: str, size: tuple[int, int]
) -> Iterator[Callable[[], None]]:
    pictures = Pictures(lambda: backend.environments[0], env_id, *size)
    with (film_page if path.suffix == REPLAY else film)(path, rate) as add:
        taken = Film(pictures, add)
        yield taken.take
        taken.finish()


@contextmanager
def _replayed(path: Path, rate: float, backend: SerialBackend, env_id: str) -> Iterator[Callable[[], None]]:
    import mujoco

    from baselines_ppo.run.show.replay import replay  # MuJoCo, which nothing else here needs

    model, read, _, view = simulated(lambda: backend.environments[0], env_id)
    data = mujoco.MjData(model)

    def take() -> None:
        read(data)
        add(data)

    with replay(path, rate, model, view) as add:
        yield take
