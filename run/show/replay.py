"""A web page that shows what happened in a MuJoCo model: one file, which opens from disk without a network."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import mujoco
import numpy as np

from baselines_ppo.common.files.whole import write_whole
from baselines_ppo.run.show.local_server import local_server
from baselines_ppo.run.show.stage import Stage

# A page that is higher than it is wide shows no crowd as wide as it is: its picture is square.
SQUARE = "<style>@media (max-aspect-ratio: 1/1) {#root {height: calc(100vw + 3em) !important}}</style>"


class Crowd(NamedTuple):
    """Several who are seen at once."""

    middle: np.ndarray  # [2] m, between them
    distance: float  # m, from which all are in a picture that is at least as wide as it is high
    names: Mapping[int, str]  # by their bodies


class Add(Protocol):
    """Adds a moment; in the middle of the picture is a crowd, or else what the view follows."""

    def __call__(self, data: mujoco.MjData, crowd: Crowd | None = None) -> None: ...


@contextmanager
def replay(path: Path, rate: float, model: mujoco.MjModel, view: Mapping[str, Any]) -> Iterator[Add]:
    """Give a function that adds where everything is at a moment; the page can be turned, and plays by itself.

    Args:
      rate: moments per second.
      view: of the camera, as `Stage` takes it.

    Raises:
      UsageError: viser is not installed.
      WriteError: the file cannot be written; nothing is left of it.
    """
    with local_server("127.0.0.1", 0, path.stem) as server:  # nobody is to visit it: its scene is written down
        stage = Stage(server, model, view)
        scene = server.get_scene_serializer()
        style = ""

        def add(data: mujoco.MjData, crowd: Crowd | None = None) -> None:
            nonlocal style
            if crowd is not None:
                style = SQUARE
                stage.centre = crowd.middle
                stage.step_back(crowd.distance)
                stage.name(crowd.names)
            stage.show(data, follow=crowd is None)
            scene.insert_sleep(1 / rate)

        yield add
        head = f"<title>{html.escape(path.stem)}</title>{style}"
        write_whole(path, scene.as_html().replace("<title>Viser</title>", head, 1))
